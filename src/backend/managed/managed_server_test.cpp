#include "backend/managed/managed_server.h"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>

#include "backend/managed/command.h"
#include "backend/managed/python_server_test.h"
#include "http/client.h"

namespace sheaf::backend::managed {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using Patience = ManagedServer::Patience;
using Lines = std::vector<std::string>;

class ManagedServerTest : public testing::Test {
protected:
    ManagedServerTest() {
        std::string pattern = (std::filesystem::temp_directory_path() / "sheaf-managed-XXXXXX").string();
        directory_ = ::mkdtemp(pattern.data());
        pid_file_ = directory_ + "/pids";
    }
    ~ManagedServerTest() override {
        if (server_ != nullptr) run(server_->stop());
        std::filesystem::remove_all(directory_);
    }

    void use(ManagedOptions options) {
        options.name = "m";
        options.first_wait = 20ms;
        server_ = std::make_unique<ManagedServer>(context_.get_executor(), std::move(options),
                                                  [this](const std::string& origin) { origin_ = origin; });
    }

    void run(async::Task<void> task) {
        bool has_ended = false;
        boost::asio::co_spawn(context_, std::move(task), [&](std::exception_ptr) {
            has_ended = true;
            context_.stop();
        });
        context_.restart();
        context_.run_for(30s);
        EXPECT_TRUE(has_ended) << "it took too long";
    }

    // Nothing, or the reason why not.
    std::string up(Patience patience = Patience::endless) {
        std::string reason;
        const auto wait = [&]() -> async::Task<void> {
            const auto result = co_await server_->up(patience);
            if (!result) reason = result.error().message;
        };
        run(wait());
        return reason;
    }

    // The status, or 0 when there was no answer.
    int call(std::string method, std::string path) {
        int status = 0;
        const auto ask = [&]() -> async::Task<void> {
            const auto client = http::Client::make(context_.get_executor(), origin_, {});
            http::ClientRequest request{.method = std::move(method), .target = std::move(path)};
            const auto answer = co_await (*client)->send(std::move(request));
            if (answer) status = answer->status;
        };
        run(ask());
        return status;
    }

    // The processes of the server that runs, gone from the file, so that the next one's are seen.
    std::vector<pid_t> take_pids() {
        const auto pids = read_pids(pid_file_);
        EXPECT_EQ(pids.size(), 2U);
        std::filesystem::remove(pid_file_);
        return pids;
    }

    bool are_gone(const std::vector<pid_t>& pids) {
        const auto wait = [&]() -> async::Task<void> {
            const auto end = Clock::now() + 15s;
            while (std::ranges::any_of(pids, is_alive) && Clock::now() < end) co_await async::sleep_for(5ms);
        };
        run(wait());
        return std::ranges::none_of(pids, is_alive);
    }

    boost::asio::io_context context_{1};
    std::string directory_;
    std::string pid_file_;
    std::string origin_;
    std::unique_ptr<ManagedServer> server_;
};

TEST_F(ManagedServerTest, IsStartedWhenItIsNeededAndStoppedInTheEnd) {
    use({.command = python_server(pid_file_)});
    run(async::sleep_for(100ms));
    EXPECT_FALSE(std::filesystem::exists(pid_file_)) << "nobody needed it";
    EXPECT_EQ(up(), "");
    EXPECT_EQ(call("GET", "/health"), 200);
    const auto pids = take_pids();
    EXPECT_EQ(up(), "");
    EXPECT_FALSE(std::filesystem::exists(pid_file_)) << "it runs already";
    run(server_->stop());
    EXPECT_TRUE(are_gone(pids)) << "it, and what went into a session of its own";
    EXPECT_NE(up(), "") << "it is not started again";
}

TEST_F(ManagedServerTest, OneThatKnowsNoHealthIsUpWhenItListsItsModels) {
    use({.command = python_server(pid_file_, "old")});
    EXPECT_EQ(up(), "");
    EXPECT_EQ(call("GET", "/v1/models"), 200);
}

TEST_F(ManagedServerTest, IsStoppedAfterATimeWithoutWorkAndStartedAgain) {
    use({.command = python_server(pid_file_), .idle_time = 200ms});
    std::vector<pid_t> pids;
    {
        const ManagedServer::Use use(*server_);
        EXPECT_EQ(up(), "");
        pids = take_pids();
        run(async::sleep_for(500ms));
        EXPECT_TRUE(is_alive(pids[0])) << "it is in use";
    }
    EXPECT_TRUE(are_gone(pids));
    {
        const ManagedServer::Use use(*server_);
        EXPECT_EQ(up(), "");
        EXPECT_EQ(call("GET", "/health"), 200);
        pids = take_pids();
    }
    EXPECT_TRUE(are_gone(pids));
}

TEST_F(ManagedServerTest, OneThatDiesInTheMiddleOfACallIsStartedAgain) {
    use({.command = python_server(pid_file_)});
    EXPECT_EQ(up(Patience::one_start), "");
    const auto pids = take_pids();
    const auto before = origin_;
    const ManagedServer::Use use(*server_);
    EXPECT_EQ(call("POST", "/v1/chat/completions"), 0);
    EXPECT_TRUE(are_gone(pids));
    const auto notice = [&]() -> async::Task<void> {
        while (server_->is_up()) co_await async::sleep_for(1ms);
    };
    run(notice());
    EXPECT_EQ(up(Patience::one_start), "") << "one death is no reason to give up";
    EXPECT_EQ(call("GET", "/health"), 200);
    EXPECT_NE(take_pids(), pids);
}

TEST_F(ManagedServerTest, OneThatNeverComesUpIsTriedAgainAndAgain) {
    use({.command = python_server(pid_file_, "unwell"), .start_time = 2'000ms});
    EXPECT_EQ(up(Patience::one_start), "The server of the model \"m\" did not answer /health within 2 s.");
    const auto pids = take_pids();
    EXPECT_TRUE(are_gone(pids));
    run(async::sleep_for(100ms));
    EXPECT_NE(up(Patience::one_start), "");
    EXPECT_NE(take_pids(), pids) << "by a new start, after a wait";
}

TEST_F(ManagedServerTest, ACommandThatIsNoneIsToldAtOnce) {
    use({.command = {"/no/such/program", "{port}"}, .wait_max = 1h});
    EXPECT_EQ(up(Patience::one_start),
              "The server of the model \"m\" does not come up: its command cannot be started.");
}

TEST_F(ManagedServerTest, WorkThatCanWaitDoesSoUntilItComesUp) {
    const auto script = directory_ + "/later";
    use({.command = {script, "{port}"}, .wait_max = 50ms});
    async::TaskGroup waiting(context_.get_executor());
    std::optional<bool> is_up;
    const auto wait = [&]() -> async::Task<void> {
        is_up = (co_await server_->up(Patience::endless)).has_value();
    };
    waiting.spawn(wait());
    run(async::sleep_for(300ms));
    EXPECT_FALSE(is_up);
    {
        std::ofstream file(script);
        file << "#!/bin/sh\nexec python3 -m http.server --bind 127.0.0.1 --directory " << directory_
             << " $1\n";
    }
    std::ofstream(directory_ + "/health") << "ok";
    std::filesystem::permissions(script, std::filesystem::perms::owner_all);
    run(waiting.wait_until_empty());
    EXPECT_EQ(is_up, true);
}

TEST_F(ManagedServerTest, OneThatHeedsNoSignalIsKilled) {
    use({.command = python_server(pid_file_, "stubborn"), .stop_grace = 100ms});
    EXPECT_EQ(up(), "");
    const auto pids = take_pids();
    run(server_->stop());
    EXPECT_TRUE(are_gone(pids));
}

TEST_F(ManagedServerTest, ItDiesWithItsOwnerHoweverThatEnds) {
    const std::string self = std::filesystem::read_symlink("/proc/self/exe");
    std::vector<std::string> command{self, "managed-owner", pid_file_, "0"};
    std::vector<char*> arguments;
    for (auto& word : command) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    pid_t owner = -1;
    ASSERT_EQ(::posix_spawn(&owner, self.c_str(), nullptr, nullptr, arguments.data(), environ), 0);
    const auto end = Clock::now() + 20s;
    while (read_pids(pid_file_).empty() && Clock::now() < end) std::this_thread::sleep_for(5ms);
    const auto pids = take_pids();
    EXPECT_TRUE(std::ranges::all_of(pids, is_alive));
    ::kill(owner, SIGKILL);
    ::waitpid(owner, nullptr, 0);
    EXPECT_TRUE(are_gone(pids));
}

// What a command writes, and its exit status.
std::pair<Lines, int> run_child(std::vector<std::string> command, std::vector<std::string> environment = {}) {
    boost::asio::io_context context(1);
    Lines lines;
    std::pair<Lines, int> result;
    environment.emplace_back("PATH=/usr/bin:/bin");
    auto child = Child::start(context.get_executor(),
                              {.keeper = {"/proc/self/exe", "model-keeper"},
                               .command = std::move(command),
                               .environment = std::move(environment),
                               .on_line = [&](std::string_view line) { result.first.emplace_back(line); }});
    EXPECT_TRUE(child);
    boost::asio::co_spawn(context, (*child)->run(),
                          [&](std::exception_ptr, int status) { result.second = status; });
    context.run_for(20s);
    return result;
}

TEST(ManagedChild, ItsLinesAreHandedOverOneByOne) {
    const auto [lines, status] =
        run_child({"sh", "-c", "echo one; echo two >&2; printf '\\nthree\\r\\nfour'; exit 7"});
    EXPECT_EQ(lines, (Lines{"one", "two", "three", "four"}));
    EXPECT_EQ(status, 7);
    const auto [long_lines, _] =
        run_child({"sh", "-c", "head -c 100000 /dev/zero | tr '\\0' x; echo; echo end"});
    EXPECT_EQ(long_lines, (Lines{std::string(4096, 'x'), "end"}));
}

TEST(ManagedChild, HowItEndedIsTold) {
    EXPECT_EQ(run_child({"sh", "-c", "kill -9 $$"}).second, 128 + 9);
    const auto [lines, status] = run_child({"/no/such/program"});
    EXPECT_EQ(status, 127);
    EXPECT_EQ(lines, (Lines{"/no/such/program cannot be started: No such file or directory"}));
}

TEST(ManagedChild, ItHasNothingOfOursButItsEnvironment) {
    const auto [lines, _] = run_child({"sh", "-c", "echo $A$SHEAF_B; ls /proc/self/fd; cat"}, {"A=1"});
    EXPECT_EQ(lines, (Lines{"1", "0", "1", "2", "3"})) << "3 is the directory that ls reads";
}

}  // namespace
}  // namespace sheaf::backend::managed

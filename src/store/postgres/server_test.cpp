#include <array>
#include <csignal>
#include <filesystem>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "store/postgres/test_server.h"

namespace sheaf::store::postgres {
namespace {

// Where Debian puts them, the newest version first; else nothing.
std::filesystem::path programs() {
    std::filesystem::path newest;
    std::error_code error;
    for (const auto& version : std::filesystem::directory_iterator("/usr/lib/postgresql", error)) {
        if (!std::filesystem::exists(version.path() / "bin/postgres")) continue;
        if (newest.empty() ||
            std::stoi(version.path().filename()) > std::stoi(newest.parent_path().filename()))
            newest = version.path() / "bin";
    }
    return newest;
}

// PostgreSQL refuses to run as root. Nullptr when we are not.
const passwd* somebody() {
    if (::geteuid() != 0) return nullptr;
    const passwd* const user = ::getpwnam("postgres");
    return user != nullptr ? user : ::getpwnam("nobody");
}

// The process goes with this one, however it ends.
int spawn(const std::filesystem::path& directory, std::vector<std::string> command) {
    const passwd* const user = somebody();
    std::vector<char*> arguments;
    for (std::string& word : command) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    const std::string log = (directory / "log").string();
    const int process = ::fork();
    CHECK(process >= 0, "a test needs a process");
    if (process > 0) return process;
    const int output = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    ::dup2(output, STDOUT_FILENO);
    ::dup2(output, STDERR_FILENO);
    if (user != nullptr &&
        (::setgroups(0, nullptr) != 0 || ::setgid(user->pw_gid) != 0 || ::setuid(user->pw_uid) != 0))
        ::_exit(126);
    ::prctl(PR_SET_PDEATHSIG, SIGQUIT);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
}

void wait_for(int process) {
    int status = 0;
    while (::waitpid(process, &status, 0) < 0 && errno == EINTR) {
    }
}

}  // namespace

bool TestServer::is_installed() {
    return !programs().empty();
}

TestServer& TestServer::instance() {
    static TestServer server;
    return server;
}

TestServer::TestServer() {
    if (const passwd* const user = somebody())
        CHECK(::chown(directory_.path().c_str(), user->pw_uid, user->pw_gid) == 0,
              "the directory changes hands");
    wait_for(spawn(directory_.path(),
                   {(programs() / "initdb").string(), "-D", (directory_.path() / "data").string(), "-U",
                    "sheaf", "-A", "trust", "-E", "UTF8", "--no-locale"}));
    start();
}

TestServer::~TestServer() {
    stop();
}

void TestServer::start() {
    process_ =
        spawn(directory_.path(), {(programs() / "postgres").string(), "-D",
                                  (directory_.path() / "data").string(), "-k", directory_.path().string(),
                                  "-c", "listen_addresses=", "-c", "fsync=on", "-c", "max_connections=200"});
    for (int tries = 0; PQping(url().c_str()) != PQPING_OK; ++tries) {
        CHECK(tries < 600, "PostgreSQL did not start; its log lies in the temporary directory");
        std::this_thread::sleep_for(std::chrono::milliseconds{50});
    }
}

void TestServer::stop() {
    ::kill(process_, SIGQUIT);
    wait_for(process_);
}

std::string TestServer::url() const {
    return fmt::format("postgresql://sheaf@/postgres?host={}", directory_.path().string());
}

void TestServer::execute(const std::string& sql) {
    auto connection = Connection::open(Secret(url()));
    CHECK(connection, connection.error().message);
    const auto done = (*connection)->execute(sql.c_str());
    CHECK(done, done.error().message);
}

Secret TestServer::fresh_schema() {
    const std::string name = fmt::format("test_{}", ++schemas_);
    execute("CREATE SCHEMA " + name);
    return Secret(fmt::format("{}&options=-csearch_path%3D{}", url(), name));
}

void TestServer::terminate_connections() {
    execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND "
        "backend_type = 'client backend'");
}

TEST(PostgresServer, IsInstalledOrItsStoreIsNotTested) {
    if (!TestServer::is_installed()) {
        GTEST_SKIP()
            << "there is no /usr/lib/postgresql/*/bin/postgres: the PostgreSQL store was NOT tested; install "
               "the package postgresql";
    }
    TestServer::instance().execute("SELECT 1");
}

}  // namespace sheaf::store::postgres

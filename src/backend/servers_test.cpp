#include "backend/servers.h"

#include <atomic>

#include <gtest/gtest.h>

#include "http/running_server.h"

namespace sheaf::backend {
namespace {

using namespace std::chrono_literals;

http::Response text(int status, std::string body) {
    http::Response response;
    response.status = status;
    response.body = std::move(body);
    return response;
}

async::Task<http::Response> now(http::Response response) {
    co_return response;
}

async::Task<http::Response> later(http::Request&, std::chrono::milliseconds delay) {
    co_await async::sleep_for(delay);
    co_return text(200, "{}");
}

// A server whose answers the test sets.
class Answering {
public:
    explicit Answering(bool lists_models = true) : server_(router(lists_models)) {}

    std::string url() const { return server_.origin() + "/v1"; }

    std::atomic<int> status = 200;
    std::atomic<int> calls = 0;
    std::atomic<int> probes = 0;
    std::atomic<int> looks = 0;          // at its gauges
    std::atomic<int> waiting = -1;       // calls that it says wait in it; -1: it shows no gauges
    std::chrono::milliseconds delay{0};  // of an answer

private:
    http::Router router(bool lists_models) {
        http::Router made;
        made.add("POST", "/v1/chat/completions", [this](http::Request& request) {
            ++calls;
            if (delay.count() > 0) return later(request, delay);
            auto response =
                text(status, std::string(request.headers.find("authorization").value_or("no key")));
            if (status == 429) response.headers.add("Retry-After", "30");
            return now(std::move(response));
        });
        made.add("POST", "/tokenize", [](http::Request&) { return now(text(200, "at the origin")); });
        made.add("GET", "/metrics", [this](http::Request&) {
            ++looks;
            return now(waiting < 0 ? text(404, "")
                                   : text(200, fmt::format("vllm:num_requests_running 20\n"
                                                           "vllm:num_requests_waiting {}\n",
                                                           waiting.load())));
        });
        const auto probed = [this](http::Request&) {
            ++probes;
            return now(text(status, "{}"));
        };
        made.add("GET", lists_models ? "/v1/models" : "/health", probed);
        const auto lost = [](http::Request&) { return now(text(404, "lost")); };
        made.add_fallbacks("/", {lost, lost});
        return made;
    }

    http::RunningServer server_;
};

class ServersTest : public testing::Test {
protected:
    ~ServersTest() override {
        if (servers_ != nullptr) run(servers_->stop());
    }

    void use(std::vector<std::string> urls, EjectionRules rules = {.broken_max = 2, .first_time = 1h}) {
        use(ServersOptions{.urls = std::move(urls), .ejection = rules});
    }
    void use(ServersOptions options) {
        options.key = Secret("sk-1");
        options.answer_time = 20s;
        auto made = Servers::make(context_.get_executor(), std::move(options));
        ASSERT_TRUE(made) << made.error().message;
        servers_ = *std::move(made);
    }

    void run(async::Task<void> task) {
        boost::asio::co_spawn(context_, std::move(task), [this](std::exception_ptr) { context_.stop(); });
        context_.restart();
        context_.run_for(30s);
    }

    // The status, or 0 when there was none.
    int call() {
        int status = 0;
        const auto ask = [this, &status]() -> async::Task<void> {
            const auto response =
                co_await servers_->send({.path = "/chat/completions", .headers = {}, .body = "{}"});
            if (response) status = response->status;
        };
        run(ask());
        return status;
    }

    // Calls until `server` has got one.
    bool is_asked_again(const Answering& server) {
        const int before = server.calls;
        const auto end = std::chrono::steady_clock::now() + 20s;
        while (server.calls == before && std::chrono::steady_clock::now() < end) call();
        return server.calls > before;
    }

    boost::asio::io_context context_{1};
    std::unique_ptr<Servers> servers_;
};

TEST_F(ServersTest, ACallGoesBelowTheUrlOrItsOriginWithTheKey) {
    const Answering server;
    use({server.url() + "/"});
    std::string key;
    std::string origin;
    const auto ask = [&]() -> async::Task<void> {
        const auto answer =
            co_await servers_->send({.path = "/chat/completions", .headers = {}, .body = "{}"});
        if (answer) key = answer->body;
        const auto other = co_await servers_->send(
            {.path = "/tokenize", .below = ServerCall::Below::origin, .headers = {}, .body = "{}"});
        if (other) origin = other->body;
    };
    run(ask());
    EXPECT_EQ(key, "Bearer sk-1");
    EXPECT_EQ(origin, "at the origin");
}

TEST_F(ServersTest, CallsAreSpreadOverTheServers) {
    const Answering first;
    const Answering second;
    use({first.url(), second.url()});
    for (int i = 0; i < 6; ++i) EXPECT_EQ(call(), 200);
    EXPECT_EQ(first.calls, 3);
    EXPECT_EQ(second.calls, 3);
}

TEST_F(ServersTest, AServerThatKeepsBreakingIsLeftOutAndReturnsOnceItAnswers) {
    Answering bad;
    const Answering good;
    bad.status = 500;
    use({bad.url(), good.url()}, {.broken_max = 2, .first_time = 5ms, .time_max = 5ms});
    for (int i = 0; i < 12; ++i) call();
    EXPECT_LE(bad.calls, 2) << "probes failed too, so it stayed out";
    EXPECT_GE(good.calls, 10);
    bad.status = 200;
    EXPECT_TRUE(is_asked_again(bad));
    EXPECT_GE(bad.probes, 1);
}

TEST_F(ServersTest, AServerThatNobodyReachesIsLeftOut) {
    const Answering good;
    use({"http://127.0.0.1:1/v1", good.url()});
    int broken = 0;
    for (int i = 0; i < 10; ++i) broken += call() == 0 ? 1 : 0;
    EXPECT_LE(broken, 2);
    EXPECT_GE(good.calls, 8);
}

TEST_F(ServersTest, RefusalsOfARequestDoNotCountAgainstAServer) {
    Answering strict;
    const Answering other;
    strict.status = 400;
    use({strict.url(), other.url()});
    for (int i = 0; i < 8; ++i) call();
    EXPECT_EQ(strict.calls, 4);
}

TEST_F(ServersTest, AServerThatAsksForLessRestsWhileAnotherServes) {
    Answering busy;
    const Answering other;
    busy.status = 429;
    use({busy.url(), other.url()});
    for (int i = 0; i < 8; ++i) call();
    EXPECT_EQ(busy.calls, 1);
    EXPECT_EQ(other.calls, 7);
}

TEST_F(ServersTest, AnItemWaitsForNoServerWhileAnotherTakesWork) {
    Answering busy;
    Answering other;
    busy.status = other.status = 429;
    use({busy.url(), other.url()});
    const auto wait = [&] {
        call();
        http::ClientResponse response{.status = 429};
        response.headers.add("Retry-After", "30");
        return *std::get<core::Overloaded>(servers_->outcome_of(response)).retry_after;
    };
    EXPECT_EQ(wait(), 0s) << "the other was not asked yet";
    EXPECT_GT(wait(), 20s) << "both want rest";
}

TEST_F(ServersTest, SomebodyIsAskedWhenAllAreEjected) {
    Answering first;
    Answering second;
    first.status = second.status = 500;
    use({first.url(), second.url()});
    for (int i = 0; i < 10; ++i) EXPECT_EQ(call(), 500);
    EXPECT_EQ(first.calls + second.calls, 10);
    first.status = 200;
    EXPECT_TRUE(is_asked_again(first));
    EXPECT_EQ(call(), 200) << "its answer brought it back";
}

TEST_F(ServersTest, AServerWithoutAListOfModelsIsProbedByItsHealth) {
    Answering bad(false);
    const Answering good;
    bad.status = 502;
    use({bad.url(), good.url()}, {.broken_max = 1, .first_time = 5ms, .time_max = 5ms});
    for (int i = 0; i < 4; ++i) call();
    bad.status = 200;
    EXPECT_TRUE(is_asked_again(bad));
    EXPECT_GE(bad.probes, 1);
}

TEST_F(ServersTest, AnIdleServerIsProbedNowAndThen) {
    const Answering first;
    const Answering second;
    use({first.url(), second.url()}, {.probe_every = 5ms});
    call();
    const auto wait = [&]() -> async::Task<void> {
        while (first.probes < 3 || second.probes < 3) co_await async::sleep_for(1ms);
    };
    run(wait());
    EXPECT_GE(first.probes, 3);
    EXPECT_GE(second.probes, 3);
}

TEST_F(ServersTest, OneServerIsProbedWhileItIsOutAlone) {
    Answering only;
    use({only.url()}, {.broken_max = 2, .probe_every = 0ms, .all_out_every = 5ms});
    for (int i = 0; i < 4; ++i) call();
    EXPECT_EQ(only.calls, 4);
    EXPECT_EQ(only.probes, 0);
    only.status = 500;
    for (int i = 0; i < 2; ++i) call();
    const auto wait = [&](int probes) -> async::Task<void> {
        while (only.probes < probes) co_await async::sleep_for(1ms);
    };
    run(wait(3));
    only.status = 200;
    run(servers_->ready_for(Backend::Try::first));
    const int probes = only.probes;
    run(async::sleep_for(50ms));
    EXPECT_EQ(only.probes, probes) << "it is back";
}

TEST_F(ServersTest, WorkThatCanWaitDoesSoWhileNoServerAnswers) {
    Answering first;
    Answering second;
    first.status = second.status = 500;
    use({first.url(), second.url()}, {.broken_max = 1, .first_time = 1h, .all_out_every = 20ms});
    bool is_ready = false;
    const auto wait = [&]() -> async::Task<void> {
        co_await servers_->ready_for(Backend::Try::first);
        is_ready = true;
    };
    run(wait());
    EXPECT_TRUE(is_ready) << "nothing is known against them";
    call();
    is_ready = false;
    run(wait());
    EXPECT_TRUE(is_ready) << "one is left";
    call();
    is_ready = false;
    async::TaskGroup waiting(context_.get_executor());
    waiting.spawn(wait());
    run(async::sleep_for(100ms));
    EXPECT_FALSE(is_ready);
    EXPECT_EQ(first.calls + second.calls, 2);
    EXPECT_GE(first.probes + second.probes, 2);
    second.status = 200;
    run(waiting.wait_until_empty());
    EXPECT_TRUE(is_ready);
}

TEST_F(ServersTest, RepeatsWaitWhenTheyAreTooMany) {
    const Answering only;
    use({only.url()});
    int begun = 0;
    const auto repeat = [&]() -> async::Task<void> {
        while (true) {
            co_await servers_->ready_for(Backend::Try::after_break);
            ++begun;
        }
    };
    async::TaskGroup repeats(context_.get_executor());
    repeats.spawn(repeat());
    run(async::sleep_for(100ms));
    EXPECT_EQ(begun, 50);
    const auto others = [&]() -> async::Task<void> {
        for (int n = 0; n < 20; ++n) co_await servers_->ready_for(Backend::Try::first);
        co_await async::sleep_for(1'100ms);
    };
    run(others());
    EXPECT_GE(begun, 54) << "a fifth of the others";
    EXPECT_LE(begun, 57);
    repeats.stop();
    run(repeats.wait_until_empty());
}

TEST_F(ServersTest, AFewItemsThatBreakItDoNotKeepTheOnlyServerOut) {
    Answering only;
    use({only.url()}, {.broken_max = 1, .first_time = 1h, .all_out_every = 20ms});
    only.status = 500;
    call();
    only.status = 200;
    const auto began = std::chrono::steady_clock::now();
    run(servers_->ready_for(Backend::Try::first));
    EXPECT_LT(std::chrono::steady_clock::now() - began, 10s) << "it is probed soon";
    EXPECT_GE(only.probes, 1);
}

TEST_F(ServersTest, TheOnlyServerMayMove) {
    const Answering old;
    const Answering other;
    use({old.url()}, {.broken_max = 1, .first_time = 1h});
    call();
    servers_->move(other.url());
    call();
    EXPECT_EQ(old.calls, 1);
    EXPECT_EQ(other.calls, 1);
}

TEST_F(ServersTest, WithoutRulesThereIsNoWindow) {
    const Answering only;
    use({only.url()});
    EXPECT_EQ(servers_->window(), std::nullopt);
}

TEST_F(ServersTest, TheWindowIsThatOfTheServersThatAnswer) {
    Answering bad;
    const Answering good;
    use({.urls = {bad.url(), good.url()},
         .ejection = {.broken_max = 1, .first_time = 1h},
         .admission = AdmissionRules{.first = 5}});
    EXPECT_EQ(servers_->window(), 10U);
    bad.status = 500;
    while (bad.calls == 0) call();
    EXPECT_EQ(servers_->window(), 5U);
}

TEST_F(ServersTest, RefusalsNarrowTheWindowAndAnswersWidenIt) {
    Answering only;
    use({.urls = {only.url()}, .admission = AdmissionRules{.first = 1}});
    int told = 0;
    servers_->on_wider_window([&] { ++told; });
    for (int n = 0; n < 8; ++n) call();
    const auto grown = *servers_->window();
    EXPECT_GT(grown, 1U);
    EXPECT_GT(told, 0);
    only.status = 429;
    call();
    EXPECT_LT(*servers_->window(), grown);
}

TEST_F(ServersTest, GaugesAreReadWhileCallsAreUnderWay) {
    Answering only;
    only.waiting = 0;
    only.delay = 200ms;
    use({.urls = {only.url()}, .admission = AdmissionRules{.first = 1}, .gauges_every = 10ms});
    EXPECT_EQ(call(), 200);
    EXPECT_GE(only.looks, 5);
    EXPECT_GT(*servers_->window(), 1U) << "nothing waits in it";
    run(async::sleep_for(50ms));
    const int looks = only.looks;
    run(async::sleep_for(100ms));
    EXPECT_EQ(only.looks, looks) << "nothing is under way";
    only.waiting = 1'000;
    EXPECT_EQ(call(), 200);
    EXPECT_EQ(servers_->window(), 1U);
}

TEST_F(ServersTest, AServerWithoutGaugesIsNotAskedAgainSoon) {
    Answering only;
    only.delay = 50ms;
    use({.urls = {only.url()}, .admission = AdmissionRules{}, .gauges_every = 1ms});
    for (int n = 0; n < 3; ++n) call();
    EXPECT_EQ(only.looks, 1);
}

TEST_F(ServersTest, WhatIsNoUrlIsRefused) {
    const auto executor = context_.get_executor();
    EXPECT_FALSE(Servers::make(executor, {.urls = {}}));
    for (const auto* url : {"", "localhost:8000", "http://h/v1?x=1", "http://user@h/v1", "ftp://h/v1"})
        EXPECT_FALSE(Servers::make(executor, {.urls = {url}})) << url;
    const auto secret = Servers::make(executor, {.urls = {"http://h/v1?key=sk-1"}});
    EXPECT_EQ(secret.error().message.find("sk-1"), std::string::npos) << secret.error().message;
}

}  // namespace
}  // namespace sheaf::backend

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

// A server whose answers the test sets.
class Answering {
public:
    explicit Answering(bool lists_models = true) : server_(router(lists_models)) {}

    std::string url() const { return server_.origin() + "/v1"; }

    std::atomic<int> status = 200;
    std::atomic<int> calls = 0;
    std::atomic<int> probes = 0;

private:
    http::Router router(bool lists_models) {
        http::Router made;
        made.add("POST", "/v1/chat/completions", [this](http::Request& request) {
            ++calls;
            auto response =
                text(status, std::string(request.headers.find("authorization").value_or("no key")));
            if (status == 429) response.headers.add("Retry-After", "30");
            return now(std::move(response));
        });
        made.add("POST", "/tokenize", [](http::Request&) { return now(text(200, "at the origin")); });
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
        auto made = Servers::make(
            context_.get_executor(),
            {.urls = std::move(urls), .key = Secret("sk-1"), .answer_time = 20s, .ejection = rules});
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

TEST_F(ServersTest, OneServerIsNeverProbed) {
    const Answering only;
    use({only.url()}, {.broken_max = 1, .first_time = 0ms, .time_max = 0ms, .probe_every = 0ms});
    for (int i = 0; i < 4; ++i) call();
    EXPECT_EQ(only.calls, 4);
    EXPECT_EQ(only.probes, 0);
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

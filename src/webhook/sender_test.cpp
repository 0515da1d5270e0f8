#include "webhook/sender.h"

#include <algorithm>
#include <set>

#include "base/hash.h"
#include "fetch/path_server.h"
#include "webhook/testing_world.h"

namespace sheaf::webhook {
namespace {

constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
constexpr std::string_view kBroken = "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n";

std::string body_of(const std::string& request) {
    return request.substr(request.find("\r\n\r\n") + 4);
}

std::string header_of(const std::string& request, const std::string& name) {
    const auto at = request.find("\r\n" + name + ": ");
    if (at == std::string::npos) return "none";
    const auto from = at + name.size() + 4;
    return request.substr(from, request.find("\r\n", from) - from);
}

class SenderTest : public WebhookWorld {
protected:
    SenderTest() {
        policy.webhook_retries = {{5s, 30s}};
        policy.own_target_retries = {{5s, 5s, 5s}};
        policy.webhook_time = policy.own_target_time = 1h;
        build();
        boost::asio::co_spawn(io, sender->run(), [this](const std::exception_ptr&) { ran = true; });
    }
    ~SenderTest() override { stop(); }

    void build(std::vector<std::string> allowed_networks = {"127.0.0.0/8"}) {
        poster = fetch::make_curl_poster({.allowed_networks = std::move(allowed_networks)}).value();
        sender.emplace(Sender::Parts{.executor = io.get_executor(),
                                     .outbox = {store->outbox(), store_lane},
                                     .store_lane = &store_lane,
                                     .expander = &expander,
                                     .post_lane = &post_lane,
                                     .poster = poster.get(),
                                     .clock = &clock,
                                     .policy = policy});
    }
    void stop() {
        if (!sender) return;
        run(sender->stop());
        turn_until([&] { return ran; });
        sender.reset();
    }
    // As another process would, on the same store.
    void restart(std::vector<std::string> allowed_networks = {"127.0.0.0/8"}) {
        stop();
        ran = false;
        build(std::move(allowed_networks));
        boost::asio::co_spawn(io, sender->run(), [this](const std::exception_ptr&) { ran = true; });
    }
    void turn_until_told(fetch::PathServer& at, std::size_t count) {
        turn_until([&] { return at.requests().size() >= count; });
    }
    // Until every delivery has had so many attempts, or has ended.
    void turn_until_tried(std::uint32_t attempts) {
        turn_until([&] {
            const auto all = deliveries();
            return !all.empty() && std::ranges::all_of(all, [&](const store::Delivery& each) {
                return each.ended_at || each.attempts >= attempts;
            });
        });
    }
    void end_a_batch(AccountId account = kTeam) {
        work(batch("plain", {"a"}, std::move(account)));
        sender->wake();
    }

    SenderPolicy policy;
    fetch::PathServer server;
    async::Lane post_lane{8};
    std::unique_ptr<fetch::Poster> poster;
    std::optional<Sender> sender;
    bool ran = false;
};

TEST_F(SenderTest, WhatEndsIsToldSignedAndOnce) {
    server.on("/in", std::string(kOk));
    webhook(server.url("/in"));
    work(batch("plain", {"a", "b"}));
    sender->wake();
    turn_until_told(server, 3);
    turn_until_tried(1);
    std::set<std::string> bodies;
    for (const std::string& request : server.requests()) {
        bodies.insert(body_of(request));
        const std::string at = std::to_string(clock.now().time_since_epoch() / 1s);
        EXPECT_EQ(header_of(request, "TL-Signature"),
                  "t=" + at + ",v1=" + to_hex(hmac_sha256("secret", at + "." + body_of(request))));
        EXPECT_EQ(header_of(request, "Content-Type"), "application/json");
    }
    EXPECT_EQ(bodies, (std::set<std::string>{"item 0", "item 1", "batch completed"}));
    for (const store::Delivery& each : deliveries()) {
        EXPECT_TRUE(each.delivered);
        EXPECT_EQ(each.attempts, 1U);
    }
    EXPECT_EQ(server.requests().size(), 3U);
}

TEST_F(SenderTest, AFailedAttemptIsMadeAgainLaterUnderTheSameIdSignedAnew) {
    server.on("/in", std::string(kBroken));
    const store::Webhook to = webhook(server.url("/in"), {"batch.ended"});
    end_a_batch();
    turn_until_tried(1);
    const store::Delivery first = delivery();
    EXPECT_FALSE(first.ended_at);
    EXPECT_EQ(first.last_error, "The server answered with status 500.");
    EXPECT_GE(first.next_at, clock.now() + 4s);
    EXPECT_LE(first.next_at, clock.now() + 6s);

    server.on("/in", std::string(kOk));
    ASSERT_TRUE(store->outbox().set_secret(to.id, Secret("rotated")));
    clock.advance(6s);
    turn_until([&] { return delivery().delivered; });
    EXPECT_EQ(delivery().attempts, 2U);
    EXPECT_EQ(delivery().event, first.event);
    const auto requests = server.requests();
    ASSERT_EQ(requests.size(), 2U);
    EXPECT_EQ(body_of(requests[0]), body_of(requests[1]));
    const std::string at = std::to_string(clock.now().time_since_epoch() / 1s);
    EXPECT_EQ(header_of(requests[1], "TL-Signature"),
              "t=" + at + ",v1=" + to_hex(hmac_sha256("rotated", at + "." + body_of(requests[1]))));
}

TEST_F(SenderTest, AfterTheLastAttemptItIsGivenUp) {
    server.on("/in", std::string(kBroken));
    webhook(server.url("/in"), {"batch.ended"});
    end_a_batch();
    for (std::uint32_t attempt = 1; attempt <= 3; ++attempt) {
        turn_until_tried(attempt);
        clock.advance(1min);
    }
    const store::Delivery last = delivery();
    EXPECT_TRUE(last.ended_at);
    EXPECT_FALSE(last.delivered);
    EXPECT_EQ(last.attempts, 3U);
    EXPECT_EQ(last.last_error, "The server answered with status 500.");
}

TEST_F(SenderTest, WhatFailsWhenItIsADayOldIsGivenUp) {
    server.on("/in", std::string(kBroken));
    webhook(server.url("/in"), {"batch.ended"});
    end_a_batch();
    turn_until_tried(1);
    clock.advance(25h);
    turn_until([&] { return delivery().ended_at.has_value(); });
    EXPECT_EQ(delivery().attempts, 2U);
}

TEST_F(SenderTest, ARedirectIsAFailure) {
    server.on("/in", fetch::redirect("/elsewhere"));
    server.on("/elsewhere", std::string(kOk));
    webhook(server.url("/in"), {"batch.ended"});
    end_a_batch();
    turn_until_tried(1);
    EXPECT_EQ(delivery().last_error, "The server answered with status 302; redirects are not followed.");
    EXPECT_EQ(server.requests().size(), 1U);
}

TEST_F(SenderTest, ATargetThatIsNotPublicIsNotConnectedTo) {
    restart({});
    server.on("/in", std::string(kOk));
    webhook(server.url("/in"), {"batch.ended"});
    end_a_batch();
    turn_until_tried(1);
    EXPECT_EQ(delivery().last_error, "The URL leads to an address that is not allowed.");
    EXPECT_FALSE(delivery().delivered);
    EXPECT_EQ(server.accepted, 0);
}

TEST_F(SenderTest, ADeadTargetDoesNotDelayALiveOne) {
    server.on("/in", [this](const fetch::Peer&) {
        while (!server.stopping) std::this_thread::sleep_for(5ms);
    });
    webhook(server.url("/in"));
    for (int n = 0; n < 10; ++n) end_a_batch();
    turn_until([&] { return server.accepted > 0; });

    fetch::PathServer live;
    live.on("/in", std::string(kOk));
    const store::Webhook to = webhook(live.url("/in"), {"batch.ended"});
    end_a_batch();
    turn_until_told(live, 1);
    turn_until([&] {
        const auto sent = store->outbox().list({.webhook = to.id}).value();
        return sent.size() == 1 && sent[0].delivered;
    });
}

TEST_F(SenderTest, OneAccountsTargetsLeaveRoomForOthers) {
    policy.attempts_at_once = 3;
    policy.attempts_at_once_per_account = 2;
    restart();
    std::vector<std::unique_ptr<fetch::PathServer>> dead;
    std::vector<std::string> urls;
    for (int n = 0; n < 4; ++n) {
        auto& each = *dead.emplace_back(std::make_unique<fetch::PathServer>());
        each.on("/", [&each](const fetch::Peer&) {
            while (!each.stopping) std::this_thread::sleep_for(5ms);
        });
        urls.push_back(each.url("/"));
    }
    work(batch("own", urls));
    sender->wake();
    const auto reached = [&] {
        return std::ranges::count_if(dead, [](const auto& each) { return each->accepted > 0; });
    };
    turn_until([&] { return reached() == 2; });

    server.on("/in", std::string(kOk));
    webhook(server.url("/in"), {"batch.ended"}, kOthers);
    end_a_batch(kOthers);
    turn_until_told(server, 1);
    EXPECT_EQ(reached(), 2);
}

TEST_F(SenderTest, WhatWaitsOutlivesARestart) {
    server.on("/in", std::string(kBroken));
    webhook(server.url("/in"), {"batch.ended"});
    end_a_batch();
    turn_until_tried(1);
    restart();
    EXPECT_EQ(delivery().attempts, 1U);
    server.on("/in", std::string(kOk));
    clock.advance(1min);
    turn_until([&] { return delivery().delivered; });
    EXPECT_EQ(delivery().attempts, 2U);
}

TEST_F(SenderTest, AStopCutsAnAttemptThatDoesNotEndAndTheNextStartMakesItAgain) {
    std::atomic<bool> answers = false;
    server.on("/in", [&](const fetch::Peer& peer) {
        if (answers) peer.send(kOk);
        while (!answers && !server.stopping) std::this_thread::sleep_for(5ms);
    });
    webhook(server.url("/in"), {"batch.ended"});
    end_a_batch();
    turn_until_told(server, 1);
    stop();
    const store::Delivery cut = delivery();
    EXPECT_EQ(cut.attempts, 0U);
    EXPECT_FALSE(cut.ended_at);
    answers = true;
    restart();
    turn_until([&] { return delivery().delivered; });
    EXPECT_EQ(delivery().event, cut.event);
    EXPECT_EQ(delivery().attempts, 1U);
}

TEST_F(SenderTest, AnItemsOwnTargetGetsItsToken) {
    server.on("/in", std::string(kOk));
    work(batch("own", {server.url("/in")}));
    sender->wake();
    turn_until_told(server, 1);
    EXPECT_EQ(header_of(server.last_request(), "Authorization"), "Bearer token");
    EXPECT_EQ(body_of(server.last_request()), "0 succeeded");
}

TEST_F(SenderTest, WhatEndedLongAgoIsForgotten) {
    server.on("/in", std::string(kOk));
    webhook(server.url("/in"), {"batch.ended"});
    end_a_batch();
    turn_until_tried(1);
    clock.advance(24h * 31);
    turn_until([&] { return deliveries().empty(); });
}

}  // namespace
}  // namespace sheaf::webhook

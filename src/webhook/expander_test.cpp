#include <set>

#include "webhook/testing_world.h"

namespace sheaf::webhook {
namespace {

class ExpanderTest : public WebhookWorld {
protected:
    // How many rounds it took.
    int expand() {
        for (int rounds = 0;; ++rounds) {
            const auto more = expander.expand_some(clock.now());
            EXPECT_TRUE(more);
            if (!more || !*more) return rounds;
        }
    }
    // "payload > url", oldest first.
    std::vector<std::string> told() {
        std::vector<std::string> all;
        for (const store::Delivery& each : deliveries()) {
            const auto whole = store->outbox().find(each.number).value();
            all.insert(all.begin(), whole.payload + " > " + whole.url);
        }
        return all;
    }
};

TEST_F(ExpanderTest, EveryWebhookIsToldWhatItAskedFor) {
    webhook("http://all.example/");
    clock.advance(1s);
    webhook("http://batches.example/", {"batch.ended"});
    webhook("http://others.example/", {}, kOthers);
    work(batch("plain", {"a", "b"}));
    expand();
    EXPECT_EQ(told(),
              (std::vector<std::string>{"item 0 > http://all.example/", "item 1 > http://all.example/",
                                        "batch completed > http://all.example/",
                                        "batch completed > http://batches.example/"}));
    EXPECT_TRUE(store->outbox().facts(10)->empty());
}

TEST_F(ExpanderTest, ADeliverySaysWhatItIsAboutAndHowOftenItIsTried) {
    const store::Webhook to = webhook("http://all.example/", {"item.ended"});
    const BatchId id = batch("plain", {"a"});
    work(id);
    clock.advance(3s);
    expand();
    const store::Delivery made = delivery();
    EXPECT_EQ(made.webhook, to.id);
    EXPECT_EQ(made.target, to_string(to.id));
    EXPECT_EQ(made.batch, id);
    EXPECT_EQ(made.ordinal, 0U);
    EXPECT_EQ(made.account, kTeam);
    EXPECT_EQ(made.attempts_max, 3U);
    EXPECT_EQ(made.next_at, clock.now()) << "at once";
}

TEST_F(ExpanderTest, AllWebhooksSeeOneEventUnderOneId) {
    webhook("http://a.example/", {"batch.ended"});
    webhook("http://b.example/", {"batch.ended"});
    work(batch("plain", {"a"}));
    work(batch("plain", {"a"}));
    expand();
    std::multiset<std::string> ids;
    for (const store::Delivery& each : deliveries()) ids.insert(each.event);
    ASSERT_EQ(ids.size(), 4U);
    EXPECT_EQ(ids.count(*ids.begin()), 2U);
    EXPECT_EQ(ids.count(*ids.rbegin()), 2U);
    EXPECT_NE(*ids.begin(), *ids.rbegin());
}

// A power cut may undo what was expanded and sent already (store/outbox.h): here the store of a second life.
TEST_F(ExpanderTest, WhatIsToldOnceMoreHasTheSameIds) {
    std::set<std::string> first, second;
    const auto tell = [&](std::set<std::string>& events, const BatchId& id) {
        webhook("https://a.example/");
        const BatchId made = batch("plain", {"x", "y"}, kTeam, id);
        work(made);
        expand();
        for (const auto& delivery : deliveries()) events.insert(delivery.event);
        return made;
    };
    const BatchId id = tell(first, {});
    start_anew();
    EXPECT_EQ(tell(second, id), id);
    EXPECT_EQ(first.size(), 3U);
    EXPECT_EQ(first, second);
}

TEST_F(ExpanderTest, LaidOutResultsAreToldToo) {
    webhook("http://a.example/", {"batch.published"});
    const BatchId id = batch("plain", {"a"});
    work(id);
    expand();
    EXPECT_TRUE(told().empty());
    ASSERT_TRUE(store->batches().publish(id, {}));
    expand();
    EXPECT_EQ(told(), std::vector<std::string>{"published > http://a.example/"});
}

TEST_F(ExpanderTest, AWebhookThatWasDisabledMeanwhileGetsNothing) {
    const store::Webhook to = webhook("http://a.example/");
    work(batch("plain", {"a"}));
    ASSERT_TRUE(store->outbox().set_enabled(to.id, false));
    expand();
    EXPECT_TRUE(deliveries().empty());
    EXPECT_TRUE(store->outbox().facts(10)->empty());
}

TEST_F(ExpanderTest, WhatIsGoneOrSpokenByNobodyIsDropped) {
    store::Webhook strange{.id = WebhookId::make(clock.now()), .account = kTeam, .dialect = "strange"};
    ASSERT_TRUE(store->outbox().insert(strange));
    work(batch("strange", {"a"}));
    webhook("http://a.example/");
    const BatchId removed = batch("plain", {"a"});
    work(removed);
    ASSERT_TRUE(store->batches().remove(removed));
    expand();
    EXPECT_TRUE(deliveries().empty());
    EXPECT_TRUE(store->outbox().facts(10)->empty());
}

TEST_F(ExpanderTest, ItemsAreToldWhereTheyWish) {
    work(batch("own", {"http://a.example:81/x", "no URL", "ftp://a.example/"}));
    expand();
    EXPECT_EQ(told(), std::vector<std::string>{"0 succeeded > http://a.example:81/x"});
    const store::Delivery made = delivery();
    EXPECT_FALSE(made.webhook);
    EXPECT_EQ(made.target, "team http://a.example:81");
    EXPECT_EQ(made.secret.reveal(), "token");
    EXPECT_EQ(made.attempts_max, 4U);
}

TEST_F(ExpanderTest, ItemsThatNeverRanAreToldPageByPageAndOnce) {
    const BatchId id = batch("own", std::vector<std::string>(600, "http://a.example/"));
    work(id, 2);
    const BatchId beside = batch("own", {"http://b.example/"});
    ASSERT_TRUE(store->batches().apply(id, core::BatchEvent::cancel_requested, clock.now()));
    work(beside);
    ASSERT_TRUE(expander.expand_some(clock.now()).value());
    EXPECT_EQ(store->outbox().facts(10)->size(), 1U) << "the small batch does not wait for the large one";
    EXPECT_GT(expand(), 1);
    const auto all = told();
    EXPECT_EQ(all.size(), 601U);
    EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), 601U) << "each once";
    EXPECT_EQ(all.back(), "599 canceled > http://a.example/");
}

TEST_F(ExpanderTest, ItemsOfAnExpiredBatchAreToldToo) {
    const BatchId id = batch("own", {"http://a.example/", "http://b.example/"});
    work(id, 1);
    ASSERT_TRUE(store->batches().apply(id, core::BatchEvent::expired, clock.now()));
    expand();
    EXPECT_EQ(told(),
              (std::vector<std::string>{"0 succeeded > http://a.example/", "1 expired > http://b.example/"}));
}

}  // namespace
}  // namespace sheaf::webhook

#include <set>

#include "store/store_conformance.h"

namespace sheaf::store {
namespace {

using namespace std::chrono_literals;

Webhook a_webhook(AccountId account = kAlice, Timestamp created_at = kNow) {
    return {.id = WebhookId::make(created_at),
            .account = std::move(account),
            .dialect = "test",
            .url = "https://hooks.example/in",
            .secret = Secret("a secret"),
            .types = {"item.ready", "batch.completed"},
            .created_at = created_at};
}

Delivery a_delivery(std::string target, Timestamp next_at = kNow) {
    return {.event = "evt_1",
            .type = "item.ready",
            .account = kAlice,
            .form = core::WebhookForm::bearer,
            .target = std::move(target),
            .url = "https://hooks.example/in",
            .secret = Secret("a token"),
            .payload = "{\"n\":1}",
            .created_at = kNow,
            .attempts_max = 4,
            .next_at = next_at};
}

Delivery of_webhook(const Webhook& webhook) {
    Delivery delivery = a_delivery(to_string(webhook.id));
    delivery.form = core::WebhookForm::standard;
    delivery.webhook = webhook.id;
    delivery.secret = {};
    return delivery;
}

std::string kinds_of(const std::vector<Fact>& facts) {
    std::string kinds;
    for (const Fact& fact : facts) {
        if (!kinds.empty()) kinds += ' ';
        switch (fact.kind) {
            case FactKind::item_ended:
                kinds += "item " + std::to_string(fact.ordinal);
                break;
            case FactKind::batch_ended:
                kinds += "batch";
                break;
            case FactKind::batch_published:
                kinds += "published";
                break;
        }
    }
    return kinds;
}

std::vector<std::int64_t> numbers_of(const std::vector<DueDelivery>& due) {
    std::vector<std::int64_t> numbers;
    for (const DueDelivery& each : due) numbers.push_back(each.number);
    return numbers;
}

std::vector<std::string> urls_of(const std::vector<Delivery>& deliveries) {
    std::vector<std::string> urls;
    for (const Delivery& delivery : deliveries) urls.push_back(delivery.url);
    return urls;
}

using Numbers = std::vector<std::int64_t>;

}  // namespace

TEST_P(OutboxConformance, WebhooksAreListedAsTheyWereMadeOldestFirst) {
    const Webhook second = a_webhook(kBob, kNow + 1s);
    Webhook first = a_webhook();
    first.types = {};
    ASSERT_TRUE(outbox().insert(second));
    ASSERT_TRUE(outbox().insert(first));
    EXPECT_EQ(outbox().insert(first).error().code, ErrorCode::conflict);
    for (int round = 0; round < 2; ++round) {
        const auto webhooks = outbox().webhooks().value();
        ASSERT_EQ(webhooks.size(), 2U);
        EXPECT_EQ(webhooks[0].id, first.id);
        EXPECT_TRUE(webhooks[0].types.empty());
        EXPECT_EQ(webhooks[1].id, second.id);
        EXPECT_EQ(webhooks[1].account, kBob);
        EXPECT_EQ(webhooks[1].dialect, "test");
        EXPECT_EQ(webhooks[1].url, "https://hooks.example/in");
        EXPECT_EQ(webhooks[1].secret.reveal(), "a secret");
        EXPECT_EQ(webhooks[1].types, (std::vector<std::string>{"item.ready", "batch.completed"}));
        EXPECT_TRUE(webhooks[1].enabled);
        EXPECT_EQ(webhooks[1].created_at, kNow + 1s);
        if (!reopen()) break;
    }
}

TEST_P(OutboxConformance, WithoutAWebhookNothingIsNoted) {
    ASSERT_TRUE(outbox().insert(a_webhook(kBob)));
    Webhook of_another_dialect = a_webhook();
    of_another_dialect.dialect = "other";
    ASSERT_TRUE(outbox().insert(of_another_dialect));
    Webhook disabled = a_webhook();
    disabled.enabled = false;
    ASSERT_TRUE(outbox().insert(disabled));
    const ABatch batch(2);
    created(ABatch(batch).telling(core::ItemEvents::to_webhooks));
    run_to_the_end(batch.id());
    EXPECT_EQ(kinds_of(outbox().facts(10).value()), "");
}

TEST_P(OutboxConformance, WithAWebhookTheEndsOfItemsAndBatchAreNotedInOrder) {
    ASSERT_TRUE(outbox().insert(a_webhook()));
    const ABatch batch(3);
    created(ABatch(batch).telling(core::ItemEvents::to_webhooks));
    run_to_the_end(batch.id());
    for (int round = 0; round < 2; ++round) {
        const auto facts = outbox().facts(10).value();
        EXPECT_EQ(kinds_of(facts), "item 0 item 1 item 2 batch");
        for (const Fact& fact : facts) {
            EXPECT_EQ(fact.batch, batch.id());
            EXPECT_EQ(fact.account, kAlice);
        }
        EXPECT_EQ(facts[3].at, found(batch.id()).ended_at);
        EXPECT_EQ(kinds_of(outbox().facts(2).value()), "item 0 item 1") << "the oldest";
        if (!reopen()) break;
    }
}

TEST_P(OutboxConformance, ItemsAreNotedOnlyWhereTheBatchSaysSo) {
    ASSERT_TRUE(outbox().insert(a_webhook()));
    const ABatch batch(2);
    created(batch);
    run_to_the_end(batch.id());
    EXPECT_EQ(kinds_of(outbox().facts(10).value()), "batch");
}

TEST_P(OutboxConformance, ItemsWithTargetsOfTheirOwnNeedNoWebhook) {
    const ABatch batch(2);
    created(ABatch(batch).telling(core::ItemEvents::to_own_targets));
    run_to_the_end(batch.id());
    EXPECT_EQ(kinds_of(outbox().facts(10).value()), "item 0 item 1 batch");
}

TEST_P(OutboxConformance, ACancelThatEndsTheBatchIsNotedOnce) {
    ASSERT_TRUE(outbox().insert(a_webhook()));
    const ABatch batch(2);
    created(batch);
    ASSERT_TRUE(batches().apply(batch.id(), core::BatchEvent::cancel_requested, kNow + 5s));
    const auto facts = outbox().facts(10).value();
    ASSERT_EQ(kinds_of(facts), "batch");
    EXPECT_EQ(facts[0].at, kNow + 5s);
}

TEST_P(OutboxConformance, ThatResultsAreLaidOutIsNotedOnce) {
    ASSERT_TRUE(outbox().insert(a_webhook()));
    const ABatch batch(2);
    created(batch);
    run_to_the_end(batch.id());
    ASSERT_TRUE(batches().publish(batch.id(), {.render = rendered_line}));
    ASSERT_TRUE(batches().publish(batch.id(), {.render = rendered_line}));
    EXPECT_EQ(kinds_of(outbox().facts(10).value()), "batch published");
}

TEST_P(OutboxConformance, ALateResultIsNotNoted) {
    ASSERT_TRUE(outbox().insert(a_webhook()));
    const ABatch batch(1);
    created(ABatch(batch).telling(core::ItemEvents::to_webhooks));
    const auto leases = claimed(batch.id(), 1);
    ASSERT_TRUE(batches().apply(batch.id(), core::BatchEvent::expired, kNow + 1s));
    finished(leases);
    EXPECT_EQ(kinds_of(outbox().facts(10).value()), "batch");
}

TEST_P(OutboxConformance, ARejectedBatchIsNoted) {
    ASSERT_TRUE(outbox().insert(a_webhook()));
    BatchDraft draft = ABatch(0).draft();
    draft.batch.state = core::BatchState::ended;
    draft.batch.end_reason = core::EndReason::rejected;
    draft.batch.ended_at = kNow;
    auto body = batches().new_body().value();
    ASSERT_TRUE(body->append("nonsense"));
    ASSERT_TRUE(batches().create(std::move(draft), std::move(body)));
    EXPECT_EQ(kinds_of(outbox().facts(10).value()), "batch");
}

TEST_P(OutboxConformance, AFactIsExpandedOnceAndAsAWhole) {
    ASSERT_TRUE(outbox().insert(a_webhook()));
    const ABatch batch(2);
    created(ABatch(batch).telling(core::ItemEvents::to_webhooks));
    run_to_the_end(batch.id());
    const auto facts = outbox().facts(10).value();
    ASSERT_EQ(facts.size(), 3U);
    const std::vector<Expansion> expansions{
        {.fact = facts[0].number, .deliveries = {a_delivery("a"), a_delivery("b")}},
        {.fact = facts[1].number},
        {.fact = facts[2].number, .deliveries = {a_delivery("c")}, .continue_at = 1}};
    ASSERT_TRUE(outbox().expand(expansions));
    for (int round = 0; round < 2; ++round) {
        const auto left = outbox().facts(10).value();
        ASSERT_EQ(kinds_of(left), "batch");
        EXPECT_EQ(left[0].ordinal, 1U) << "so far";
        EXPECT_EQ(outbox().list({}).value().size(), 3U);
        if (!reopen()) break;
    }
}

TEST_P(OutboxConformance, RemovingABatchRemovesItsFactsAndNotItsDeliveries) {
    ASSERT_TRUE(outbox().insert(a_webhook()));
    const ABatch batch(1);
    created(batch);
    run_to_the_end(batch.id());
    const auto facts = outbox().facts(10).value();
    ASSERT_EQ(facts.size(), 1U);
    ASSERT_TRUE(batches().remove(batch.id()));
    EXPECT_TRUE(outbox().facts(10).value().empty());
    const Expansion late{.fact = facts[0].number, .deliveries = {a_delivery("a")}};
    ASSERT_TRUE(outbox().expand({&late, 1})) << "it was under way";
    EXPECT_EQ(outbox().list({}).value().size(), 1U);
}

TEST_P(OutboxConformance, ADeliveryIsFoundAsItWasAdded) {
    Delivery delivery = a_delivery("a", kNow + 3s);
    delivery.payload = std::string("{\"text\":\"\0\xff\"}", 13);
    delivery.batch = make_batch_id(kNow);
    delivery.ordinal = 7;
    const auto number = outbox().add(delivery).value();
    for (int round = 0; round < 2; ++round) {
        const auto kept = outbox().find(number).value();
        EXPECT_EQ(kept.number, number);
        EXPECT_EQ(kept.event, "evt_1");
        EXPECT_EQ(kept.type, "item.ready");
        EXPECT_EQ(kept.account, kAlice);
        EXPECT_EQ(kept.form, core::WebhookForm::bearer);
        EXPECT_FALSE(kept.webhook);
        EXPECT_EQ(kept.target, "a");
        EXPECT_EQ(kept.url, "https://hooks.example/in");
        EXPECT_EQ(kept.secret.reveal(), "a token");
        EXPECT_EQ(kept.payload, delivery.payload);
        EXPECT_EQ(kept.batch, delivery.batch);
        EXPECT_EQ(kept.ordinal, 7U);
        EXPECT_EQ(kept.attempts, 0U);
        EXPECT_EQ(kept.attempts_max, 4U);
        EXPECT_EQ(kept.next_at, kNow + 3s);
        EXPECT_FALSE(kept.ended_at);
        EXPECT_FALSE(kept.delivered);
        if (!reopen()) break;
    }
    EXPECT_EQ(outbox().find(number + 1).error().code, ErrorCode::not_found);
}

TEST_P(OutboxConformance, AWebhooksDeliveriesAreSignedWithItsSecretOfNow) {
    const Webhook webhook = a_webhook();
    ASSERT_TRUE(outbox().insert(webhook));
    const auto number = outbox().add(of_webhook(webhook)).value();
    EXPECT_EQ(outbox().find(number)->secret.reveal(), "a secret");
    ASSERT_TRUE(outbox().set_secret(webhook.id, Secret("another")));
    EXPECT_EQ(outbox().find(number)->secret.reveal(), "another");
    EXPECT_EQ(outbox().webhooks().value()[0].secret.reveal(), "another");
    const WebhookId unknown = WebhookId::make(kNow);
    EXPECT_EQ(outbox().set_secret(unknown, Secret("x")).error().code, ErrorCode::not_found);
    EXPECT_EQ(outbox().set_enabled(unknown, false).error().code, ErrorCode::not_found);
    EXPECT_EQ(outbox().remove(unknown, kNow).error().code, ErrorCode::not_found);
}

TEST_P(OutboxConformance, DueIsTheOldestOfEachTargetAndWhoWaitedLongestFirst) {
    const auto late = outbox().add(a_delivery("a", kNow + 1ms)).value();
    const auto busy_1 = outbox().add(a_delivery("b", kNow - 5s)).value();
    const auto busy_2 = outbox().add(a_delivery("b", kNow - 5s)).value();
    const auto busy_3 = outbox().add(a_delivery("b", kNow - 6s)).value();
    const auto other = outbox().add(a_delivery("c", kNow - 10s)).value();
    EXPECT_EQ(numbers_of(outbox().due(kNow, 2).value()), (Numbers{other, busy_3, busy_1}));
    EXPECT_EQ(numbers_of(outbox().due(kNow + 1ms, 9).value()),
              (Numbers{other, busy_3, busy_1, busy_2, late}));
    EXPECT_EQ(outbox().due(kNow, 1).value()[1].target, "b");
    EXPECT_EQ(outbox().due(kNow, 1).value()[1].account, kAlice);
    EXPECT_TRUE(outbox().due(kNow - 1h, 9).value().empty());
}

TEST_P(OutboxConformance, WhatADisabledWebhookWaitsForIsNotDue) {
    const Webhook webhook = a_webhook();
    ASSERT_TRUE(outbox().insert(webhook));
    const auto number = outbox().add(of_webhook(webhook)).value();
    ASSERT_TRUE(outbox().set_enabled(webhook.id, false));
    EXPECT_FALSE(outbox().webhooks().value()[0].enabled);
    EXPECT_TRUE(outbox().due(kNow, 9).value().empty());
    ASSERT_TRUE(outbox().set_enabled(webhook.id, true));
    EXPECT_EQ(numbers_of(outbox().due(kNow, 9).value()), Numbers{number});
}

TEST_P(OutboxConformance, AnAttemptThatFailedIsCountedAndComesAgain) {
    const auto number = outbox().add(a_delivery("a")).value();
    ASSERT_TRUE(
        outbox().record({.delivery = number, .at = kNow, .error = "status 500", .again_at = kNow + 5s}));
    EXPECT_TRUE(outbox().due(kNow, 9).value().empty());
    EXPECT_EQ(numbers_of(outbox().due(kNow + 5s, 9).value()), Numbers{number});
    const auto kept = outbox().find(number).value();
    EXPECT_EQ(kept.attempts, 1U);
    EXPECT_EQ(kept.last_error, "status 500");
    EXPECT_FALSE(kept.ended_at);
    EXPECT_EQ(kept.payload, "{\"n\":1}");
}

TEST_P(OutboxConformance, WhatWasDeliveredIsKeptWithoutItsPayloadAndSecret) {
    const auto number = outbox().add(a_delivery("a")).value();
    ASSERT_TRUE(outbox().record({.delivery = number, .at = kNow, .error = "no", .again_at = kNow}));
    ASSERT_TRUE(outbox().record({.delivery = number, .at = kNow + 2s}));
    ASSERT_TRUE(outbox().record({.delivery = number, .at = kNow + 3s, .error = "late"}));
    for (int round = 0; round < 2; ++round) {
        const auto kept = outbox().find(number).value();
        EXPECT_EQ(kept.attempts, 2U);
        EXPECT_TRUE(kept.delivered);
        EXPECT_EQ(kept.ended_at, kNow + 2s) << "for good";
        EXPECT_EQ(kept.last_error, "");
        EXPECT_EQ(kept.payload, "");
        EXPECT_EQ(kept.secret.reveal(), "");
        EXPECT_TRUE(outbox().due(kNow + 1h, 9).value().empty());
        if (!reopen()) break;
    }
}

TEST_P(OutboxConformance, WhatWasGivenUpSaysWhy) {
    const auto number = outbox().add(a_delivery("a")).value();
    ASSERT_TRUE(outbox().record({.delivery = number, .at = kNow, .error = "status 410"}));
    const auto kept = outbox().find(number).value();
    EXPECT_FALSE(kept.delivered);
    EXPECT_EQ(kept.ended_at, kNow);
    EXPECT_EQ(kept.last_error, "status 410");
    EXPECT_TRUE(outbox().due(kNow + 1h, 9).value().empty());
    EXPECT_TRUE(outbox().record({.delivery = number + 1, .at = kNow})) << "it may be forgotten by now";
}

TEST_P(OutboxConformance, RemovingAWebhookGivesUpWhatWaits) {
    const Webhook webhook = a_webhook();
    ASSERT_TRUE(outbox().insert(webhook));
    const auto sent = outbox().add(of_webhook(webhook)).value();
    const auto waiting = outbox().add(of_webhook(webhook)).value();
    ASSERT_TRUE(outbox().record({.delivery = sent, .at = kNow}));
    ASSERT_TRUE(outbox().remove(webhook.id, kNow + 1s));
    EXPECT_TRUE(outbox().webhooks().value().empty());
    EXPECT_TRUE(outbox().find(sent)->delivered);
    const auto kept = outbox().find(waiting).value();
    EXPECT_FALSE(kept.delivered);
    EXPECT_EQ(kept.ended_at, kNow + 1s);
    EXPECT_NE(kept.last_error, "");
}

TEST_P(OutboxConformance, ListsAreNewestFirstAndCarryNoSecrets) {
    const Webhook webhook = a_webhook();
    ASSERT_TRUE(outbox().insert(webhook));
    const auto first = outbox().add(of_webhook(webhook)).value();
    const auto second = outbox().add(a_delivery("a")).value();
    Delivery of_bob = a_delivery("b");
    of_bob.account = kBob;
    const auto third = outbox().add(of_bob).value();
    ASSERT_TRUE(outbox().record({.delivery = second, .at = kNow}));
    const auto numbers = [&](const DeliveryQuery& query) {
        Numbers all;
        for (const Delivery& delivery : outbox().list(query).value()) {
            EXPECT_EQ(delivery.payload, "");
            EXPECT_EQ(delivery.secret.reveal(), "");
            all.push_back(delivery.number);
        }
        return all;
    };
    EXPECT_EQ(numbers({}), (Numbers{third, second, first}));
    EXPECT_EQ(numbers({.count = 2}), (Numbers{third, second}));
    EXPECT_EQ(numbers({.webhook = webhook.id}), Numbers{first});
    EXPECT_EQ(numbers({.account = kAlice}), (Numbers{second, first}));
    EXPECT_EQ(numbers({.undelivered_only = true}), (Numbers{third, first}));
}

TEST_P(OutboxConformance, DeliveriesAreFoundByWhatTheyAreAbout) {
    const BatchId batch = make_batch_id(kNow);
    const auto add = [&](std::optional<std::uint32_t> ordinal, std::string url) {
        Delivery delivery = a_delivery("a");
        delivery.batch = batch;
        delivery.ordinal = ordinal;
        delivery.url = std::move(url);
        ASSERT_TRUE(outbox().add(delivery));
    };
    add(std::nullopt, "one");
    add(0, "two");
    add(std::nullopt, "three");
    const Topic topics[] = {
        {batch, 0}, {batch, std::nullopt}, {batch, 1}, {make_batch_id(kNow), std::nullopt}};
    const auto all = outbox().about(topics).value();
    ASSERT_EQ(all.size(), 4U);
    EXPECT_EQ(urls_of(all[0]), std::vector<std::string>{"two"});
    EXPECT_EQ(urls_of(all[1]), (std::vector<std::string>{"one", "three"}));
    EXPECT_TRUE(all[2].empty());
    EXPECT_TRUE(all[3].empty());
}

TEST_P(OutboxConformance, OnlyWhatEndedLongAgoIsForgotten) {
    const auto old = outbox().add(a_delivery("a")).value();
    const auto older = outbox().add(a_delivery("a")).value();
    const auto waiting = outbox().add(a_delivery("a")).value();
    const auto recent = outbox().add(a_delivery("a")).value();
    ASSERT_TRUE(outbox().record({.delivery = old, .at = kNow}));
    ASSERT_TRUE(outbox().record({.delivery = older, .at = kNow - 1s}));
    ASSERT_TRUE(outbox().record({.delivery = recent, .at = kNow + 1s}));
    EXPECT_EQ(outbox().forget(kNow, 1).value(), 1U);
    EXPECT_EQ(outbox().forget(kNow, 10).value(), 1U);
    EXPECT_EQ(outbox().forget(kNow, 10).value(), 0U);
    EXPECT_TRUE(outbox().find(waiting));
    EXPECT_TRUE(outbox().find(recent));
}

}  // namespace sheaf::store

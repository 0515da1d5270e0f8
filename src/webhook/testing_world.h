#pragma once

#include <array>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "fetch/fetch.h"
#include "service/testing_world.h"
#include "webhook/expander.h"

// What the tests of webhooks share: batches that end as they are told, and renderers that tell all of it.
namespace sheaf::webhook {

using namespace std::chrono_literals;

inline const AccountId kTeam{"team"};
inline const AccountId kOthers{"others"};

// Tells webhooks of items that ran and of the batch.
class PlainRenderer final : public core::EventRenderer {
public:
    core::WebhookForm form() const override { return core::WebhookForm::tl_signature; }
    std::span<const std::string_view> types() const override { return kTypes; }
    std::optional<core::Event> batch_ended(const core::EventStamp& stamp,
                                           const core::Batch& batch) const override {
        return core::Event{id(stamp), "batch.ended", "batch " + std::string(to_string(batch.end_reason))};
    }
    std::optional<core::Event> batch_published(const core::EventStamp& stamp,
                                               const core::Batch&) const override {
        return core::Event{id(stamp), "batch.published", "published"};
    }
    std::optional<core::Event> item_ended(const core::EventStamp& stamp,
                                          const core::EndedItem& ended) const override {
        return core::Event{id(stamp), "item.ended", "item " + std::string(ended.line.value_or("none"))};
    }
    core::Event test(const core::EventStamp& stamp) const override { return {id(stamp), "test", "test"}; }

private:
    static constexpr std::array<std::string_view, 3> kTypes{"item.ended", "batch.ended", "batch.published"};
    static std::string id(const core::EventStamp& stamp) { return "evt_" + to_string(stamp.id); }
};

// Tells of each item, run or not, the URL that is its body.
class OwnTargetRenderer final : public core::EventRenderer {
public:
    core::WebhookForm form() const override { return core::WebhookForm::bearer; }
    std::span<const std::string_view> types() const override { return {}; }
    std::optional<core::Event> batch_ended(const core::EventStamp&, const core::Batch&) const override {
        return std::nullopt;
    }
    std::optional<core::Event> item_ended(const core::EventStamp& stamp,
                                          const core::EndedItem& ended) const override {
        return core::Event{
            .id = to_string(stamp.id),
            .type = "item",
            .payload = fmt::format("{} {}", ended.item.id.ordinal, core::to_string(ended.item.state)),
            .target = core::WebhookTarget{std::string(ended.body), Secret("token")}};
    }
    core::Event test(const core::EventStamp&) const override { return {}; }
    bool reads_bodies() const override { return true; }
    bool tells_of_unrun() const override { return true; }
};

class WebhookWorld : public service::World {
protected:
    store::Webhook webhook(std::string url, std::vector<std::string> types = {}, AccountId account = kTeam) {
        const store::Webhook made{.id = WebhookId::make(clock.now()),
                                  .account = std::move(account),
                                  .dialect = "plain",
                                  .url = std::move(url),
                                  .secret = Secret("secret"),
                                  .types = std::move(types),
                                  .created_at = clock.now()};
        EXPECT_TRUE(store->outbox().insert(made));
        return made;
    }

    // Of items with these bodies.
    BatchId batch(const std::string& dialect, std::vector<std::string> bodies, AccountId account = kTeam,
                  BatchId chosen = {}) {
        store::BatchDraft draft;
        draft.batch.id = chosen == BatchId{} ? make_batch_id(clock.now()) : chosen;
        draft.batch.account = std::move(account);
        draft.batch.dialect = dialect;
        draft.batch.item_events =
            dialect == "own" ? core::ItemEvents::to_own_targets : core::ItemEvents::to_webhooks;
        draft.batch.created_at = clock.now();
        draft.batch.expires_at = draft.batch.purge_at = clock.now() + 24h;
        auto body = store->batches().new_body().value();
        std::uint64_t offset = 0;
        for (const std::string& each : bodies) {
            EXPECT_TRUE(body->append(each));
            draft.items.push_back({std::nullopt, {}, offset, each.size()});
            offset += each.size();
        }
        const BatchId id = draft.batch.id;
        EXPECT_TRUE(store->batches().create(std::move(draft), std::move(body)));
        return id;
    }

    // Runs up to `count` items; their lines are their ordinals.
    void work(const BatchId& id, std::uint32_t count = 1000) {
        const auto claimed =
            store->items().claim({.batch = id, .count_max = count, .now = clock.now()}).value();
        std::vector<store::ItemResult> results;
        for (const core::Lease& lease : claimed.leases) {
            results.push_back({.item = lease.item.id,
                               .epoch = lease.epoch,
                               .state = core::ItemState::succeeded,
                               .line = std::to_string(lease.item.id.ordinal),
                               .finished_at = clock.now()});
        }
        EXPECT_TRUE(store->items().finish(results));
    }

    std::vector<store::Delivery> deliveries() { return store->outbox().list({.count = 10'000}).value(); }
    store::Delivery delivery() {
        const auto all = deliveries();
        EXPECT_EQ(all.size(), 1U);
        return all.empty() ? store::Delivery{} : store->outbox().find(all[0].number).value();
    }

    // With a store that knows nothing.
    void start_anew() {
        store = store::make_memory_store();
        expander = make_expander();
    }
    Expander make_expander() {
        return {store->outbox(), store->batches(), {{"plain", &plain}, {"own", &own}}, {3, 4}};
    }

    PlainRenderer plain;
    OwnTargetRenderer own;
    Expander expander = make_expander();
};

}  // namespace sheaf::webhook

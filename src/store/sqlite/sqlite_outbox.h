#pragma once

#include "store/outbox.h"
#include "store/sqlite/engine.h"

namespace sheaf::store {

class SqliteOutbox final : public Outbox {
public:
    explicit SqliteOutbox(Engine& engine) : engine_(&engine) {}

    // sqlite_webhooks.cpp
    Result<> insert(const Webhook& webhook) override;
    Result<std::vector<Webhook>> webhooks() override;
    Result<> set_secret(const WebhookId& id, const Secret& secret) override;
    Result<> set_enabled(const WebhookId& id, bool enabled) override;
    Result<> remove(const WebhookId& id, Timestamp now) override;

    // sqlite_outbox.cpp
    Result<std::vector<Fact>> facts(std::uint32_t count_max) override;
    Result<> expand(std::span<const Expansion> expansions) override;
    Result<std::int64_t> add(const Delivery& delivery) override;
    Result<std::vector<DueDelivery>> due(Timestamp now, std::uint32_t per_target_max) override;
    Result<Delivery> find(std::int64_t number) override;
    Result<> record(const Attempted& attempted) override;
    Result<std::vector<Delivery>> list(const DeliveryQuery& query) override;
    Result<std::vector<std::vector<Delivery>>> about(std::span<const Topic> topics) override;
    Result<std::uint32_t> forget(Timestamp before, std::uint32_t count_max) override;

private:
    Engine* engine_;
};

// Whether anybody wants to hear of the batch.
Result<bool> is_told(Tx& tx, const core::Batch& batch);
// Note the fact, where somebody wants to hear of it.
Result<> note_batch_ended(Tx& tx, const core::Batch& batch);
Result<> note_batch_published(Tx& tx, const core::Batch& batch);
// Notes the fact in any case: is_told() was asked.
Result<> note_item_ended(Tx& tx, const core::Batch& batch, std::uint32_t ordinal, Timestamp at);

}  // namespace sheaf::store

#pragma once

#include "store/outbox.h"
#include "store/postgres/engine.h"

namespace sheaf::store::postgres {

// Of several nodes one tells webhooks: the others see neither facts nor what is due, until it is silent for
// 15 s.
class PostgresOutbox final : public Outbox {
public:
    explicit PostgresOutbox(Engine& engine) : engine_(&engine) {}
    ~PostgresOutbox() override;

    // postgres_webhooks.cpp
    Result<> insert(const Webhook& webhook) override;
    Result<std::vector<Webhook>> webhooks() override;
    Result<> set_secret(const WebhookId& id, const Secret& secret) override;
    Result<> set_enabled(const WebhookId& id, bool enabled) override;
    Result<> remove(const WebhookId& id, Timestamp now) override;

    // postgres_outbox.cpp
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
    Result<bool> is_teller();

    Engine* engine_;
    std::atomic<bool> told_ = false;
};

// Queue: note the fact, where somebody wants to hear of it.
void note_batch_ended(Connection& db, const core::Batch& batch);
void note_batch_published(Connection& db, const core::Batch& batch);
void note_items_ended(Connection& db, const core::Batch& batch, const std::vector<std::int64_t>& ordinals,
                      const std::vector<std::int64_t>& times);

}  // namespace sheaf::store::postgres

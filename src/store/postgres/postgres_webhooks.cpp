#include "store/postgres/batch_row.h"
#include "store/postgres/postgres_outbox.h"
#include "store/postgres/statements.h"
#include "store/stored_rows.h"

namespace sheaf::store::postgres {
namespace {

constexpr std::string_view kRemoved = "The webhook was removed.";

Result<> changed_one(const Result<std::int64_t>& changed) {
    if (!changed) return std::unexpected(changed.error());
    if (*changed == 0) return fail(ErrorCode::not_found, "there is no such webhook");
    return {};
}

}  // namespace

Result<> PostgresOutbox::insert(const Webhook& webhook) {
    return engine_->pool.write([&](Connection& db) -> Result<> {
        const auto added = db.run(sql::kInsertWebhook, id_bytes(webhook.id), Text{webhook.account.name},
                                  Text{webhook.dialect}, webhook.url, webhook.secret.reveal(),
                                  join_types(webhook.types), webhook.enabled, webhook.created_at);
        if (!added) return std::unexpected(added.error());
        if (*added == 0) return fail(ErrorCode::conflict, "a webhook of this id is there already");
        return {};
    });
}

Result<std::vector<Webhook>> PostgresOutbox::webhooks() {
    return engine_->pool.read([&](Connection& db) -> Result<std::vector<Webhook>> {
        auto rows = db.query(sql::kListWebhooks);
        if (!rows) return std::unexpected(rows.error());
        std::vector<Webhook> webhooks;
        while (rows->next()) webhooks.push_back(read_webhook(*rows));
        return webhooks;
    });
}

Result<> PostgresOutbox::set_secret(const WebhookId& id, const Secret& secret) {
    return engine_->pool.write([&](Connection& db) {
        return changed_one(db.run(sql::kSetWebhookSecret, id_bytes(id), secret.reveal()));
    });
}

Result<> PostgresOutbox::set_enabled(const WebhookId& id, bool enabled) {
    return engine_->pool.write(
        [&](Connection& db) { return changed_one(db.run(sql::kSetWebhookEnabled, id_bytes(id), enabled)); });
}

Result<> PostgresOutbox::remove(const WebhookId& id, Timestamp now) {
    return engine_->pool.write([&](Connection& db) -> Result<> {
        if (const auto gone = changed_one(db.run(sql::kDeleteWebhook, id_bytes(id))); !gone) return gone;
        db.queue(sql::kGiveUpOfWebhook, id_bytes(id), now, kRemoved);
        return {};
    });
}

}  // namespace sheaf::store::postgres

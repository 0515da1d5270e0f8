#include "store/sqlite/sqlite_outbox.h"
#include "store/sqlite/statements.h"
#include "store/stored_rows.h"

namespace sheaf::store {
namespace {

constexpr std::string_view kRemoved = "The webhook was removed.";

Result<> changed_one(const Result<int>& changed) {
    if (!changed) return std::unexpected(changed.error());
    if (*changed == 0) return fail(ErrorCode::not_found, "there is no such webhook");
    return {};
}

}  // namespace

Result<> SqliteOutbox::insert(const Webhook& webhook) {
    const std::string types = join_types(webhook.types);
    return engine_->writer.run([&](Tx& tx) -> Result<> {
        const auto added =
            tx.db.run(sql::kInsertWebhook, IdBytes(webhook.id), webhook.account.name, webhook.dialect,
                      webhook.url, webhook.secret.reveal(), types, webhook.enabled, webhook.created_at);
        if (!added) return std::unexpected(added.error());
        if (*added == 0) return fail(ErrorCode::conflict, "a webhook of this id is there already");
        return {};
    });
}

Result<std::vector<Webhook>> SqliteOutbox::webhooks() {
    auto snapshot = engine_->readers.snapshot();
    if (!snapshot) return std::unexpected(snapshot.error());
    auto rows = snapshot->db().query(sql::kListWebhooks);
    if (!rows) return std::unexpected(rows.error());
    std::vector<Webhook> webhooks;
    for (;;) {
        const auto more = rows->next();
        if (!more) return std::unexpected(more.error());
        if (!*more) return webhooks;
        webhooks.push_back(read_webhook(*rows));
    }
}

Result<> SqliteOutbox::set_secret(const WebhookId& id, const Secret& secret) {
    return engine_->writer.run([&](Tx& tx) {
        tx.erased();
        return changed_one(tx.db.run(sql::kSetWebhookSecret, IdBytes(id), secret.reveal()));
    });
}

Result<> SqliteOutbox::set_enabled(const WebhookId& id, bool enabled) {
    return engine_->writer.run(
        [&](Tx& tx) { return changed_one(tx.db.run(sql::kSetWebhookEnabled, IdBytes(id), enabled)); });
}

Result<> SqliteOutbox::remove(const WebhookId& id, Timestamp now) {
    return engine_->writer.run([&](Tx& tx) -> Result<> {
        if (const auto gone = changed_one(tx.db.run(sql::kDeleteWebhook, IdBytes(id))); !gone) return gone;
        const auto given_up = tx.db.run(sql::kGiveUpOfWebhook, IdBytes(id), now, kRemoved);
        if (!given_up) return std::unexpected(given_up.error());
        tx.erased();
        return {};
    });
}

}  // namespace sheaf::store

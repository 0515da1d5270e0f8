#include "store/sqlite/sqlite_outbox.h"

#include "store/sqlite/statements.h"
#include "store/stored_rows.h"

namespace sheaf::store {
namespace {

constexpr std::string_view kItemEnded = "item.ended";
constexpr std::string_view kBatchEnded = "batch.ended";
constexpr std::string_view kBatchPublished = "batch.published";
constexpr int kDeliveryColumnCount = 17;

Result<> done(const Result<int>& changed) {
    if (!changed) return std::unexpected(changed.error());
    return {};
}

template <class Id>
std::optional<IdBytes> bytes_of(const std::optional<Id>& id) {
    if (!id) return std::nullopt;
    return IdBytes(*id);
}

FactKind kind_of(std::string_view word) {
    if (word == kItemEnded) return FactKind::item_ended;
    return word == kBatchPublished ? FactKind::batch_published : FactKind::batch_ended;
}

Fact read_fact(const Rows& rows) {
    return {.number = rows.number(0),
            .kind = kind_of(rows.bytes(1)),
            .account = {rows.text(2)},
            .batch = batch_id(rows.bytes(3)),
            .ordinal = rows.as<std::uint32_t>(4),
            .at = rows.time(5)};
}

Result<> insert_delivery(Tx& tx, const Delivery& delivery) {
    const auto webhook = bytes_of(delivery.webhook);
    const auto batch = bytes_of(delivery.batch);
    const std::string no_token;
    const std::string& token = delivery.webhook ? no_token : delivery.secret.reveal();
    return done(tx.db.run(sql::kInsertDelivery, delivery.event, delivery.type, delivery.account.name,
                          delivery.form, webhook, delivery.target, delivery.url, token,
                          Bytes{delivery.payload}, batch, delivery.ordinal, delivery.created_at,
                          delivery.attempts_max, delivery.next_at));
}

Result<> note_of_batch(Tx& tx, std::string_view kind, const core::Batch& batch) {
    const auto told = is_told(tx, batch);
    if (!told) return std::unexpected(told.error());
    if (!*told) return {};
    return done(tx.db.run(sql::kInsertFact, kind, batch.account.name, IdBytes(batch.id), 0, batch.ended_at));
}

// All rows of a query, as `read` takes them.
template <class T, class Read>
Result<std::vector<T>> collect(Result<Rows> rows, const Read& read) {
    if (!rows) return std::unexpected(rows.error());
    std::vector<T> all;
    for (;;) {
        const auto more = rows->next();
        if (!more) return std::unexpected(more.error());
        if (!*more) return all;
        all.push_back(read(*rows));
    }
}

}  // namespace

Result<bool> is_told(Tx& tx, const core::Batch& batch) {
    if (batch.item_events == core::ItemEvents::to_own_targets) return true;
    auto rows = tx.db.query(sql::kHasWebhook, batch.account.name, batch.dialect);
    if (!rows) return std::unexpected(rows.error());
    return rows->next();
}

Result<> note_batch_ended(Tx& tx, const core::Batch& batch) {
    return note_of_batch(tx, kBatchEnded, batch);
}

Result<> note_batch_published(Tx& tx, const core::Batch& batch) {
    return note_of_batch(tx, kBatchPublished, batch);
}

Result<> note_item_ended(Tx& tx, const core::Batch& batch, std::uint32_t ordinal, Timestamp at) {
    return done(tx.db.run(sql::kInsertFact, kItemEnded, batch.account.name, IdBytes(batch.id), ordinal, at));
}

Result<std::vector<Fact>> SqliteOutbox::facts(std::uint32_t count_max) {
    auto snapshot = engine_->readers.snapshot();
    if (!snapshot) return std::unexpected(snapshot.error());
    return collect<Fact>(snapshot->db().query(sql::kOldestFacts, count_max), read_fact);
}

Result<> SqliteOutbox::expand(std::span<const Expansion> expansions) {
    return engine_->writer.run(
        [&](Tx& tx) -> Result<> {
            for (const Expansion& expansion : expansions) {
                for (const Delivery& delivery : expansion.deliveries) {
                    if (const auto added = insert_delivery(tx, delivery); !added) return added;
                }
                const auto moved = expansion.continue_at
                                       ? tx.db.run(sql::kAdvanceFact, expansion.fact, *expansion.continue_at)
                                       : tx.db.run(sql::kDeleteFact, expansion.fact);
                if (!moved) return std::unexpected(moved.error());
            }
            return {};
        },
        Durability::lazy);
}

Result<std::int64_t> SqliteOutbox::add(const Delivery& delivery) {
    return engine_->writer.run([&](Tx& tx) -> Result<std::int64_t> {
        if (const auto added = insert_delivery(tx, delivery); !added) return std::unexpected(added.error());
        return tx.db.last_insert_row();
    });
}

Result<std::vector<DueDelivery>> SqliteOutbox::due(Timestamp now, std::uint32_t per_target_max) {
    auto snapshot = engine_->readers.snapshot();
    if (!snapshot) return std::unexpected(snapshot.error());
    const auto targets = collect<std::string>(snapshot->db().query(sql::kDueTargets, now),
                                              [](const Rows& rows) { return rows.text(0); });
    if (!targets) return std::unexpected(targets.error());
    std::vector<DueDelivery> due;
    for (const std::string& target : *targets) {
        auto some = collect<DueDelivery>(
            snapshot->db().query(sql::kDueOfTarget, target, now, per_target_max),
            [&](const Rows& rows) { return DueDelivery{rows.number(0), target, {rows.text(1)}}; });
        if (!some) return some;
        due.insert(due.end(), std::make_move_iterator(some->begin()), std::make_move_iterator(some->end()));
    }
    return due;
}

Result<Delivery> SqliteOutbox::find(std::int64_t number) {
    auto snapshot = engine_->readers.snapshot();
    if (!snapshot) return std::unexpected(snapshot.error());
    auto rows = snapshot->db().query(sql::kFindDelivery, number);
    if (!rows) return std::unexpected(rows.error());
    const auto more = rows->next();
    if (!more) return std::unexpected(more.error());
    if (!*more) return fail(ErrorCode::not_found, "there is no such delivery");
    Delivery delivery = read_delivery(*rows);
    delivery.secret = Secret(rows->text(kDeliveryColumnCount));
    delivery.payload = rows->text(kDeliveryColumnCount + 1);
    return delivery;
}

Result<> SqliteOutbox::record(const Attempted& attempted) {
    return engine_->writer.run(
        [&](Tx& tx) {
            if (attempted.again_at && !attempted.error.empty())
                return done(
                    tx.db.run(sql::kRecordAttempt, attempted.delivery, *attempted.again_at, attempted.error));
            return done(tx.db.run(sql::kEndDelivery, attempted.delivery, attempted.at, attempted.error,
                                  attempted.error.empty()));
        },
        Durability::lazy);
}

Result<std::vector<Delivery>> SqliteOutbox::list(const DeliveryQuery& query) {
    auto snapshot = engine_->readers.snapshot();
    if (!snapshot) return std::unexpected(snapshot.error());
    const auto webhook = bytes_of(query.webhook);
    std::optional<std::string_view> account;
    if (query.account) account = query.account->name;
    return collect<Delivery>(
        snapshot->db().query(sql::kListDeliveries, webhook, account, query.undelivered_only, query.count),
        read_delivery<Rows>);
}

Result<std::vector<std::vector<Delivery>>> SqliteOutbox::about(std::span<const Topic> topics) {
    auto snapshot = engine_->readers.snapshot();
    if (!snapshot) return std::unexpected(snapshot.error());
    std::vector<std::vector<Delivery>> all;
    for (const Topic& topic : topics) {
        auto some = collect<Delivery>(
            snapshot->db().query(sql::kDeliveriesAbout, IdBytes(topic.batch), topic.ordinal),
            read_delivery<Rows>);
        if (!some) return std::unexpected(some.error());
        all.push_back(std::move(*some));
    }
    return all;
}

Result<std::uint32_t> SqliteOutbox::forget(Timestamp before, std::uint32_t count_max) {
    return engine_->writer.run(
        [&](Tx& tx) -> Result<std::uint32_t> {
            const auto gone = tx.db.run(sql::kForgetDeliveries, before, count_max);
            if (!gone) return std::unexpected(gone.error());
            return static_cast<std::uint32_t>(*gone);
        },
        Durability::lazy);
}

}  // namespace sheaf::store

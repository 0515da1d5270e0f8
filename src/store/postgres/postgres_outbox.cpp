#include "store/postgres/postgres_outbox.h"

#include "store/postgres/batch_row.h"
#include "store/postgres/statements.h"
#include "store/stored_rows.h"

namespace sheaf::store::postgres {
namespace {

constexpr int kDeliveryColumnCount = 17;

bool tells_in_any_case(const core::Batch& batch) {
    return batch.item_events == core::ItemEvents::to_own_targets;
}

void note_of_batch(Connection& db, FactKind kind, const core::Batch& batch) {
    db.queue(sql::kNoteBatch, tells_in_any_case(batch), Text{batch.account.name}, Text{batch.dialect}, kind,
             id_bytes(batch.id), *batch.ended_at);
}

Fact read_fact(const Rows& rows) {
    return {.number = rows.number(0),
            .kind = rows.as<FactKind>(1),
            .account = {rows.text(2)},
            .batch = batch_id(rows.bytes(3)),
            .ordinal = rows.as<std::uint32_t>(4),
            .at = rows.time(5)};
}

// Hands the statement that inserts a delivery, and its values, to `ask`.
template <class Ask>
auto with_insertion(const Delivery& delivery, const Ask& ask) {
    const std::string_view token = delivery.webhook ? std::string_view() : delivery.secret.reveal();
    return ask(sql::kInsertDelivery, delivery.event, delivery.type, Text{delivery.account.name},
               delivery.form, id_bytes(delivery.webhook), delivery.target, delivery.url, token,
               delivery.payload, id_bytes(delivery.batch), delivery.ordinal, delivery.created_at,
               delivery.attempts_max, delivery.next_at);
}

// All rows of a query, as `read` takes them.
template <class T, class Read>
Result<std::vector<T>> collect(Result<Rows> rows, const Read& read) {
    if (!rows) return std::unexpected(rows.error());
    std::vector<T> all;
    while (rows->next()) all.push_back(read(*rows));
    return all;
}

}  // namespace

void note_batch_ended(Connection& db, const core::Batch& batch) {
    note_of_batch(db, FactKind::batch_ended, batch);
}

void note_batch_published(Connection& db, const core::Batch& batch) {
    note_of_batch(db, FactKind::batch_published, batch);
}

void note_items_ended(Connection& db, const core::Batch& batch, const std::vector<std::int64_t>& ordinals,
                      const std::vector<std::int64_t>& times) {
    db.queue(sql::kNoteItems, tells_in_any_case(batch), Text{batch.account.name}, Text{batch.dialect},
             FactKind::item_ended, id_bytes(batch.id), ordinals, times);
}

PostgresOutbox::~PostgresOutbox() {
    // Another node need not wait until we are silent for long enough.
    if (!told_) return;
    (void)engine_->pool.write([&](Connection& db) { return db.run(sql::kTellNoMore, engine_->node); },
                              Durability::lazy);
}

Result<bool> PostgresOutbox::is_teller() {
    const auto count = [](const Result<Rows>& rows) -> Result<bool> {
        if (!rows) return std::unexpected(rows.error());
        return rows->count() > 0;
    };
    const auto is =
        engine_->pool.read([&](Connection& db) { return count(db.query(sql::kIsTeller, engine_->node)); });
    if (!is || *is) return is;
    const auto became = engine_->pool.write([&](Connection& db) { return db.run(sql::kTell, engine_->node); },
                                            Durability::lazy);
    if (!became) return std::unexpected(became.error());
    if (*became > 0) told_ = true;
    return *became > 0;
}

Result<std::vector<Fact>> PostgresOutbox::facts(std::uint32_t count_max) {
    const auto is = is_teller();
    if (!is) return std::unexpected(is.error());
    if (!*is) return {};
    return engine_->pool.read(
        [&](Connection& db) { return collect<Fact>(db.query(sql::kOldestFacts, count_max), read_fact); });
}

Result<> PostgresOutbox::expand(std::span<const Expansion> expansions) {
    return engine_->pool.write(
        [&](Connection& db) -> Result<> {
            for (const Expansion& expansion : expansions) {
                for (const Delivery& delivery : expansion.deliveries)
                    with_insertion(delivery, [&](const auto&... values) { db.queue(values...); });
                if (expansion.continue_at)
                    db.queue(sql::kAdvanceFact, expansion.fact, *expansion.continue_at);
                else
                    db.queue(sql::kDeleteFact, expansion.fact);
                // A pipeline that nobody reads from must not grow without a bound.
                if (const auto done = db.flush(); !done) return done;
            }
            return {};
        },
        Durability::lazy);
}

Result<std::int64_t> PostgresOutbox::add(const Delivery& delivery) {
    return engine_->pool.write([&](Connection& db) -> Result<std::int64_t> {
        auto rows = with_insertion(delivery, [&](const auto&... values) { return db.query(values...); });
        if (!rows) return std::unexpected(rows.error());
        (void)rows->next();
        engine_->tell_changed(db);
        return rows->number(0);
    });
}

Result<std::vector<DueDelivery>> PostgresOutbox::due(Timestamp now, std::uint32_t per_target_max) {
    const auto is = is_teller();
    if (!is) return std::unexpected(is.error());
    if (!*is) return {};
    return engine_->pool.read([&](Connection& db) {
        return collect<DueDelivery>(db.query(sql::kDue, now, per_target_max), [](const Rows& rows) {
            return DueDelivery{rows.number(0), rows.text(1), {rows.text(2)}};
        });
    });
}

Result<Delivery> PostgresOutbox::find(std::int64_t number) {
    return engine_->pool.read([&](Connection& db) -> Result<Delivery> {
        auto rows = db.query(sql::kFindDelivery, number);
        if (!rows) return std::unexpected(rows.error());
        if (!rows->next()) return fail(ErrorCode::not_found, "there is no such delivery");
        Delivery delivery = read_delivery(*rows);
        delivery.secret = Secret(rows->text(kDeliveryColumnCount));
        delivery.payload = rows->text(kDeliveryColumnCount + 1);
        return delivery;
    });
}

Result<> PostgresOutbox::record(const Attempted& attempted) {
    return engine_->pool.write(
        [&](Connection& db) -> Result<> {
            if (attempted.again_at && !attempted.error.empty())
                db.queue(sql::kRecordAttempt, attempted.delivery, *attempted.again_at, attempted.error);
            else
                db.queue(sql::kEndDelivery, attempted.delivery, attempted.at, attempted.error,
                         attempted.error.empty());
            return {};
        },
        Durability::lazy);
}

Result<std::vector<Delivery>> PostgresOutbox::list(const DeliveryQuery& query) {
    std::optional<Text> account;
    if (query.account) account = Text{query.account->name};
    return engine_->pool.read([&](Connection& db) {
        return collect<Delivery>(db.query(sql::kListDeliveries, id_bytes(query.webhook), account,
                                          query.undelivered_only, query.count),
                                 read_delivery<Rows>);
    });
}

Result<std::vector<std::vector<Delivery>>> PostgresOutbox::about(std::span<const Topic> topics) {
    return engine_->pool.read_snapshot([&](Connection& db) -> Result<std::vector<std::vector<Delivery>>> {
        std::vector<std::vector<Delivery>> all;
        for (const Topic& topic : topics) {
            auto some = collect<Delivery>(
                db.query(sql::kDeliveriesAbout, id_bytes(topic.batch), topic.ordinal), read_delivery<Rows>);
            if (!some) return std::unexpected(some.error());
            all.push_back(std::move(*some));
        }
        return all;
    });
}

Result<std::uint32_t> PostgresOutbox::forget(Timestamp before, std::uint32_t count_max) {
    return engine_->pool.write(
        [&](Connection& db) -> Result<std::uint32_t> {
            const auto gone = db.run(sql::kForgetDeliveries, before, count_max);
            if (!gone) return std::unexpected(gone.error());
            return static_cast<std::uint32_t>(*gone);
        },
        Durability::lazy);
}

}  // namespace sheaf::store::postgres

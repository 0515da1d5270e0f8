#include "store/postgres/postgres_items.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "base/hash.h"
#include "store/postgres/batch_row.h"
#include "store/postgres/postgres_outbox.h"
#include "store/postgres/statements.h"

namespace sheaf::store::postgres {
namespace {

// Of an item's first lease. A crash of the server may undo the last claims, which are not synced, while their
// holders live on: then the items' next epochs must be others.
std::uint32_t first_epoch() {
    std::uint32_t epoch = 0;
    fill_random(&epoch, sizeof epoch);
    return (epoch >> 2) + 1;
}

// How much may still be claimed.
struct Allowance {
    std::uint32_t count = 0;
    std::uint64_t bytes = 0;
    bool is_first = true;  // nothing was taken yet: one item is, however large it be
};

void take_rows(Rows& rows, const ClaimRequest& request, Allowance& allowance, ItemQueue::Claimed& claimed) {
    while (rows.next()) {
        core::Lease lease;
        lease.item.id = request.batch.item(rows.as<std::uint32_t>(0));
        if (!rows.is_null(1)) lease.item.custom_id = rows.text(1);
        lease.item.subject.text = rows.text(2);
        lease.item.state = core::ItemState::running;
        lease.epoch = rows.as<std::uint32_t>(5);
        lease.attempt = rows.as<std::uint32_t>(6);
        lease.expires_at = request.now + request.lease_for;
        lease.prefix = rows.as<std::uint64_t>(7);
        const std::string_view body = rows.bytes(3);
        const bool is_sound = crc32c(body) == rows.as<std::uint32_t>(4);
        if (is_sound) lease.body = body;
        --allowance.count;
        allowance.bytes -= std::min<std::uint64_t>(allowance.bytes, body.size());
        allowance.is_first = false;
        (is_sound ? claimed.leases : claimed.damaged).push_back(std::move(lease));
    }
}

Result<> take_lost(Engine& engine, Connection& db, const ClaimRequest& request, BatchRow& row,
                   Allowance& allowance, ItemQueue::Claimed& claimed) {
    if (!row.leases_end_at || *row.leases_end_at > request.now) return {};
    const std::uint32_t count_max = allowance.count;
    db.queue(sql::kSplitEndedClaims, row.number, request.now);
    auto rows = db.query(sql::kLeaseLost, row.number, request.now, count_max, allowance.bytes,
                         request.now + request.lease_for, engine.node);
    if (!rows) return std::unexpected(rows.error());
    const auto taken = static_cast<std::uint32_t>(rows->count());
    take_rows(*rows, request, allowance, claimed);
    auto soonest = db.query(sql::kSoonestLease, row.number);
    if (!soonest) return std::unexpected(soonest.error());
    (void)soonest->next();
    row.leases_end_at = soonest->time_or_null(0);
    // Of those that ended some may be left for want of room: then nothing that is queued comes before them.
    const bool is_more_left = taken > 0 && row.leases_end_at && *row.leases_end_at <= request.now;
    if (is_more_left) allowance.count = 0;
    return {};
}

Result<> take_queued(Engine& engine, Connection& db, const ClaimRequest& request, BatchRow& row,
                     Allowance& allowance, ItemQueue::Claimed& claimed) {
    core::Batch& batch = row.batch;
    if (batch.state == core::BatchState::canceling || batch.counts.queued == 0 || allowance.count == 0)
        return {};
    const std::int64_t always = allowance.is_first ? std::int64_t{row.cursor} : -1;
    const Timestamp until = request.now + request.lease_for;
    const std::uint32_t epoch = first_epoch();
    auto rows =
        db.query(sql::kTakeQueued, row.number, row.cursor, allowance.count, allowance.bytes, always, epoch);
    if (!rows) return std::unexpected(rows.error());
    const auto count = static_cast<std::uint32_t>(rows->count());
    if (count == 0) return {};
    take_rows(*rows, request, allowance, claimed);
    db.queue(sql::kInsertClaim, row.number, epoch, row.cursor, count, until, engine.node);
    row.cursor += count;
    row.leases_end_at = std::min(row.leases_end_at.value_or(until), until);
    if (batch.state == core::BatchState::accepted)
        batch = *core::after_event(std::move(batch), core::BatchEvent::started, request.now);
    batch.counts.queued -= count;
    batch.counts.running += count;
    return {};
}

Result<ItemQueue::Claimed> take(Engine& engine, Connection& db, const ClaimRequest& request) {
    ItemQueue::Claimed claimed;
    auto row = hold_batch(db, request.batch);
    if (!row) return std::unexpected(row.error());
    if (row->batch.state == core::BatchState::ended) return claimed;
    constexpr std::uint64_t kBytesMost = std::numeric_limits<std::int64_t>::max();
    Allowance allowance{request.count_max, std::min(request.body_bytes_max, kBytesMost)};
    const BatchRow before = *row;
    if (const auto lost = take_lost(engine, db, request, *row, allowance, claimed); !lost)
        return std::unexpected(lost.error());
    if (const auto queued = take_queued(engine, db, request, *row, allowance, claimed); !queued)
        return std::unexpected(queued.error());
    const bool changed = before.cursor != row->cursor || before.leases_end_at != row->leases_end_at;
    if (changed) update_batch(db, *row);
    return claimed;
}

// The batches that a call is about, each held once, in the order of their ids for everybody: so no two wait
// for each other.
class HeldBatches {
public:
    template <class Range, class Project>
    static Result<HeldBatches> hold(Connection& db, const Range& range, Project id_of) {
        std::set<BatchId> ids;
        for (const auto& each : range) ids.insert(id_of(each));
        for (const BatchId& id : ids) db.queue(sql::kHoldBatch, id_bytes(id));
        auto answers = db.collect();
        if (!answers) return std::unexpected(answers.error());
        HeldBatches held;
        for (Rows& rows : *answers) {
            if (rows.next()) held.rows_.push_back(read_batch(rows));
        }
        return held;
    }
    BatchRow* find(const BatchId& id) {
        const auto found = std::ranges::find(rows_, id, [](const BatchRow& row) { return row.batch.id; });
        return found == rows_.end() ? nullptr : &*found;
    }
    std::vector<BatchRow>& rows() { return rows_; }

private:
    std::vector<BatchRow> rows_;
};

// What the statements about leases of one batch take.
struct LeasesOfBatch {
    std::vector<std::int64_t> ordinals;
    std::vector<std::int64_t> keys;
    std::set<std::int64_t> epochs;

    static std::int64_t lease_key(std::int64_t ordinal, std::int64_t epoch) {
        return (ordinal << 32) + epoch;
    }
    void add(std::uint32_t ordinal, std::uint32_t epoch) {
        ordinals.push_back(ordinal);
        keys.push_back(lease_key(ordinal, epoch));
        epochs.insert(epoch);
    }
    std::vector<std::int64_t> all_epochs() const { return {epochs.begin(), epochs.end()}; }
};
using LeasesByBatch = std::map<std::int64_t, LeasesOfBatch>;  // by number
using InBatch = std::pair<std::int64_t, std::int64_t>;        // a batch's number, and an ordinal or an epoch

// The claims that some leases are part of, and which of those leases' items have a result already.
struct Claims {
    std::map<InBatch, std::int64_t> held;  // how many items each holds
    std::set<InBatch> ended;
};

// Locks them, in one order for everybody.
Result<Claims> hold_claims(Connection& db, const LeasesByBatch& leases) {
    for (const auto& [number, some] : leases) {
        db.queue(sql::kHoldClaims, number, some.all_epochs());
        db.queue(sql::kEndedAmong, number, some.ordinals);
    }
    auto answers = db.collect();
    if (!answers) return std::unexpected(answers.error());
    Claims claims;
    for (std::size_t at = 0; at < answers->size(); at += 2) {
        Rows& held = (*answers)[at];
        while (held.next()) claims.held.emplace(InBatch{held.number(0), held.number(1)}, held.number(2));
        Rows& ended = (*answers)[at + 1];
        while (ended.next()) claims.ended.emplace(ended.number(0), ended.number(1));
    }
    return claims;
}

Result<std::vector<ItemId>> prolong(Connection& db, std::span<const core::Lease> leases, Timestamp until) {
    std::set<BatchId> ids;
    for (const core::Lease& lease : leases) ids.insert(lease.item.id.batch);
    auto numbers = db.query(sql::kNumbersOfBatches, all_id_bytes(ids));
    if (!numbers) return std::unexpected(numbers.error());
    std::map<BatchId, std::int64_t> number_of;
    std::map<std::int64_t, BatchId> id_of;
    while (numbers->next()) {
        const BatchId id = batch_id(numbers->bytes(0));
        number_of.emplace(id, numbers->number(1));
        id_of.emplace(numbers->number(1), id);
    }
    LeasesByBatch by_batch;
    for (const core::Lease& lease : leases) {
        const auto number = number_of.find(lease.item.id.batch);
        if (number != number_of.end()) by_batch[number->second].add(lease.item.id.ordinal, lease.epoch);
    }
    const auto claims = hold_claims(db, by_batch);
    if (!claims) return std::unexpected(claims.error());
    std::map<InBatch, std::set<std::uint32_t>> of_claims;
    LeasesByBatch single;
    for (const core::Lease& lease : leases) {
        const auto number = number_of.find(lease.item.id.batch);
        if (number == number_of.end()) continue;
        const InBatch claim{number->second, lease.epoch};
        const std::uint32_t ordinal = lease.item.id.ordinal;
        if (!claims->held.contains(claim))
            single[number->second].add(ordinal, lease.epoch);
        else if (!claims->ended.contains({number->second, ordinal}))
            of_claims[claim].insert(ordinal);
    }
    std::vector<ItemId> held;
    for (const auto& [claim, ordinals] : of_claims) {
        const auto [number, epoch] = claim;
        const bool is_whole = std::ssize(ordinals) == claims->held.at(claim);
        if (is_whole)
            db.queue(sql::kRenewClaim, number, epoch, until);
        else
            db.queue(sql::kSplitClaims, number, std::vector{epoch});
        for (const std::uint32_t ordinal : ordinals) {
            if (is_whole)
                held.push_back(id_of.at(number).item(ordinal));
            else
                single[number].add(ordinal, static_cast<std::uint32_t>(epoch));
        }
    }
    for (const auto& [number, some] : single)
        db.queue(sql::kRenewLeases, number, some.ordinals, some.keys, until);
    auto renewed = db.collect();
    if (!renewed) return std::unexpected(renewed.error());
    for (Rows& rows : *renewed) {
        while (rows.next()) held.push_back(id_of.at(rows.number(0)).item(rows.as<std::uint32_t>(1)));
    }
    return held;
}

Result<> give_back(Engine& engine, Connection& db, std::span<const core::Lease> leases) {
    auto held = HeldBatches::hold(db, leases, [](const core::Lease& lease) { return lease.item.id.batch; });
    if (!held) return std::unexpected(held.error());
    LeasesByBatch by_batch;
    for (const core::Lease& lease : leases) {
        const BatchRow* const row = held->find(lease.item.id.batch);
        if (row != nullptr) by_batch[row->number].add(lease.item.id.ordinal, lease.epoch);
    }
    std::vector<std::int64_t> batches;
    for (const auto& [number, some] : by_batch) {
        db.queue(sql::kSplitClaims, number, some.all_epochs());
        db.queue(sql::kReleaseLeases, number, some.ordinals, some.keys);
        batches.push_back(number);
    }
    if (batches.empty()) return {};
    db.queue(sql::kLookForLeases, batches);
    engine.tell_changed(db);
    return {};
}

// A group of results on its way into the database.
class Group {
public:
    Group(Connection& db, std::span<const ItemResult> results) : db_(&db), results_(results) {
        report_.recorded.assign(results.size(), Recorded::lease_lost);
    }
    Result<FinishReport> record(Engine& engine);

private:
    // Its batch, if it may end so.
    const BatchRow* find(const ItemResult& result) {
        const BatchRow* const row = held_.find(result.item.batch);
        return row != nullptr && may_end(row->batch, result) ? row : nullptr;
    }
    Result<> end_leases();
    void insert();
    void count(BatchRow& row);

    Connection* db_;
    std::span<const ItemResult> results_;
    HeldBatches held_;
    FinishReport report_;
};

// Ends those leases that are still held, and notes whose results count.
Result<> Group::end_leases() {
    LeasesByBatch by_batch;
    for (const ItemResult& result : results_) {
        const BatchRow* const row = find(result);
        if (row != nullptr) by_batch[row->number].add(result.item.ordinal, result.epoch);
    }
    auto claims = hold_claims(*db_, by_batch);
    if (!claims) return std::unexpected(claims.error());
    LeasesByBatch single;
    std::map<InBatch, std::size_t> places;  // by lease_key(), the first of equal ones
    for (std::size_t at = 0; at < results_.size(); ++at) {
        const ItemResult& result = results_[at];
        const BatchRow* const row = find(result);
        if (row == nullptr) continue;
        const auto claim = claims->held.find({row->number, result.epoch});
        if (claim == claims->held.end()) {
            single[row->number].add(result.item.ordinal, result.epoch);
            places.try_emplace({row->number, LeasesOfBatch::lease_key(result.item.ordinal, result.epoch)},
                               at);
        } else if (claims->ended.emplace(row->number, result.item.ordinal).second) {
            --claim->second;
            report_.recorded[at] = Recorded::yes;
        }
    }
    for (const auto& [claim, held] : claims->held) {
        if (held > 0)
            db_->queue(sql::kKeepOfClaim, claim.first, claim.second, held);
        else
            db_->queue(sql::kEndClaim, claim.first, claim.second);
    }
    if (single.empty()) return {};
    for (const auto& [number, some] : single) db_->queue(sql::kEndLeases, number, some.ordinals, some.keys);
    auto ended = db_->collect();
    if (!ended) return std::unexpected(ended.error());
    for (Rows& rows : *ended) {
        while (rows.next()) {
            const auto key = LeasesOfBatch::lease_key(rows.number(1), rows.number(2));
            report_.recorded[places.at({rows.number(0), key})] = Recorded::yes;
        }
    }
    return {};
}

// Columns of rows of the results.
struct Ended {
    std::vector<std::int64_t> batches;
    std::vector<std::int64_t> ordinals;
    std::vector<std::int64_t> states;
    std::vector<std::int64_t> times;

    void add(std::int64_t batch, const ItemResult& result) {
        batches.push_back(batch);
        ordinals.push_back(result.item.ordinal);
        states.push_back(static_cast<std::int64_t>(result.state));
        times.push_back(result.finished_at.time_since_epoch().count());
    }
    bool empty() const { return batches.empty(); }
};

void Group::insert() {
    Ended with_line;
    Ended canceled;
    std::vector<std::string_view> lines;
    std::vector<std::int64_t> checksums;
    for (std::size_t at = 0; at < results_.size(); ++at) {
        if (report_.recorded[at] != Recorded::yes) continue;
        const ItemResult& result = results_[at];
        const bool has_line = core::has_result(result.state);
        (has_line ? with_line : canceled).add(held_.find(result.item.batch)->number, result);
        if (!has_line) continue;
        lines.emplace_back(result.line);
        checksums.push_back(crc32c(result.line));
    }
    if (!with_line.empty())
        db_->queue(sql::kInsertResults, with_line.batches, with_line.ordinals, with_line.states,
                   with_line.times, lines, checksums);
    if (!canceled.empty())
        db_->queue(sql::kInsertCanceled, canceled.batches, canceled.ordinals, canceled.states,
                   canceled.times);
}

void Group::count(BatchRow& row) {
    std::vector<std::int64_t> ordinals;
    std::vector<std::int64_t> times;
    const std::uint32_t ended_before = row.batch.counts.succeeded + row.batch.counts.failed;
    bool any_recorded = false;
    for (std::size_t at = 0; at < results_.size(); ++at) {
        const ItemResult& result = results_[at];
        if (report_.recorded[at] != Recorded::yes || result.item.batch != row.batch.id) continue;
        any_recorded = true;
        if (core::has_result(result.state)) {
            ordinals.push_back(result.item.ordinal);
            times.push_back(result.finished_at.time_since_epoch().count());
        }
        --row.batch.counts.running;
        ++row.batch.counts.of(result.state);
        row.batch.usage += result.usage;
        if (row.batch.counts.unfinished() == 0)
            row.batch =
                *core::after_event(std::move(row.batch), core::BatchEvent::drained, result.finished_at);
    }
    if (!any_recorded) return;
    if (!ordinals.empty()) db_->queue(sql::kInsertEnded, row.number, ended_before, ordinals);
    update_batch(*db_, row);
    if (!ordinals.empty() && row.batch.item_events != core::ItemEvents::none)
        note_items_ended(*db_, row.batch, ordinals, times);
    if (row.batch.state != core::BatchState::ended) return;
    note_batch_ended(*db_, row.batch);
    report_.ended.push_back(row.batch);
}

Result<FinishReport> Group::record(Engine& engine) {
    auto held = HeldBatches::hold(*db_, results_, [](const ItemResult& result) { return result.item.batch; });
    if (!held) return std::unexpected(held.error());
    held_ = std::move(*held);
    if (const auto ended = end_leases(); !ended) return std::unexpected(ended.error());
    insert();
    for (BatchRow& row : held_.rows()) count(row);
    if (!report_.ended.empty()) engine.tell_changed(*db_);
    return std::move(report_);
}

}  // namespace

Result<ItemQueue::Claimed> PostgresItems::claim(const ClaimRequest& request) {
    if (const auto ready = engine_->may_write_batches(); !ready) return std::unexpected(ready.error());
    return engine_->pool.write([&](Connection& db) { return take(*engine_, db, request); }, Durability::lazy);
}

Result<std::vector<ItemId>> PostgresItems::renew(std::span<const core::Lease> leases, Timestamp until) {
    if (const auto ready = engine_->may_write_batches(); !ready) return std::unexpected(ready.error());
    if (leases.empty()) return {};
    return engine_->pool.write([&](Connection& db) { return prolong(db, leases, until); }, Durability::lazy);
}

Result<> PostgresItems::release(std::span<const core::Lease> leases) {
    if (const auto ready = engine_->may_write_batches(); !ready) return ready;
    if (leases.empty()) return {};
    return engine_->pool.write([&](Connection& db) { return give_back(*engine_, db, leases); },
                               Durability::lazy);
}

Result<FinishReport> PostgresItems::finish(std::span<const ItemResult> results) {
    if (const auto ready = engine_->may_write_batches(); !ready) return std::unexpected(ready.error());
    for (const ItemResult& result : results) check_state(result);
    if (results.empty()) return {};
    return engine_->pool.write([&](Connection& db) { return Group(db, results).record(*engine_); });
}

}  // namespace sheaf::store::postgres

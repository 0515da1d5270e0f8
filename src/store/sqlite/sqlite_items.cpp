#include "store/sqlite/sqlite_items.h"

#include <algorithm>
#include <span>

#include "store/sqlite/batch_records.h"
#include "store/sqlite/ended_order.h"
#include "store/sqlite/plan_chunks.h"
#include "store/sqlite/sqlite_batches.h"
#include "store/sqlite/sqlite_outbox.h"
#include "store/sqlite/statements.h"

namespace sheaf::store {
namespace {

// An item that was leased, before its body is read.
struct Taken {
    ItemRow item;
    std::uint32_t epoch = 1;
    std::uint32_t attempt = 1;
    std::uint64_t prefix = 0;
};

struct TakenOf {
    BatchRow batch;
    std::vector<Taken> items;
};

// Whether another item may be claimed, and the count of those that were.
class Allowance {
public:
    explicit Allowance(const ClaimRequest& request)
        : count_left_(request.count_max), bytes_left_(request.body_bytes_max) {}
    std::uint32_t count_left() const { return count_left_; }
    bool take(std::uint64_t bytes) {
        if (count_left_ == 0 || (!is_first_ && bytes > bytes_left_)) {
            count_left_ = 0;
            return false;
        }
        is_first_ = false;
        --count_left_;
        bytes_left_ -= std::min(bytes_left_, bytes);
        return true;
    }

private:
    std::uint32_t count_left_;
    std::uint64_t bytes_left_;
    bool is_first_ = true;
};

Result<> take_lost(Tx& tx, const ClaimRequest& request, Allowance& allowance, TakenOf& taken) {
    const BatchRow& batch = taken.batch;
    if (batch.batch.counts.running == 0) return {};
    {
        auto rows =
            tx.db.query(sql::kEndedLeases, batch.row, batch.first_key(), batch.end_key(), request.now);
        if (!rows) return std::unexpected(rows.error());
        for (;;) {
            const auto more = rows->next();
            if (!more) return std::unexpected(more.error());
            if (!*more) break;
            ItemRow item = read_item(*rows, batch.batch.id, 2);
            if (!allowance.take(item.body_bytes)) break;
            taken.items.push_back(
                {std::move(item), rows->as<std::uint32_t>(0) + 1, rows->as<std::uint32_t>(1) + 1});
        }
    }
    for (const Taken& each : taken.items) {
        const auto noted = tx.db.run(sql::kTakeLease, batch.key(each.item.head.id.ordinal), each.epoch,
                                     each.attempt, request.now + request.lease_for);
        if (!noted) return std::unexpected(noted.error());
    }
    return {};
}

// Takes queued items in the order of their submission, and moves the cursor behind them.
Result<> take_from_cursor(Tx& tx, Allowance& allowance, TakenOf& taken) {
    BatchRow& batch = taken.batch;
    auto rows = tx.db.query(sql::kItemsFrom, batch.row, batch.key(batch.cursor), batch.end_key(),
                            allowance.count_left());
    if (!rows) return std::unexpected(rows.error());
    for (;;) {
        const auto more = rows->next();
        if (!more) return std::unexpected(more.error());
        if (!*more) return {};
        ItemRow item = read_item(*rows, batch.batch.id);
        if (!allowance.take(item.body_bytes)) return {};
        batch.cursor = item.head.id.ordinal + 1;
        taken.items.push_back({.item = std::move(item)});
    }
}

Result<std::optional<ItemRow>> find_item(Tx& tx, const BatchRow& batch, std::uint32_t ordinal) {
    auto rows = tx.db.query(sql::kFindItem, batch.row, batch.key(ordinal));
    if (!rows) return std::unexpected(rows.error());
    const auto found = rows->next();
    if (!found) return std::unexpected(found.error());
    if (!*found) return std::nullopt;
    return read_item(*rows, batch.batch.id);
}

// The same in the order of the plan.
Result<> take_from_plan(Tx& tx, Allowance& allowance, TakenOf& taken) {
    BatchRow& batch = taken.batch;
    while (allowance.count_left() > 0) {
        const auto entries = read_plan(tx.db, batch, allowance.count_left());
        if (!entries) return std::unexpected(entries.error());
        if (entries->empty()) return {};
        for (const core::Planned& entry : *entries) {
            auto item = find_item(tx, batch, entry.ordinal);
            if (!item) return std::unexpected(item.error());
            if (!*item) return fail(ErrorCode::corrupt, "a plan names an item that is not there");
            if (!allowance.take((*item)->body_bytes)) return {};
            ++*batch.plan_next;
            taken.items.push_back({.item = std::move(**item), .prefix = entry.prefix});
        }
    }
    return {};
}

Result<> take_queued(Tx& tx, const ClaimRequest& request, Allowance& allowance, TakenOf& taken) {
    BatchRow& batch = taken.batch;
    if (batch.batch.state == core::BatchState::canceling || batch.batch.counts.queued == 0) return {};
    if (allowance.count_left() == 0) return {};
    const std::size_t lost = taken.items.size();
    const auto taking =
        batch.plan_next ? take_from_plan(tx, allowance, taken) : take_from_cursor(tx, allowance, taken);
    if (!taking) return taking;
    for (Taken& each : std::span(taken.items).subspan(lost)) {
        each.item.head.state = core::ItemState::running;
        const auto noted = tx.db.run(sql::kInsertLease, batch.key(each.item.head.id.ordinal),
                                     request.now + request.lease_for);
        if (!noted) return std::unexpected(noted.error());
    }
    const auto count = static_cast<std::uint32_t>(taken.items.size() - lost);
    if (batch.batch.state == core::BatchState::accepted) {
        batch.batch = *core::after_event(std::move(batch.batch), core::BatchEvent::started, request.now);
    }
    batch.batch.counts.queued -= count;
    batch.batch.counts.running += count;
    return tx.update(batch);
}

Result<TakenOf> take(Tx& tx, const ClaimRequest& request) {
    auto found = tx.find_batch(request.batch);
    if (!found) return std::unexpected(found.error());
    if (!*found) return fail(ErrorCode::not_found, "there is no such batch");
    TakenOf taken{std::move(**found), {}};
    if (taken.batch.batch.state == core::BatchState::ended) return taken;
    Allowance allowance(request);
    if (const auto lost = take_lost(tx, request, allowance, taken); !lost)
        return std::unexpected(lost.error());
    if (const auto queued = take_queued(tx, request, allowance, taken); !queued) {
        return std::unexpected(queued.error());
    }
    return taken;
}

// A batch that a group of results changes.
struct Changed {
    BatchRow row;
    bool tells_items = false;  // to be told to webhooks
    Outcomes outcomes;         // of its items that got their result now,
    // and how many had theirs before.
    std::uint32_t ended_before = row.batch.counts.succeeded + row.batch.counts.failed;
    bool any_recorded = false;

    std::vector<std::uint32_t> ordinals() const {
        std::vector<std::uint32_t> all;
        for (const Outcome& each : outcomes.items) all.push_back(each.ordinal);
        return all;
    }
};

// The batches that a group of results changes, each found once.
class Group {
public:
    explicit Group(Tx& tx) : tx_(&tx) {}

    Result<Changed*> find(const BatchId& id) {
        const auto known =
            std::ranges::find_if(changed_, [&](const auto& each) { return each->row.batch.id == id; });
        if (known != changed_.end()) return known->get();
        auto found = tx_->find_batch(id);
        if (!found) return std::unexpected(found.error());
        if (!*found) return nullptr;
        const bool may_tell = (*found)->batch.item_events != core::ItemEvents::none;
        const auto tells = may_tell ? is_told(*tx_, (*found)->batch) : Result<bool>(false);
        if (!tells) return std::unexpected(tells.error());
        return changed_.emplace_back(std::make_unique<Changed>(std::move(**found), *tells, Outcomes{id, {}}))
            .get();
    }
    const std::vector<std::unique_ptr<Changed>>& changed() const { return changed_; }

private:
    Tx* tx_;
    std::vector<std::unique_ptr<Changed>> changed_;
};

Result<> record_result(Tx& tx, Changed& changed, std::int64_t key, const ItemResult& result) {
    BatchRow& row = changed.row;
    const Place place = tx.lines.append({row.row, result.item.ordinal}, result.line);
    const auto stored =
        tx.db.run(sql::kFinishItem, key, result.state, result.finished_at, place.segment, place.start,
                  place.bytes, result.usage.input_tokens, result.usage.output_tokens);
    if (!stored) return std::unexpected(stored.error());
    changed.outcomes.items.push_back({result.item.ordinal, result.state, result.finished_at, result.usage});
    row.batch.usage += result.usage;
    if (!changed.tells_items) return {};
    return note_item_ended(tx, row.batch, result.item.ordinal, result.finished_at);
}

Result<> record_canceled(Tx& tx, std::int64_t key, const ItemResult& result) {
    const auto stored = tx.db.run(sql::kCancelItem, key, result.state, result.finished_at);
    if (!stored) return std::unexpected(stored.error());
    return {};
}

Result<Recorded> record(Tx& tx, Group& group, const ItemResult& result) {
    const auto batch = group.find(result.item.batch);
    if (!batch) return std::unexpected(batch.error());
    if (*batch == nullptr) return Recorded::lease_lost;
    BatchRow& row = (*batch)->row;
    if (!may_end(row.batch, result)) return Recorded::lease_lost;
    const std::int64_t key = row.key(result.item.ordinal);
    const auto held = tx.db.run(sql::kFinishLease, key, result.epoch);
    if (!held) return std::unexpected(held.error());
    if (*held == 0) return Recorded::lease_lost;
    const auto stored = core::has_result(result.state) ? record_result(tx, **batch, key, result)
                                                       : record_canceled(tx, key, result);
    if (!stored) return std::unexpected(stored.error());
    (*batch)->any_recorded = true;
    --row.batch.counts.running;
    ++row.batch.counts.of(result.state);
    if (row.batch.counts.unfinished() == 0) {
        row.batch = *core::after_event(std::move(row.batch), core::BatchEvent::drained, result.finished_at);
    }
    return Recorded::yes;
}

// That the others are canceled follows from their batch's turn.
Result<> keep_outcomes(Tx& tx, const Changed& changed) {
    if (changed.outcomes.items.empty()) return {};
    tx.lines.note({changed.row.row, kOutcomes}, pack_outcomes(changed.outcomes));
    return insert_ended(tx, changed.row, changed.ended_before, changed.ordinals());
}

Result<FinishReport> record_all(Tx& tx, std::span<const ItemResult> results) {
    FinishReport report;
    Group group(tx);
    for (const ItemResult& result : results) {
        const auto recorded = record(tx, group, result);
        if (!recorded) return std::unexpected(recorded.error());
        report.recorded.push_back(*recorded);
    }
    for (const auto& changed : group.changed()) {
        const BatchRow& row = changed->row;
        if (!changed->any_recorded) continue;
        if (const auto kept = keep_outcomes(tx, *changed); !kept) return std::unexpected(kept.error());
        if (const auto stored = tx.update(row); !stored) return std::unexpected(stored.error());
        if (row.batch.state != core::BatchState::ended) continue;
        // Of canceled items no record says when they ended.
        const auto turned = row.batch.counts.canceled > 0 ? keep_turn(tx, row) : Result<>{};
        if (!turned) return std::unexpected(turned.error());
        if (const auto noted = note_batch_ended(tx, row.batch); !noted) return std::unexpected(noted.error());
        report.ended.push_back(row.batch);
    }
    return report;
}

}  // namespace

Result<ItemQueue::Claimed> SqliteItems::claim(const ClaimRequest& request) {
    if (const auto ready = engine_->may_write_batches(); !ready) return std::unexpected(ready.error());
    auto taken = engine_->writer.run([&](Tx& tx) { return take(tx, request); }, Durability::lazy);
    if (!taken) return std::unexpected(taken.error());
    Claimed claimed;
    std::vector<core::Lease> unread;
    Error why_unread;
    File body;
    for (Taken& each : taken->items) {
        core::Lease lease{.item = each.item.head,
                          .epoch = each.epoch,
                          .attempt = each.attempt,
                          .expires_at = request.now + request.lease_for,
                          .prefix = each.prefix};
        auto bytes = read_body(*engine_, taken->batch, each.item, body);
        if (bytes) {
            lease.body = std::move(*bytes);
            claimed.leases.push_back(std::move(lease));
        } else if (bytes.error().code == ErrorCode::corrupt) {
            claimed.damaged.push_back(std::move(lease));
        } else {
            why_unread = std::move(bytes.error());
            unread.push_back(std::move(lease));
        }
    }
    // For lack of descriptors, say: that is no damage, and passes. Leases that cannot be given back end.
    if (!unread.empty()) (void)release(unread);
    if (!unread.empty() && unread.size() == taken->items.size())
        return std::unexpected(std::move(why_unread));
    return claimed;
}

Result<std::vector<ItemId>> SqliteItems::renew(std::span<const core::Lease> leases, Timestamp until) {
    if (const auto ready = engine_->may_write_batches(); !ready) return std::unexpected(ready.error());
    return engine_->writer.run(
        [&](Tx& tx) -> Result<std::vector<ItemId>> {
            std::vector<ItemId> held;
            for (const core::Lease& lease : leases) {
                const auto batch = tx.find_batch(lease.item.id.batch);
                if (!batch) return std::unexpected(batch.error());
                if (!*batch) continue;
                const auto renewed =
                    tx.db.run(sql::kRenewLease, (*batch)->key(lease.item.id.ordinal), lease.epoch, until);
                if (!renewed) return std::unexpected(renewed.error());
                if (*renewed > 0) held.push_back(lease.item.id);
            }
            return held;
        },
        Durability::lazy);
}

Result<> SqliteItems::release(std::span<const core::Lease> leases) {
    if (const auto ready = engine_->may_write_batches(); !ready) return ready;
    return engine_->writer.run(
        [&](Tx& tx) -> Result<> {
            for (const core::Lease& lease : leases) {
                const auto batch = tx.find_batch(lease.item.id.batch);
                if (!batch) return std::unexpected(batch.error());
                if (!*batch) continue;
                const auto released =
                    tx.db.run(sql::kReleaseLease, (*batch)->key(lease.item.id.ordinal), lease.epoch);
                if (!released) return std::unexpected(released.error());
            }
            return {};
        },
        Durability::lazy);
}

Result<FinishReport> SqliteItems::finish(std::span<const ItemResult> results) {
    if (const auto ready = engine_->may_write_batches(); !ready) return std::unexpected(ready.error());
    for (const ItemResult& result : results) check_state(result);
    return engine_->writer.run([&](Tx& tx) { return record_all(tx, results); });
}

}  // namespace sheaf::store

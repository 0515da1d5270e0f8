#include "store/sqlite/batch_records.h"

#include "store/sqlite/statements.h"

namespace sheaf::store {
namespace {

constexpr std::uint64_t kVersion = 1;

void pack(Packer& to, const core::Usage& usage) {
    to.number(usage.input_tokens);
    to.number(usage.output_tokens);
    to.number(usage.cached_tokens);
    to.number(usage.reasoning_tokens);
}

core::Usage unpack_usage(Unpacker& from) {
    core::Usage usage;
    usage.input_tokens = from.number();
    usage.output_tokens = from.number();
    usage.cached_tokens = from.number();
    usage.reasoning_tokens = from.number();
    return usage;
}

// They mostly follow each other.
void pack_ordinal(Packer& to, std::uint32_t ordinal, std::uint32_t& next) {
    to.difference(std::int64_t{ordinal} - next);
    next = ordinal + 1;
}

std::uint32_t unpack_ordinal(Unpacker& from, std::uint32_t& next) {
    const auto ordinal = static_cast<std::uint32_t>(next + from.difference());
    next = ordinal + 1;
    return ordinal;
}

void pack_state(Packer& to, const Outcome& outcome, Timestamp since) {
    to.choice(outcome.state);
    to.difference((outcome.finished_at - since).count());
}

void unpack_state(Unpacker& from, Outcome& outcome, Timestamp since) {
    outcome.state = from.choice(core::ItemState::expired);
    outcome.finished_at = since + std::chrono::milliseconds{from.difference()};
}

void pack(Packer& to, const BatchTurn& turn) {
    to.number(kVersion);
    to.id(turn.batch);
    to.number(static_cast<std::uint64_t>(turn.row));
    to.choice(turn.state);
    to.choice(turn.end_reason);
    to.time_or_none(turn.cancel_requested_at);
    to.time_or_none(turn.ended_at);
    to.time(turn.purge_at);
    pack(to, turn.usage);
}

std::optional<BatchTurn> unpack_turn(Unpacker& from) {
    if (from.number() != kVersion) return std::nullopt;
    BatchTurn turn;
    turn.batch = from.id();
    turn.row = static_cast<std::int64_t>(from.number());
    turn.state = from.choice(core::BatchState::ended);
    turn.end_reason = from.choice(core::EndReason::rejected);
    turn.cancel_requested_at = from.time_or_none();
    turn.ended_at = from.time_or_none();
    turn.purge_at = from.time();
    turn.usage = unpack_usage(from);
    if (from.failed()) return std::nullopt;
    return turn;
}

}  // namespace

Outcome outcome_of(const ItemRow& item) {
    return {.ordinal = item.head.id.ordinal,
            .state = item.head.state,
            .finished_at = item.head.finished_at.value_or(Timestamp{}),
            .usage = {.input_tokens = item.input_tokens, .output_tokens = item.output_tokens}};
}

ContentsPacker::ContentsPacker(const core::Batch& batch, bool items_named, std::size_t count) {
    to_.id(batch.id);
    to_.text(batch.account.name);
    to_.text(batch.dialect);
    to_.choice(batch.kind);
    to_.choice(batch.item_events);
    to_.text(batch.model);
    to_.text(batch.tag);
    to_.text(batch.shared);
    to_.choice(batch.state);
    to_.choice(batch.end_reason);
    to_.time_or_none(batch.ended_at);
    to_.time(batch.created_at);
    to_.time(batch.expires_at);
    to_.time(batch.purge_at);
    to_.number(static_cast<std::uint64_t>(batch.keep_for.count()));
    to_.time_or_none(batch.archive_at);
    to_.number(items_named ? 1 : 0);
    to_.number(count);
}

void ContentsPacker::add(const std::optional<std::string>& custom_id, std::string_view subject,
                         const Body& body) {
    to_.number(custom_id ? custom_id->size() + 1 : 0);
    if (custom_id) to_.append(*custom_id);
    to_.text(subject);
    // They follow each other closely.
    to_.difference(static_cast<std::int64_t>(body.offset - end_));
    to_.number(body.bytes);
    to_.sum(body.crc);
    end_ = body.offset + body.bytes;
}

std::string pack_head(const BatchRow& row, std::string_view contents) {
    Packer to;
    to.number(kVersion);
    to.number(static_cast<std::uint64_t>(row.row));
    to.number(static_cast<std::uint64_t>(row.body_segment.value_or(0)));
    to.number(row.body_start);
    to.number(row.body_bytes);
    to.append(contents);
    return to.take();
}

std::optional<BatchHead> unpack_head(std::string_view bytes) {
    Unpacker from(bytes);
    if (from.number() != kVersion) return std::nullopt;
    BatchHead head;
    core::Batch& batch = head.batch;
    head.row = static_cast<std::int64_t>(from.number());
    const auto segment = static_cast<std::int64_t>(from.number());
    if (segment != 0) head.body_segment = segment;
    head.body_start = from.number();
    head.body_bytes = from.number();
    batch.id = from.id();
    batch.account.name = from.text();
    batch.dialect = from.text();
    batch.kind = from.choice(core::BatchKind::task);
    batch.item_events = from.choice(core::ItemEvents::to_own_targets);
    batch.model = from.text();
    batch.tag = from.text();
    batch.shared = from.text();
    batch.state = from.choice(core::BatchState::ended);
    batch.end_reason = from.choice(core::EndReason::rejected);
    batch.ended_at = from.time_or_none();
    batch.created_at = from.time();
    batch.expires_at = from.time();
    batch.purge_at = from.time();
    batch.keep_for = std::chrono::seconds{static_cast<std::int64_t>(from.number())};
    batch.archive_at = from.time_or_none();
    head.items_named = from.number() != 0;
    const std::uint64_t count = from.number();
    if (from.failed() || count > kItemsMax) return std::nullopt;
    std::uint64_t end = 0;
    for (std::uint64_t at = 0; at < count && !from.failed(); ++at) {
        BatchHead::Item item;
        if (const std::uint64_t named = from.number(); named > 0) item.custom_id = from.text_of(named - 1);
        item.subject.text = from.text();
        item.body_offset = end + static_cast<std::uint64_t>(from.difference());
        item.body_bytes = from.number();
        item.body_crc = from.sum();
        end = item.body_offset + item.body_bytes;
        head.items.push_back(std::move(item));
    }
    if (from.failed() || !from.at_end()) return std::nullopt;
    return head;
}

std::string pack_outcomes(const Outcomes& outcomes) {
    Packer to;
    to.number(kVersion);
    to.id(outcomes.batch);
    const Timestamp since = outcomes.items.empty() ? Timestamp{} : outcomes.items.front().finished_at;
    to.time(since);
    to.number(outcomes.items.size());
    std::uint32_t next = 0;
    for (const Outcome& outcome : outcomes.items) {
        pack_ordinal(to, outcome.ordinal, next);
        pack_state(to, outcome, since);
        pack(to, outcome.usage);
    }
    return to.take();
}

std::optional<Outcomes> unpack_outcomes(std::string_view bytes) {
    Unpacker from(bytes);
    if (from.number() != kVersion) return std::nullopt;
    Outcomes outcomes;
    outcomes.batch = from.id();
    const Timestamp since = from.time();
    const std::uint64_t count = from.number();
    if (from.failed() || count > kItemsMax) return std::nullopt;
    std::uint32_t next = 0;
    for (std::uint64_t at = 0; at < count && !from.failed(); ++at) {
        Outcome& outcome = outcomes.items.emplace_back();
        outcome.ordinal = unpack_ordinal(from, next);
        unpack_state(from, outcome, since);
        outcome.usage = unpack_usage(from);
        if (outcome.ordinal >= kItemsMax) return std::nullopt;
    }
    if (from.failed() || !from.at_end()) return std::nullopt;
    return outcomes;
}

BatchTurn turn_of(const BatchRow& row) {
    const core::Batch& batch = row.batch;
    return {.batch = batch.id,
            .row = row.row,
            .state = batch.state,
            .end_reason = batch.end_reason,
            .cancel_requested_at = batch.cancel_requested_at,
            .ended_at = batch.ended_at,
            .purge_at = batch.purge_at,
            .usage = batch.usage};
}

std::string pack_turn(const BatchTurn& turn) {
    Packer to;
    pack(to, turn);
    return to.take();
}

std::optional<BatchTurn> unpack_turn(std::string_view bytes) {
    Unpacker from(bytes);
    auto turn = unpack_turn(from);
    return turn && from.at_end() ? turn : std::nullopt;
}

std::string pack_gone(const BatchGone& gone) {
    Packer to;
    to.number(kVersion);
    to.id(gone.batch);
    to.number(static_cast<std::uint64_t>(gone.row));
    to.time_or_none(gone.archived_at);
    return to.take();
}

std::optional<BatchGone> unpack_gone(std::string_view bytes) {
    Unpacker from(bytes);
    if (from.number() != kVersion) return std::nullopt;
    BatchGone gone;
    gone.batch = from.id();
    gone.row = static_cast<std::int64_t>(from.number());
    gone.archived_at = from.time_or_none();
    if (from.failed() || !from.at_end()) return std::nullopt;
    return gone;
}

EndedPacker::EndedPacker(const BatchTurn& turn, std::uint32_t count)
    : since_(turn.ended_at.value_or(Timestamp{})) {
    pack(to_, turn);
    to_.number(count);
}

void EndedPacker::add(const Outcome& outcome) {
    pack_ordinal(to_, outcome.ordinal, next_);
    pack_state(to_, outcome, since_);
    to_.number(outcome.usage.input_tokens);
    to_.number(outcome.usage.output_tokens);
}

std::string EndedPacker::finish(std::span<const std::uint32_t> order) {
    to_.number(order.size());
    next_ = 0;
    for (const std::uint32_t ordinal : order) pack_ordinal(to_, ordinal, next_);
    return to_.take();
}

std::optional<Ended> unpack_ended(std::string_view bytes) {
    Unpacker from(bytes);
    auto turn = unpack_turn(from);
    const std::uint64_t count = from.number();
    if (!turn || from.failed() || count > kItemsMax) return std::nullopt;
    Ended ended{std::move(*turn), {}, {}};
    const Timestamp since = ended.turn.ended_at.value_or(Timestamp{});
    std::uint32_t next = 0;
    for (std::uint64_t at = 0; at < count && !from.failed(); ++at) {
        Outcome& outcome = ended.items.emplace_back();
        outcome.ordinal = unpack_ordinal(from, next);
        unpack_state(from, outcome, since);
        outcome.usage.input_tokens = from.number();
        outcome.usage.output_tokens = from.number();
        if (outcome.ordinal >= count) return std::nullopt;
    }
    const std::uint64_t with_result = from.number();
    if (from.failed() || with_result > count) return std::nullopt;
    next = 0;
    for (std::uint64_t at = 0; at < with_result && !from.failed(); ++at)
        ended.order.push_back(unpack_ordinal(from, next));
    if (from.failed() || !from.at_end()) return std::nullopt;
    return ended;
}

Result<std::optional<Place>> find_record(Connection& db, std::int64_t row, Stream stream) {
    auto rows = db.query(sql::kFindRecord, row, stream);
    if (!rows) return std::unexpected(rows.error());
    const auto found = rows->next();
    if (!found) return std::unexpected(found.error());
    if (!*found) return std::nullopt;
    return Place{rows->number(0), rows->as<std::uint64_t>(1), rows->as<std::uint64_t>(2)};
}

Result<> keep_head(Tx& tx, const BatchRow& row, std::string_view contents) {
    const Place place = tx.bodies.append({row.row, kHead}, pack_head(row, contents));
    const auto kept =
        tx.db.run(sql::kInsertRecord, row.row, Stream::bodies, place.segment, place.start, place.bytes);
    if (!kept) return std::unexpected(kept.error());
    return {};
}

Result<> keep_turn(Tx& tx, const BatchRow& row) {
    if (const auto dropped = drop_record(tx, row.row, Stream::lines); !dropped) return dropped;
    const Place place = tx.lines.append({row.row, kTurn}, pack_turn(turn_of(row)));
    const auto kept =
        tx.db.run(sql::kInsertRecord, row.row, Stream::lines, place.segment, place.start, place.bytes);
    if (!kept) return std::unexpected(kept.error());
    return {};
}

Result<> drop_record(Tx& tx, std::int64_t row, Stream stream) {
    const auto place = find_record(tx.db, row, stream);
    if (!place) return std::unexpected(place.error());
    if (!*place) return {};
    auto done = tx.db.run(sql::kDropRecords, stream, (*place)->segment, 1);
    if (done) done = tx.db.run(sql::kDeleteRecord, row, stream);
    if (!done) return std::unexpected(done.error());
    return {};
}

}  // namespace sheaf::store

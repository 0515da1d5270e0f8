#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/batches.h"
#include "store/sqlite/batch_row.h"
#include "store/sqlite/packing.h"
#include "store/sqlite/writer.h"

// What stands beside bodies and lines, so that a lost index can be built anew from them
// (docs/adr/0016-records-that-rebuild.md). Formats of their own versions: a reader takes the older ones too.
namespace sheaf::store {

// A batch as it was created, but for its plan.
struct BatchHead {
    core::Batch batch;  // its counts are not filled
    bool items_named = false;
    std::int64_t row = 0;
    std::optional<std::int64_t> body_segment;
    std::uint64_t body_start = 0;
    std::uint64_t body_bytes = 0;
    struct Item {
        std::optional<std::string> custom_id;
        core::Subject subject;
        std::uint64_t body_offset = 0;
        std::uint64_t body_bytes = 0;
        std::uint32_t body_crc = 0;
    };
    std::vector<Item> items;
};
// In two steps, for most of it is known before the transaction in which the batch gets its row.
class ContentsPacker {
public:
    ContentsPacker(const core::Batch& batch, bool items_named, std::size_t count);
    struct Body {
        std::uint64_t offset = 0;
        std::uint64_t bytes = 0;
        std::uint32_t crc = 0;
    };
    void add(const std::optional<std::string>& custom_id, std::string_view subject, const Body& body);
    std::string take() { return to_.take(); }

private:
    Packer to_;
    std::uint64_t end_ = 0;  // of the body of the one before
};
std::string pack_head(const BatchRow& row, std::string_view contents);
std::optional<BatchHead> unpack_head(std::string_view bytes);

// How an item ended, but for its line.
struct Outcome {
    std::uint32_t ordinal = 0;
    core::ItemState state = core::ItemState::failed;
    Timestamp finished_at;
    core::Usage usage;
};
// Those of one batch that were recorded together.
struct Outcomes {
    BatchId batch;
    std::vector<Outcome> items;
};
std::string pack_outcomes(const Outcomes& outcomes);
std::optional<Outcomes> unpack_outcomes(std::string_view bytes);

Outcome outcome_of(const ItemRow& item);

// What happened to a batch as a whole. Also the first part of what its results file ends with.
struct BatchTurn {
    BatchId batch;
    std::int64_t row = 0;
    core::BatchState state = core::BatchState::accepted;
    core::EndReason end_reason = core::EndReason::none;
    std::optional<Timestamp> cancel_requested_at;
    std::optional<Timestamp> ended_at;
    Timestamp purge_at;
    core::Usage usage;
};
BatchTurn turn_of(const BatchRow& row);
std::string pack_turn(const BatchTurn& turn);
std::optional<BatchTurn> unpack_turn(std::string_view bytes);

// That a batch was removed, or archived: what stands of it elsewhere does not count.
struct BatchGone {
    BatchId batch;
    std::int64_t row = 0;
    std::optional<Timestamp> archived_at;
};
std::string pack_gone(const BatchGone& gone);
std::optional<BatchGone> unpack_gone(std::string_view bytes);

// Of a batch that has ended. Usage of items is without cached and reasoning tokens.
struct Ended {
    BatchTurn turn;
    std::vector<Outcome> items;
    std::vector<std::uint32_t> order;  // in which those with a result got it
};
// Packed as its items come, in any order, for there may be many.
class EndedPacker {
public:
    EndedPacker(const BatchTurn& turn, std::uint32_t count);
    void add(const Outcome& outcome);
    std::string finish(std::span<const std::uint32_t> order);

private:
    Packer to_;
    Timestamp since_;
    std::uint32_t next_ = 0;
};
std::optional<Ended> unpack_ended(std::string_view bytes);

// Where the index keeps them: the head in the stream of bodies, the last turn in that of lines.
Result<std::optional<Place>> find_record(Connection& db, std::int64_t row, Stream stream);
Result<> keep_head(Tx& tx, const BatchRow& row, std::string_view contents);
// Instead of an earlier one.
Result<> keep_turn(Tx& tx, const BatchRow& row);
// Whoever calls erases what may not be left.
Result<> drop_record(Tx& tx, std::int64_t row, Stream stream);

}  // namespace sheaf::store

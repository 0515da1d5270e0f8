#include "store/sqlite/batch_check.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "base/hash.h"
#include "store/sqlite/batch_records.h"
#include "store/sqlite/ended_order.h"
#include "store/sqlite/plan_chunks.h"
#include "store/sqlite/results_file.h"
#include "store/sqlite/statements.h"

namespace sheaf::store {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{1} << 20;

std::string told(const core::Counts& counts) {
    return fmt::format("{} queued, {} running, {} succeeded, {} failed, {} canceled, {} expired",
                       counts.queued, counts.running, counts.succeeded, counts.failed, counts.canceled,
                       counts.expired);
}

// The leases of a batch in the order of its items.
class Leases {
public:
    static Result<Leases> of(Connection& db, const BatchRow& row) {
        auto rows = db.query(sql::kLeasesOf, row.first_key(), row.end_key());
        if (!rows) return std::unexpected(rows.error());
        Leases leases(std::move(*rows));
        if (const auto begun = leases.advance(); !begun) return std::unexpected(begun.error());
        return leases;
    }
    // Whether the item has one. Asked in order.
    Result<bool> has(std::int64_t key) {
        while (key_ && *key_ < key) {
            if (const auto moved = advance(); !moved) return std::unexpected(moved.error());
        }
        return key_ == key;
    }

private:
    explicit Leases(Rows rows) : rows_(std::move(rows)) {}
    Result<> advance() {
        const auto more = rows_.next();
        if (!more) return std::unexpected(more.error());
        key_.reset();
        if (*more) key_ = rows_.number(0);
        return {};
    }
    Rows rows_;
    std::optional<std::int64_t> key_;
};

}  // namespace

Result<> BatchCheck::run() {
    const core::Batch& batch = row_->batch;
    // What is left of it is a name.
    if (batch.archived_at) return {};
    open_body();
    open_results();
    if (const auto done = check_items(); !done) return done;
    if (!body_record_is_whole_ && !a_request_is_damaged_) found_(Fault::body_damaged, nullptr, {});
    if (results_file_ && !a_result_is_damaged_ && !has_gaps_ && line_bytes_seen_ != line_bytes_)
        found_(Fault::results_resized, nullptr,
               fmt::format("{} bytes instead of {}", line_bytes_, line_bytes_seen_));
    compare_counts();
    if (const auto done = check_records(); !done) return done;
    if (const auto done = check_order(); !done) return done;
    if (const auto done = check_plan(); !done) return done;
    return check_files();
}

void BatchCheck::open_body() {
    const bool uses_segment = row_->body_segment.has_value();
    if (!uses_segment) {
        const auto path = parts_.paths->body(row_->batch.id);
        // An empty one was never a file.
        if (row_->body_bytes == 0) return;
        auto file = open_for_read(path);
        if (!file) return found_(Fault::body_missing, nullptr, file.error().message);
        body_file_ = std::move(*file);
        has_body_ = true;
        const auto size = size_of(body_file_.fd());
        // One that was shared may go on.
        body_record_is_whole_ = size && *size >= row_->body_bytes;
        return;
    }
    const Place place = row_->body_place();
    if (!parts_.segments->use(Stream::bodies, place))
        return found_(Fault::body_missing, nullptr, "its place is outside of its segment");
    auto body = parts_.bodies->read(place, {row_->row, kWholeBody});
    if (!body && body.error().code == ErrorCode::corrupt) {
        body_record_is_whole_ = false;
        body = parts_.bodies->read_part(place, 0, place.bytes);
    }
    if (!body) return found_(Fault::body_missing, nullptr, body.error().message);
    small_body_ = std::move(*body);
    has_body_ = true;
}

void BatchCheck::open_results() {
    const core::Batch& batch = row_->batch;
    const std::uint64_t count = batch.counts.total();
    if (!batch.results_bytes || count == 0) return;
    auto file = open_for_read(parts_.paths->results(batch.id));
    if (!file) {
        a_result_is_damaged_ = true;
        return found_(Fault::results_missing, nullptr, file.error().message);
    }
    const auto size = size_of(file->fd());
    const std::uint64_t bytes = size ? *size : 0;
    const std::uint64_t known = *batch.results_bytes;
    const auto own = line_bytes_of(file->fd(), bytes, static_cast<std::uint32_t>(count));
    if (!own) {
        a_result_is_damaged_ = true;
        return found_(Fault::results_missing, nullptr, fmt::format("it has only {} bytes", bytes));
    }
    results_file_ = std::move(*file);
    line_bytes_ = *own;
    if (*own == known) return;
    a_result_is_damaged_ = true;
    // What follows the entries cannot be told from lines where it is damaged itself.
    if (!read_ending(results_file_.fd()) && known <= *own) {
        line_bytes_ = known;
        return found_(Fault::results_unclosed, nullptr, {});
    }
    found_(Fault::results_resized, nullptr, fmt::format("{} bytes instead of {}", *own, known));
}

Result<> BatchCheck::check_items() {
    auto leases = Leases::of(*parts_.db, *row_);
    if (!leases) return std::unexpected(leases.error());
    auto rows = parts_.db->query(sql::kItemsFrom, row_->row, row_->first_key(), row_->end_key(), -1);
    if (!rows) return std::unexpected(rows.error());
    for (;;) {
        const auto more = rows->next();
        if (!more) return std::unexpected(more.error());
        if (!*more) return {};
        const ItemRow item = read_item(*rows, row_->batch.id);
        const auto has_lease = leases->has(row_->key(item.head.id.ordinal));
        if (!has_lease) return std::unexpected(has_lease.error());
        has_gaps_ = has_gaps_ || item.head.id.ordinal != items_;
        ++items_;
        if (item.head.state <= core::ItemState::expired) ++counts_.of(item.head.state);
        check_lease(item, *has_lease);
        check_request(item);
        check_result(item);
    }
}

void BatchCheck::check_lease(const ItemRow& item, bool has_lease) {
    const bool is_running = item.head.state == core::ItemState::running;
    if (is_running && !has_lease) found_(Fault::lease_missing, &item.head, {});
    if (!is_running && has_lease) found_(Fault::lease_stray, &item.head, {});
}

Result<bool> BatchCheck::read_slice(const ItemRow& item, std::string& bytes) const {
    if (item.body_offset > row_->body_bytes || item.body_bytes > row_->body_bytes - item.body_offset)
        return false;
    if (small_body_)
        return crc32c(std::string_view(*small_body_).substr(item.body_offset, item.body_bytes)) ==
               item.body_crc;
    std::uint32_t sum = 0;
    for (std::uint64_t at = 0; at < item.body_bytes; at += bytes.size()) {
        bytes.resize(std::min<std::uint64_t>(kPieceBytes, item.body_bytes - at));
        const auto got = read_at(body_file_.fd(), bytes.data(), bytes.size(), item.body_offset + at);
        if (!got) return std::unexpected(got.error());
        sum = crc32c(bytes, sum);
    }
    return sum == item.body_crc;
}

void BatchCheck::check_request(const ItemRow& item) {
    if (!has_body_) return;
    std::string piece;
    const auto sound = read_slice(item, piece);
    if (sound && *sound) return;
    a_request_is_damaged_ = true;
    found_(core::is_terminal(item.head.state) ? Fault::request_unreadable : Fault::request_damaged,
           &item.head, sound ? std::string() : sound.error().message);
}

void BatchCheck::check_result(const ItemRow& item) {
    if (results_file_) return check_line_in_file(item);
    // The file as a whole is missing.
    if (row_->batch.results_bytes) return;
    if (core::has_result(item.head.state)) check_line_in_log(item);
}

void BatchCheck::check_line_in_log(const ItemRow& item) {
    ++results_;
    if (!item.line) return found_(Fault::result_damaged, &item.head, "the index does not know its place");
    if (!parts_.segments->use(Stream::lines, *item.line))
        return found_(Fault::result_damaged, &item.head, "its place is outside of its segment");
    const auto line = parts_.lines->read(*item.line, {row_->row, item.head.id.ordinal});
    if (!line) found_(Fault::result_damaged, &item.head, line.error().message);
}

void BatchCheck::check_line_in_file(const ItemRow& item) {
    ++results_;
    const auto line = read_result(results_file_.fd(), line_bytes_, item.head.id.ordinal);
    if (line) {
        line_bytes_seen_ += line->size();
        return;
    }
    a_result_is_damaged_ = true;
    found_(Fault::result_damaged, &item.head, line.error().message);
}

void BatchCheck::compare_counts() {
    const core::Batch& batch = row_->batch;
    const std::uint32_t wanted = batch.counts.total();
    if (items_ < wanted || has_gaps_)
        return found_(Fault::items_missing, nullptr, fmt::format("{} of {}", items_, wanted));
    if (counts_ != batch.counts)
        found_(Fault::counts_wrong, nullptr, fmt::format("{}; it has {}", told(batch.counts), told(counts_)));
    if (batch.state != core::BatchState::ended && counts_.unfinished() == 0)
        found_(Fault::batch_stuck, nullptr, {});
}

Result<> BatchCheck::check_records() {
    const auto read = [&](Stream stream, const SegmentLog& log,
                          std::uint32_t kind) -> Result<std::optional<std::string>> {
        const auto place = find_record(*parts_.db, row_->row, stream);
        if (!place) return std::unexpected(place.error());
        if (!*place) return std::nullopt;
        const bool is_within = parts_.segments->use(stream, **place);
        auto bytes =
            is_within ? log.read(**place, {row_->row, kind})
                      : Result<std::string>(fail(ErrorCode::corrupt, "its place is outside of its segment"));
        if (bytes) return std::move(*bytes);
        found_(Fault::record_damaged, nullptr, bytes.error().message);
        return std::nullopt;
    };
    const auto head = read(Stream::bodies, *parts_.bodies, kHead);
    if (!head) return std::unexpected(head.error());
    const auto turn = read(Stream::lines, *parts_.lines, kTurn);
    if (!turn) return std::unexpected(turn.error());
    const auto told = *head ? unpack_head(**head) : std::nullopt;
    const auto turned = *turn ? unpack_turn(**turn) : std::nullopt;
    if (*head && (!told || told->batch.id != row_->batch.id))
        found_(Fault::record_damaged, nullptr, "it is another's");
    if (*turn && (!turned || turned->batch != row_->batch.id))
        found_(Fault::record_damaged, nullptr, "it is another's");
    return {};
}

Result<> BatchCheck::check_order() {
    if (has_gaps_ || items_ < row_->batch.counts.total()) return {};
    const auto sound = is_ended_order_sound(*parts_.db, *row_);
    if (!sound) return std::unexpected(sound.error());
    if (!*sound) found_(Fault::order_damaged, nullptr, {});
    return {};
}

Result<> BatchCheck::check_plan() {
    // What has ended is not claimed any more.
    if (!row_->plan_next || row_->batch.state == core::BatchState::ended || has_gaps_) return {};
    std::vector<bool> named(items_);
    BatchRow at = *row_;
    at.plan_next = 0;
    std::uint64_t count = 0;
    for (;;) {
        const auto entries = read_plan(*parts_.db, at, kItemsMax);
        if (!entries) return std::unexpected(entries.error());
        if (entries->empty()) break;
        for (const core::Planned& entry : *entries) {
            if (entry.ordinal >= named.size() || named[entry.ordinal]) {
                found_(Fault::plan_damaged, nullptr, fmt::format("entry {}", count));
                return {};
            }
            named[entry.ordinal] = true;
            ++count;
        }
        *at.plan_next += static_cast<std::uint32_t>(entries->size());
    }
    if (count != items_) found_(Fault::plan_damaged, nullptr, fmt::format("{} of {} entries", count, items_));
    return {};
}

Result<> BatchCheck::check_files() {
    if (!row_->batch.results_bytes) return {};
    const std::uint64_t bytes = *row_->batch.results_bytes;
    auto rows = parts_.db->query(sql::kRangesOfBatch, IdBytes(row_->batch.id));
    if (!rows) return std::unexpected(rows.error());
    for (;;) {
        const auto more = rows->next();
        if (!more) return std::unexpected(more.error());
        if (!*more) return {};
        const auto start = rows->as<std::uint64_t>(0);
        const auto length = rows->as<std::uint64_t>(1);
        if (start > bytes || length > bytes - start)
            found_(Fault::file_outside, nullptr,
                   fmt::format("bytes {} to {} of {}", start, start + length, bytes));
    }
}

}  // namespace sheaf::store

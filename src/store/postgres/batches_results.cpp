#include <algorithm>

#include <sys/mman.h>

#include "base/hash.h"
#include "store/postgres/postgres_batches.h"
#include "store/postgres/postgres_files.h"
#include "store/postgres/postgres_outbox.h"
#include "store/postgres/spool.h"
#include "store/postgres/statements.h"

namespace sheaf::store::postgres {
namespace {

constexpr std::uint32_t kRenderedAtOnce = 1000;
constexpr std::size_t kBufferBytes = std::size_t{1} << 20;

// Gives lines to the items of an ended batch that have none.
Result<> render_missing(Connection& db, const BatchRow& row, const Batches::Layout& layout) {
    if (row.batch.counts.canceled + row.batch.counts.expired == 0) return {};
    for (std::uint32_t first = 0;;) {
        auto rows = db.query(sql::kUnrendered, row.number, first, kRenderedAtOnce);
        if (!rows) return std::unexpected(rows.error());
        if (rows->count() == 0) return {};
        std::vector<std::int64_t> ordinals;
        std::vector<std::string> lines;
        std::vector<std::int64_t> checksums;
        while (rows->next()) {
            const core::ItemHead item = read_item(*rows, row.batch.id);
            first = item.id.ordinal + 1;
            ordinals.push_back(item.id.ordinal);
            lines.push_back(layout.render(row.batch, item));
            checksums.push_back(crc32c(lines.back()));
        }
        if (const auto kept = db.run(sql::kKeepRendered, row.number, ordinals, lines, checksums); !kept)
            return std::unexpected(kept.error());
    }
}

Result<core::Batch> lay_out(Engine& engine, Connection& db, const BatchId& id,
                            const Batches::Layout& layout) {
    auto held = hold_batch(db, id);
    if (!held) return std::unexpected(held.error());
    BatchRow& row = *held;
    if (row.batch.results_bytes) return row.batch;
    if (row.batch.state != core::BatchState::ended)
        return fail(ErrorCode::conflict, "the batch has not ended");
    if (const auto rendered = render_missing(db, row, layout); !rendered)
        return std::unexpected(rendered.error());
    auto sums = db.query(sql::kSumLines, row.number);
    if (!sums) return std::unexpected(sums.error());
    (void)sums->next();
    row.succeeded_first = layout.order == core::ItemCodec::Order::succeeded_first;
    const std::uint64_t succeeded = row.succeeded_first ? sums->as<std::uint64_t>(0) : 0;
    const std::uint64_t total = sums->as<std::uint64_t>(1);
    row.batch.results_bytes = total;
    update_batch(db, row);
    note_batch_published(db, row.batch);
    if (layout.files) {
        for (const core::File& file : layout.files(row.batch, succeeded, total)) {
            if (const auto kept = insert_file(db, file); !kept) return std::unexpected(kept.error());
        }
    }
    engine.tell_changed(db);
    return row.batch;
}

// Writes the lines of one order after another into a file.
class FileOfLines {
public:
    explicit FileOfLines(int fd) : fd_(fd) {}

    Result<> add(Connection& db, const char* sql, std::int64_t batch) {
        return db.each(
            [&](Rows& rows) -> Result<> {
                const std::string_view line = rows.bytes(0);
                if (crc32c(line) != rows.as<std::uint32_t>(1))
                    return fail(ErrorCode::corrupt, "a line of the results is damaged");
                buffer_ += line;
                return buffer_.size() < kBufferBytes ? Result<>{} : flush();
            },
            sql, batch);
    }
    Result<> flush() {
        const auto written = write_at(fd_, buffer_, bytes_);
        bytes_ += buffer_.size();
        buffer_.clear();
        return written;
    }
    std::uint64_t bytes() const { return bytes_; }

private:
    int fd_;
    std::string buffer_;
    std::uint64_t bytes_ = 0;
};

Result<SharedDescriptor> make_file(const Engine& engine, Connection& db, const BatchRow& row) {
    auto file = engine.temporary_file();
    if (!file) return file;
    FileOfLines lines((*file)->fd());
    Result<> done;
    if (row.succeeded_first) {
        done = lines.add(db, sql::kLinesOfSucceeded, row.number);
        if (done) done = lines.add(db, sql::kLinesOfOthers, row.number);
    } else {
        done = lines.add(db, sql::kLinesInOrder, row.number);
    }
    if (done) done = lines.flush();
    if (!done) return std::unexpected(done.error());
    if (lines.bytes() != *row.batch.results_bytes)
        return fail(ErrorCode::corrupt, "the results are not as long as when they were laid out");
    return file;
}

// What a rejected batch has.
Result<ResultsFile> no_lines() {
    const auto empty = std::make_shared<const Descriptor>(::memfd_create("results", MFD_CLOEXEC));
    if (empty->fd() < 0) return fail(ErrorCode::unavailable, "no memory file for empty results");
    return ResultsFile{empty, 0};
}

}  // namespace

Result<core::Batch> PostgresBatches::publish(const BatchId& id, const Layout& layout) {
    if (const auto ready = engine_->may_write_batches(); !ready) return std::unexpected(ready.error());
    return engine_->pool.write([&](Connection& db) { return lay_out(*engine_, db, id, layout); });
}

Result<ResultsFile> PostgresBatches::open_results(const BatchId& id) {
    return engine_->pool.read_snapshot([&](Connection& db) -> Result<ResultsFile> {
        const auto row = find_batch(db, id);
        if (!row) return std::unexpected(row.error());
        if (row->batch.archived_at) return fail(ErrorCode::not_found, "the results were archived");
        if (!row->batch.results_bytes) return fail(ErrorCode::conflict, "the results are not laid out yet");
        const std::uint64_t bytes = *row->batch.results_bytes;
        if (bytes == 0) return no_lines();
        auto file = engine_->results.get(id, bytes, [&] { return make_file(*engine_, db, *row); });
        if (!file) return std::unexpected(file.error());
        return ResultsFile{*file, bytes};
    });
}

}  // namespace sheaf::store::postgres

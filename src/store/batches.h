#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/descriptor.h"
#include "base/result.h"
#include "core/batch.h"
#include "core/item.h"
#include "core/item_codec.h"
#include "core/plan.h"

namespace sheaf::store {

// A page of a list: `offset` rows are skipped, at most `count` are returned.
struct PageRange {
    std::uint32_t offset = 0;
    std::uint32_t count = 10;
};
template <class T>
struct Page {
    std::vector<T> rows;
    std::uint64_t total = 0;  // rows that match on all pages
};

// The bytes of a create call, as they arrive. Nothing of it outlives the writer unless create() takes it.
//
// append() may block and belongs to one thread at a time. `bytes()` is readable until the writer goes away,
// without the whole body being held in memory.
class BodySpool {
public:
    virtual ~BodySpool() = default;
    virtual Result<> append(std::string_view bytes) = 0;
    // All that was appended, as one view. Call it when everything is there.
    virtual Result<std::string_view> bytes() = 0;
};

struct ItemDraft {
    std::optional<std::string> custom_id;
    core::Subject subject;
    std::uint64_t body_offset = 0;  // in the batch's spool
    std::uint64_t body_bytes = 0;
};

// The answer to a create call that carried a key of its own; kept for as long as the contract says.
struct IdempotencyRecord {
    AccountId account;
    std::string scope;  // the endpoint
    std::string key;
    std::string request_hash;
    int status = 0;
    std::string response;
    Timestamp expires_at;
};

struct BatchDraft {
    core::Batch batch;  // in state accepted; its counts are filled from `items`
    std::vector<ItemDraft> items;
    // At most this many unfinished batches (kind batch) of the account, this one included. 0: no limit.
    std::uint32_t active_max = 0;
    std::optional<IdempotencyRecord> idempotency;
    // A record of the same key gives way to `idempotency`, instead of being a conflict.
    bool idempotency_replaces = false;
    // find_named() will be asked for its items.
    bool items_named = false;
    // The order in which claims hand out its items, each once; empty: as they were submitted.
    std::vector<core::Planned> plan;
};

// How long after its creation a removed batch still has its place in the lists.
inline constexpr std::chrono::hours kBatchPlaceKept{24 * 60};

// A page of batches beside one that the caller has seen, in the order of their creation.
struct CursorQuery {
    AccountId account;
    std::string dialect;                // empty: of all
    std::optional<BatchId> older_than;  // only those created before it
    std::optional<BatchId> newer_than;  // only those created after it
    std::uint32_t count = 20;
};
struct CursorPage {
    std::vector<core::Batch> rows;  // newest first
    bool has_more = false;          // beyond the last row; of a page by `newer_than` alone, beyond the first
    bool cursor_unknown = false;    // then there are no rows
};

// The state of a batch as a list filter: `reason` matters only for ended.
struct StateFilter {
    core::BatchState state;
    core::EndReason reason = core::EndReason::none;
};

struct BatchQuery {
    AccountId account;
    std::string dialect;              // empty: of all
    std::vector<StateFilter> states;  // any of them; empty for all
    std::vector<std::string> tags;    // any of them; empty for all
    PageRange page;
};

// Items of all batches and tasks of an account: newest batch first, then by ordinal, last item first.
struct ItemQuery {
    AccountId account;
    std::string dialect;
    std::vector<core::ItemState> states;  // any of them; empty for all
    std::optional<core::Subject> subject;
    std::optional<std::string> tag;
    PageRange page;
};

struct ItemOfBatch {
    core::Batch batch;
    core::ItemHead item;
};

// An item and its line in the results, which exists once it succeeded or failed; of an item that never ran,
// once the lines of its batch are laid out.
struct ItemLine {
    core::ItemHead item;
    std::optional<std::string> line;
};

// A part of the order in which the items of a batch ended.
struct EndedItems {
    std::vector<ItemLine> items;
    std::uint32_t count = 0;  // of all that have their place in the order already
    bool is_whole = false;    // the batch has ended: there will be no more
};

// A finished results file, for sendfile: its first `bytes` bytes are the lines.
struct ResultsFile {
    SharedDescriptor file;
    std::uint64_t bytes = 0;
};

// Durable batches: what they are, what happened to them, and their results.
//
// Every method is one transaction: it happens whole, or not at all, and is durable when it returns success.
// Methods block (but for cached()) and may be called from any thread. A full disk is ErrorCode::no_space with
// nothing changed. After a failed sync the store answers everything that writes with ErrorCode::unavailable
// until it is opened again: what was under way is unknown, and nothing is acknowledged any more.
// A batch of another account is not_found, exactly like one that never was.
class Batches {
public:
    virtual ~Batches() = default;

    virtual Result<std::unique_ptr<BodySpool>> new_body() = 0;

    // A body of the first `bytes` of an open file, which nobody changes any more: shared with it where the
    // two lie on one file system, else copied. corrupt: the file has fewer bytes.
    virtual Result<std::unique_ptr<BodySpool>> body_of(const Descriptor& file, std::uint64_t bytes) = 0;

    // Stores the batch with all its items and its body, or nothing. exhausted: `active_max` is reached.
    // conflict: the idempotency key is taken (find_idempotent tells by whom). A draft that has ended for
    // reason `rejected` has no items, tells when it ended and is stored as it is; any other has at least one
    // item. invalid: a plan that does not have as many entries as there are items.
    virtual Result<core::Batch> create(BatchDraft draft, std::unique_ptr<BodySpool> body) = 0;
    virtual Result<std::optional<IdempotencyRecord>> find_idempotent(const AccountId& account,
                                                                     std::string_view scope,
                                                                     std::string_view key) = 0;
    // To be called now and then. Removes records whose time is over, what a backup held off, and the places
    // in lists of batches that were removed long ago.
    virtual Result<> forget_old(Timestamp now) = 0;
    virtual Result<> remember_idempotent(IdempotencyRecord record) = 0;

    // Batches and tasks alike.
    virtual Result<core::Batch> find(const AccountId& account, const BatchId& id) = 0;
    // The same without I/O and without blocking, where the store has the newest state at hand: for polls.
    virtual std::optional<core::Batch> cached(const AccountId& account, const BatchId& id) = 0;
    // Of kind batch, newest first; ties by the larger id.
    virtual Result<Page<core::Batch>> list(const BatchQuery& query) = 0;
    // Of kind batch. A batch keeps its place for 60 days after it was created, though it be removed: whoever
    // deletes while paging loses nothing. With `newer_than` alone the rows are those next to it.
    virtual Result<CursorPage> list_beside(const CursorQuery& query) = 0;
    // Not ended yet, of both kinds and all accounts, oldest first: what there is to do after a start.
    virtual Result<std::vector<core::Batch>> unfinished() = 0;
    // Ended, but their lines are not laid out yet.
    virtual Result<std::vector<core::Batch>> unpublished() = 0;
    // Whose purge_at has passed.
    virtual Result<std::vector<core::Batch>> due_for_purge(Timestamp now, std::uint32_t count_max) = 0;
    // Ended, whose archive_at has passed.
    virtual Result<std::vector<core::Batch>> due_for_archive(Timestamp now, std::uint32_t count_max) = 0;

    // Applies core::after_event to the stored batch and its items, in one transaction. conflict: the event is
    // illegal in the batch's state, which `find` tells.
    virtual Result<core::Batch> apply(const BatchId& id, core::BatchEvent event, Timestamp now) = 0;

    virtual Result<ItemOfBatch> find_item(const AccountId& account, const ItemId& id) = 0;
    // By its custom_id, of a batch whose draft said `items_named`.
    virtual Result<ItemOfBatch> find_named(const AccountId& account, const BatchId& id,
                                           std::string_view custom_id) = 0;
    virtual Result<std::string> read_item_body(const ItemId& id) = 0;
    virtual Result<Page<ItemOfBatch>> list_items(const ItemQuery& query) = 0;
    // Unfinished items that are about `subject`.
    virtual Result<std::uint64_t> count_unfinished(const AccountId& account,
                                                   const core::Subject& subject) = 0;

    // Items from ordinal `first` on, in order, with their lines: at most `count_max` of them and about
    // `bytes_max` bytes of lines, but always one. Reads one consistent state per call.
    virtual Result<std::vector<ItemLine>> read_lines(const BatchId& id, std::uint32_t first,
                                                     std::uint32_t count_max, std::uint64_t bytes_max) = 0;

    // The same in the order in which items ended, from place `after` on: those that succeeded or failed as
    // their results became durable, and once the batch has ended those that never ran, in order of
    // submission. An item keeps its place for good; what ends comes behind all that ended before. Empty past
    // the last. not_found: the results were archived, too.
    virtual Result<EndedItems> read_ended(const BatchId& id, std::uint32_t after, std::uint32_t count_max,
                                          std::uint64_t bytes_max) = 0;

    // Items from ordinal `first` on, in order, at most `count_max`. Empty past the last.
    virtual Result<std::vector<core::ItemHead>> read_heads(const BatchId& id, std::uint32_t first,
                                                           std::uint32_t count_max) = 0;

    // Lays out the lines of an ended batch as its results file, and stores the files that it is read by, in
    // one transaction. A batch that is laid out already is left alone.
    using Render = std::function<std::string(const core::Batch&, const core::ItemHead&)>;
    struct Layout {
        Render render;  // asked for the lines of items that have none: canceled and expired ones
        core::ItemCodec::Order order = core::ItemCodec::Order::submission;
        // From the batch, the bytes of the lines of items that succeeded (with `succeeded_first`; else 0),
        // and of all lines.
        std::function<std::vector<core::File>(const core::Batch&, std::uint64_t, std::uint64_t)> files;
    };
    virtual Result<core::Batch> publish(const BatchId& id, const Layout& layout) = 0;
    // conflict: its lines are not laid out yet. Of a rejected batch it is empty.
    virtual Result<ResultsFile> open_results(const BatchId& id) = 0;

    // Removes the requests and results of an ended batch, whose bytes are gone from the disk then (or, where
    // a backup is being made, when it has been), and keeps the batch: as if it had no items, and without
    // results (not_found). conflict: it has not ended.
    virtual Result<core::Batch> archive(const BatchId& id, Timestamp now) = 0;

    // Removes an ended batch, its items, its body, its results and their files: the bytes are gone from the
    // disk, as with archive(). conflict: it has not ended.
    virtual Result<> remove(const BatchId& id) = 0;
};

}  // namespace sheaf::store

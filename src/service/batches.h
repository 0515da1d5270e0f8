#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "async/blocking.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/result.h"
#include "core/item_codec.h"
#include "service/limits.h"
#include "store/batches.h"

namespace sheaf::service {

// A create call's body on its way to the store, reached without blocking.
class Spool {
public:
    Spool(std::unique_ptr<store::BodySpool> body, async::Lane& lane);
    async::Task<Result<>> append(std::string_view bytes);
    async::Task<Result<std::string_view>> bytes();
    std::unique_ptr<store::BodySpool> take() { return std::move(body_); }

private:
    std::unique_ptr<store::BodySpool> body_;
    async::Lane* lane_;
};

// An item and the SHA-256 of its line, without the '\n' that ends it.
struct LineHash {
    core::ItemHead item;
    Sha256 sha256{};
};

// What happens to batches and tasks at their owner's wish. Belongs to one executor.
//
// Errors are the store's: not_found, conflict (the state does not allow it), exhausted (too many active),
// no_space, unavailable. A batch whose time is up is ended before it is shown, whatever the timers do.
class Batches {
public:
    // `codecs` tell of items before they run: batches of other dialects run in the order of their submission.
    // `wake` is called after something was submitted, canceled or ended, so that the scheduler looks.
    Batches(async::Blocking<store::Batches> store, async::Lane& lane, const Clock& clock, Limits limits,
            core::Codecs codecs, std::function<void()> wake);

    const Limits& limits() const { return limits_; }
    Timestamp now() const { return clock_->now(); }

    async::Task<Result<Spool>> new_body();
    // A body with the bytes of an open file that nobody changes any more.
    async::Task<Result<Spool>> body_of(SharedDescriptor file, std::uint64_t bytes);
    // Plans the order of its items, fills in the counts, and the id with its created_at and the times that
    // the draft leaves out; durable when it returns.
    async::Task<Result<core::Batch>> submit(store::BatchDraft draft, Spool body);
    async::Task<Result<std::optional<store::IdempotencyRecord>>> find_idempotent(const AccountId& account,
                                                                                 std::string scope,
                                                                                 std::string key);

    async::Task<Result<core::Batch>> find(const AccountId& account, BatchId id);
    async::Task<Result<store::Page<core::Batch>>> list(store::BatchQuery query);
    // A page beside a batch, of one dialect or all.
    async::Task<Result<store::CursorPage>> list_beside(store::CursorQuery query);
    // The batch as the cancel left it (ended when nothing was running). conflict: it has ended; canceling
    // again changes nothing and is no error.
    async::Task<Result<core::Batch>> cancel(const AccountId& account, BatchId id);
    // As cancel, but what runs is stopped and canceled too: the batch has ended when it returns.
    async::Task<Result<core::Batch>> abort(const AccountId& account, BatchId id);
    async::Task<Result<>> remove(const AccountId& account, BatchId id);  // conflict: it has not ended

    async::Task<Result<store::ItemOfBatch>> find_item(const AccountId& account, ItemId id);
    // By its custom_id, of a batch whose draft said `items_named`.
    async::Task<Result<store::ItemOfBatch>> find_named(const AccountId& account, BatchId id,
                                                       std::string custom_id);
    // Items without their lines; empty past the last.
    async::Task<Result<std::vector<core::ItemHead>>> read_heads(BatchId id, std::uint32_t first,
                                                                std::uint32_t count_max);
    async::Task<Result<std::string>> read_item_body(ItemId id);
    async::Task<Result<store::Page<store::ItemOfBatch>>> list_items(store::ItemQuery query);
    // The item's line, once it succeeded or failed.
    async::Task<Result<std::optional<std::string>>> read_line(ItemId id);
    // Items and lines from `first` on; empty past the last.
    async::Task<Result<std::vector<store::ItemLine>>> read_lines(BatchId id, std::uint32_t first);
    // What ended, in that order, from place `after` on (store::Batches::read_ended).
    async::Task<Result<store::EndedItems>> read_ended(BatchId id, std::uint32_t after);
    // The hashes of the lines of an ended batch from ordinal `first` on; empty past the last. `line_of_unrun`
    // is asked, on a lane, for those that nobody has rendered yet.
    async::Task<Result<std::vector<LineHash>>> hash_lines(
        BatchId id, std::uint32_t first,
        const std::function<std::string(const core::ItemHead&)>& line_of_unrun);
    // The finished file, once the lines are laid out; nullopt before.
    async::Task<Result<std::optional<store::ResultsFile>>> open_results(const core::Batch& batch);

private:
    async::Task<Result<core::Batch>> stop(const AccountId& account, BatchId id, core::BatchEvent event);
    async::Task<Result<core::Batch>> ended_if_due(core::Batch batch);

    async::Blocking<store::Batches> store_;
    async::Lane* lane_;
    const Clock* clock_;
    Limits limits_;
    core::Codecs codecs_;
    std::function<void()> wake_;
};

}  // namespace sheaf::service

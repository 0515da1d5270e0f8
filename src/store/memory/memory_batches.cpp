#include <algorithm>
#include <functional>
#include <limits>
#include <ranges>
#include <set>

#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "store/batch_draft.h"
#include "store/memory/memory_state.h"

namespace sheaf::store {
namespace {

class MemorySpool final : public BodySpool {
public:
    Result<> append(std::string_view bytes) override {
        text_ += bytes;
        return {};
    }
    Result<std::string_view> bytes() override { return text_; }
    std::string take() { return std::move(text_); }

private:
    std::string text_;
};

Error no_batch() {
    return {ErrorCode::not_found, "there is no such batch", {}};
}

// Newest first; ties by the larger id.
bool is_newer(const core::Batch& left, const core::Batch& right) {
    return std::tie(left.created_at, left.id) > std::tie(right.created_at, right.id);
}

template <class T>
bool is_among(const std::vector<T>& allowed, const T& value) {
    return allowed.empty() || std::ranges::find(allowed, value) != allowed.end();
}

bool matches(const std::vector<StateFilter>& filters, const core::Batch& batch) {
    return filters.empty() || std::ranges::any_of(filters, [&](const StateFilter& filter) {
               return filter.state == batch.state &&
                      (filter.state != core::BatchState::ended || filter.reason == batch.end_reason);
           });
}

class MemoryBatches final : public Batches {
public:
    explicit MemoryBatches(MemoryState& state) : state_(&state) {}

    Result<std::unique_ptr<BodySpool>> new_body() override { return std::make_unique<MemorySpool>(); }

    Result<std::unique_ptr<BodySpool>> body_of(const Descriptor& file, std::uint64_t bytes) override {
        std::string text(bytes, '\0');
        if (::pread(file.fd(), text.data(), text.size(), 0) != static_cast<ssize_t>(bytes)) {
            return fail(ErrorCode::corrupt, "the file ends before its end");
        }
        auto spool = std::make_unique<MemorySpool>();
        (void)spool->append(text);
        return spool;
    }

    Result<core::Batch> create(BatchDraft draft, std::unique_ptr<BodySpool> body) override {
        auto* const spool = dynamic_cast<MemorySpool*>(body.get());
        CHECK(spool != nullptr, "a body comes from new_body() of the same store");
        MemoryBatch stored;
        stored.body = std::make_shared<const std::string>(spool->take());
        if (const auto sound = check_draft(draft, stored.body->size()); !sound)
            return std::unexpected(sound.error());
        stored.batch = first_state(draft);
        for (ItemDraft& item : draft.items) {
            MemoryItem& kept = stored.items.emplace_back();
            kept.head.id = draft.batch.id.item(static_cast<std::uint32_t>(stored.items.size() - 1));
            kept.head.custom_id = std::move(item.custom_id);
            kept.head.subject = std::move(item.subject);
            kept.body_offset = item.body_offset;
            kept.body_bytes = item.body_bytes;
        }
        stored.plan = std::move(draft.plan);
        for (std::uint32_t at = static_cast<std::uint32_t>(stored.plan.size()); at < stored.items.size();
             ++at)
            stored.plan.push_back({.ordinal = at});

        const std::scoped_lock lock(state_->mutex);
        if (state_->batches.contains(stored.batch.id)) {
            return fail(ErrorCode::conflict, "a batch of this id is there already");
        }
        if (draft.active_max > 0 && stored.batch.kind == core::BatchKind::batch &&
            count_active(stored.batch) >= draft.active_max) {
            return fail(ErrorCode::exhausted, "too many batches are active already");
        }
        if (draft.idempotency && draft.idempotency_replaces) {
            const IdempotencyRecord& record = *draft.idempotency;
            state_->idempotency.erase({record.account.name, record.scope, record.key});
        }
        if (draft.idempotency) {
            const auto noted = state_->remember(*draft.idempotency);
            if (!noted) return std::unexpected(noted.error());
        }
        const BatchId id = stored.batch.id;
        stored.place =
            state_->places[id] = {stored.batch.account, ++state_->last_place, stored.batch.created_at};
        if (is_rejected(stored.batch)) state_->note_batch_ended(stored.batch);
        return state_->batches.emplace(id, std::move(stored)).first->second.batch;
    }

    Result<std::optional<IdempotencyRecord>> find_idempotent(const AccountId& account, std::string_view scope,
                                                             std::string_view key) override {
        const std::scoped_lock lock(state_->mutex);
        const auto found = state_->idempotency.find({account.name, std::string(scope), std::string(key)});
        if (found == state_->idempotency.end()) return std::nullopt;
        return found->second;
    }

    Result<> forget_old(Timestamp now) override {
        const std::scoped_lock lock(state_->mutex);
        std::erase_if(state_->idempotency, [&](const auto& entry) { return entry.second.expires_at <= now; });
        std::erase_if(state_->places, [&](const auto& entry) {
            return entry.second.created_at <= now - kBatchPlaceKept && !state_->batches.contains(entry.first);
        });
        return {};
    }

    Result<> remember_idempotent(IdempotencyRecord record) override {
        const std::scoped_lock lock(state_->mutex);
        return state_->remember(record);
    }

    Result<core::Batch> find(const AccountId& account, const BatchId& id) override {
        if (auto batch = cached(account, id)) return std::move(*batch);
        return std::unexpected(no_batch());
    }

    std::optional<core::Batch> cached(const AccountId& account, const BatchId& id) override {
        const std::scoped_lock lock(state_->mutex);
        const auto found = state_->batches.find(id);
        if (found == state_->batches.end() || found->second.batch.account != account) return std::nullopt;
        return found->second.batch;
    }

    Result<CursorPage> list_beside(const CursorQuery& query) override {
        const std::scoped_lock lock(state_->mutex);
        CursorPage page;
        const auto place_of = [&](const std::optional<BatchId>& id, std::uint64_t none) {
            if (!id) return none;
            const auto found = state_->places.find(*id);
            page.cursor_unknown |= found == state_->places.end() || found->second.account != query.account;
            return page.cursor_unknown ? none : found->second.number;
        };
        const std::uint64_t below = place_of(query.older_than, std::numeric_limits<std::uint64_t>::max());
        const std::uint64_t above = place_of(query.newer_than, 0);
        if (page.cursor_unknown) return page;
        std::map<std::uint64_t, const core::Batch*> found;
        for (const auto& [id, stored] : state_->batches) {
            const core::Batch& batch = stored.batch;
            const bool wanted = batch.account == query.account && batch.kind == core::BatchKind::batch &&
                                (query.dialect.empty() || batch.dialect == query.dialect) &&
                                stored.place.number < below && stored.place.number > above;
            if (wanted) found.emplace(stored.place.number, &batch);
        }
        page.has_more = found.size() > query.count;
        while (found.size() > query.count) {
            const bool oldest_first = query.newer_than && !query.older_than;
            found.erase(oldest_first ? std::prev(found.end()) : found.begin());
        }
        for (const auto& [place, batch] : std::views::reverse(found)) page.rows.push_back(*batch);
        return page;
    }

    Result<Page<core::Batch>> list(const BatchQuery& query) override {
        auto rows = batches_where([&](const core::Batch& batch) {
            return batch.account == query.account &&
                   (query.dialect.empty() || batch.dialect == query.dialect) &&
                   batch.kind == core::BatchKind::batch && matches(query.states, batch) &&
                   is_among(query.tags, batch.tag);
        });
        std::ranges::sort(rows, is_newer);
        return page_of(rows, query.page);
    }

    Result<std::vector<core::Batch>> unfinished() override {
        auto rows =
            batches_where([](const core::Batch& batch) { return batch.state != core::BatchState::ended; });
        std::ranges::sort(rows, [](const auto& left, const auto& right) { return is_newer(right, left); });
        return rows;
    }

    Result<std::vector<core::Batch>> unpublished() override {
        return batches_where([](const core::Batch& batch) {
            return batch.state == core::BatchState::ended && !batch.results_bytes;
        });
    }

    Result<std::vector<core::Batch>> due_for_purge(Timestamp now, std::uint32_t count_max) override {
        auto rows = batches_where([&](const core::Batch& batch) { return batch.purge_at <= now; });
        std::ranges::sort(rows, {}, &core::Batch::purge_at);
        if (rows.size() > count_max) rows.resize(count_max);
        return rows;
    }

    Result<std::vector<core::Batch>> due_for_archive(Timestamp now, std::uint32_t count_max) override {
        auto rows = batches_where([&](const core::Batch& batch) {
            return batch.state == core::BatchState::ended && batch.archive_at && *batch.archive_at <= now &&
                   !batch.archived_at;
        });
        std::ranges::sort(rows, {}, &core::Batch::archive_at);
        if (rows.size() > count_max) rows.resize(count_max);
        return rows;
    }

    Result<core::Batch> apply(const BatchId& id, core::BatchEvent event, Timestamp now) override {
        const std::scoped_lock lock(state_->mutex);
        const auto found = state_->batches.find(id);
        if (found == state_->batches.end()) return std::unexpected(no_batch());
        MemoryBatch& stored = found->second;
        const core::Transition* const transition = core::find_transition(stored.batch.state, event);
        const bool drains_early = event == core::BatchEvent::drained && stored.batch.counts.unfinished() > 0;
        if (transition == nullptr || drains_early) {
            return fail(ErrorCode::conflict,
                        "the batch is " + std::string(core::to_string(stored.batch.state)));
        }
        for (MemoryItem& item : stored.items) {
            std::optional<core::ItemState> becomes;
            if (item.head.state == core::ItemState::queued) becomes = transition->queued_items_become;
            if (item.head.state == core::ItemState::running) becomes = transition->running_items_become;
            if (!becomes) continue;
            item.head.state = *becomes;
            item.head.finished_at = now;
        }
        stored.batch = *core::after_event(stored.batch, event, now);
        if (stored.batch.state == core::BatchState::ended) state_->note_batch_ended(stored.batch);
        return stored.batch;
    }

    Result<ItemOfBatch> find_item(const AccountId& account, const ItemId& id) override {
        const std::scoped_lock lock(state_->mutex);
        const auto found = state_->batches.find(id.batch);
        if (found == state_->batches.end() || found->second.batch.account != account ||
            id.ordinal >= found->second.items.size()) {
            return fail(ErrorCode::not_found, "there is no such item");
        }
        return ItemOfBatch{found->second.batch, found->second.items[id.ordinal].head};
    }

    Result<ItemOfBatch> find_named(const AccountId& account, const BatchId& id,
                                   std::string_view custom_id) override {
        const std::scoped_lock lock(state_->mutex);
        const auto found = state_->batches.find(id);
        if (found != state_->batches.end() && found->second.batch.account == account) {
            for (const MemoryItem& item : found->second.items) {
                if (item.head.custom_id == custom_id) return ItemOfBatch{found->second.batch, item.head};
            }
        }
        return fail(ErrorCode::not_found, "there is no such item");
    }

    Result<std::vector<core::ItemHead>> read_heads(const BatchId& id, std::uint32_t first,
                                                   std::uint32_t count_max) override {
        const std::scoped_lock lock(state_->mutex);
        const auto found = state_->batches.find(id);
        if (found == state_->batches.end()) return std::unexpected(no_batch());
        std::vector<core::ItemHead> heads;
        for (std::size_t at = first; at < found->second.items.size() && heads.size() < count_max; ++at)
            heads.push_back(found->second.items[at].head);
        return heads;
    }

    Result<std::string> read_item_body(const ItemId& id) override {
        const std::scoped_lock lock(state_->mutex);
        const auto found = state_->batches.find(id.batch);
        if (found == state_->batches.end() || id.ordinal >= found->second.items.size()) {
            return fail(ErrorCode::not_found, "there is no such item");
        }
        const MemoryItem& item = found->second.items[id.ordinal];
        return found->second.body->substr(item.body_offset, item.body_bytes);
    }

    Result<Page<ItemOfBatch>> list_items(const ItemQuery& query) override {
        const std::scoped_lock lock(state_->mutex);
        std::vector<const MemoryBatch*> batches;
        for (const auto& [id, stored] : state_->batches) {
            const core::Batch& batch = stored.batch;
            const bool wanted = batch.account == query.account && batch.dialect == query.dialect &&
                                (!query.tag || batch.tag == *query.tag);
            if (wanted) batches.push_back(&stored);
        }
        std::ranges::sort(
            batches, [](const auto* left, const auto* right) { return is_newer(left->batch, right->batch); });
        std::vector<ItemOfBatch> rows;
        for (const MemoryBatch* const stored : batches) {
            for (auto item = stored->items.rbegin(); item != stored->items.rend(); ++item) {
                const bool is_about =
                    !query.subject || (!query.subject->text.empty() && item->head.subject == *query.subject);
                if (is_about && is_among(query.states, item->head.state))
                    rows.push_back({stored->batch, item->head});
            }
        }
        return page_of(rows, query.page);
    }

    Result<std::uint64_t> count_unfinished(const AccountId& account, const core::Subject& subject) override {
        const std::scoped_lock lock(state_->mutex);
        return state_->count_unfinished(account, subject);
    }

    Result<std::vector<ItemLine>> read_lines(const BatchId& id, std::uint32_t first, std::uint32_t count_max,
                                             std::uint64_t bytes_max) override {
        const std::scoped_lock lock(state_->mutex);
        const auto found = state_->batches.find(id);
        if (found == state_->batches.end()) return std::unexpected(no_batch());
        std::vector<ItemLine> lines;
        std::uint64_t bytes = 0;
        const std::size_t count = std::max<std::size_t>(count_max, 1);
        for (std::size_t at = first; at < found->second.items.size() && lines.size() < count; ++at) {
            const MemoryItem& item = found->second.items[at];
            if (item.line && !lines.empty() && bytes + item.line->size() > bytes_max) break;
            if (item.line) bytes += item.line->size();
            lines.push_back({item.head, item.line});
        }
        return lines;
    }

    Result<EndedItems> read_ended(const BatchId& id, std::uint32_t after, std::uint32_t count_max,
                                  std::uint64_t bytes_max) override {
        const std::scoped_lock lock(state_->mutex);
        const auto found = state_->batches.find(id);
        if (found == state_->batches.end()) return std::unexpected(no_batch());
        const MemoryBatch& stored = found->second;
        if (stored.batch.archived_at) return fail(ErrorCode::not_found, "the results were archived");
        std::vector<std::uint32_t> order = stored.ended;
        EndedItems part{.items = {}, .count = 0, .is_whole = stored.batch.state == core::BatchState::ended};
        for (std::uint32_t at = 0; part.is_whole && at < stored.items.size(); ++at) {
            const core::ItemState state = stored.items[at].head.state;
            if (state == core::ItemState::canceled || state == core::ItemState::expired) order.push_back(at);
        }
        part.count = static_cast<std::uint32_t>(order.size());
        std::uint64_t bytes = 0;
        const std::size_t count = std::max<std::size_t>(count_max, 1);
        for (std::size_t at = after; at < order.size() && part.items.size() < count; ++at) {
            const MemoryItem& item = stored.items[order[at]];
            if (item.line && !part.items.empty() && bytes + item.line->size() > bytes_max) break;
            if (item.line) bytes += item.line->size();
            part.items.push_back({item.head, item.line});
        }
        return part;
    }

    Result<core::Batch> publish(const BatchId& id, const Layout& layout) override {
        const std::scoped_lock lock(state_->mutex);
        const auto found = state_->batches.find(id);
        if (found == state_->batches.end()) return std::unexpected(no_batch());
        MemoryBatch& stored = found->second;
        if (stored.batch.results_bytes) return stored.batch;
        if (stored.batch.state != core::BatchState::ended) {
            return fail(ErrorCode::conflict, "the batch has not ended");
        }
        std::string results;
        std::map<std::uint32_t, std::string> rendered;
        const auto add_where = [&](const auto& wanted) {
            for (const MemoryItem& item : stored.items) {
                if (!wanted(item.head.state)) continue;
                if (item.line) {
                    results += *item.line;
                } else {
                    results += rendered[item.head.id.ordinal] = layout.render(stored.batch, item.head);
                }
            }
        };
        const auto succeeded = [](core::ItemState state) { return state == core::ItemState::succeeded; };
        std::uint64_t succeeded_bytes = 0;
        if (layout.order == core::ItemCodec::Order::submission) {
            add_where([](core::ItemState) { return true; });
        } else {
            add_where(succeeded);
            succeeded_bytes = results.size();
            add_where(std::not_fn(succeeded));
        }
        core::Batch published = stored.batch;
        published.results_bytes = results.size();
        if (layout.files) {
            const auto added = state_->add_files(layout.files(published, succeeded_bytes, results.size()));
            if (!added) return std::unexpected(added.error());
        }
        stored.batch = std::move(published);
        stored.results = std::move(results);
        for (auto& [ordinal, line] : rendered) stored.items[ordinal].line = std::move(line);
        state_->note_batch_published(stored.batch);
        return stored.batch;
    }

    Result<ResultsFile> open_results(const BatchId& id) override {
        const std::scoped_lock lock(state_->mutex);
        const auto found = state_->batches.find(id);
        if (found == state_->batches.end()) return std::unexpected(no_batch());
        const MemoryBatch& stored = found->second;
        if (stored.batch.archived_at) return fail(ErrorCode::not_found, "the results were archived");
        if (!stored.batch.results_bytes) return fail(ErrorCode::conflict, "the results are not laid out yet");
        const auto file = std::make_shared<const Descriptor>(::memfd_create("results", MFD_CLOEXEC));
        const int fd = file->fd();
        if (fd < 0) return fail(ErrorCode::unavailable, "no memory file for the results");
        if (::pwrite(fd, stored.results.data(), stored.results.size(), 0) !=
            static_cast<ssize_t>(stored.results.size())) {
            return fail(ErrorCode::no_space, "the results do not fit into a memory file");
        }
        return ResultsFile{file, stored.results.size()};
    }

    Result<core::Batch> archive(const BatchId& id, Timestamp now) override {
        const std::scoped_lock lock(state_->mutex);
        const auto found = state_->batches.find(id);
        if (found == state_->batches.end()) return std::unexpected(no_batch());
        MemoryBatch& stored = found->second;
        if (stored.batch.state != core::BatchState::ended) {
            return fail(ErrorCode::conflict, "the batch has not ended");
        }
        if (stored.batch.archived_at) return stored.batch;
        stored.batch.archived_at = now;
        stored.batch.results_bytes = stored.batch.results_bytes.value_or(0);
        stored.items.clear();
        stored.ended.clear();
        stored.results.clear();
        stored.body.reset();
        remove_files_of(id, now);
        return stored.batch;
    }

    Result<> remove(const BatchId& id) override {
        const std::scoped_lock lock(state_->mutex);
        const auto found = state_->batches.find(id);
        if (found == state_->batches.end()) return std::unexpected(no_batch());
        if (found->second.batch.state != core::BatchState::ended) {
            return fail(ErrorCode::conflict, "the batch has not ended");
        }
        const core::Batch& batch = found->second.batch;
        remove_files_of(id, batch.purge_at == core::kNever ? *batch.ended_at : batch.purge_at);
        if (batch.kind == core::BatchKind::task) state_->places.erase(id);
        state_->batches.erase(found);
        std::erase_if(state_->facts, [&](const auto& fact) { return fact.second.batch == id; });
        return {};
    }

private:
    void remove_files_of(const BatchId& id, Timestamp at) {
        for (MemoryFile& stored : state_->files) {
            if (stored.file.batch == id && !stored.removed_at) stored.removed_at = at;
        }
    }

    // Of the same account and dialect.
    std::uint32_t count_active(const core::Batch& like) const {
        std::uint32_t count = 0;
        for (const auto& [id, stored] : state_->batches) {
            if (stored.batch.account == like.account && stored.batch.dialect == like.dialect &&
                stored.batch.kind == core::BatchKind::batch &&
                stored.batch.state != core::BatchState::ended) {
                ++count;
            }
        }
        return count;
    }

    template <class Predicate>
    std::vector<core::Batch> batches_where(Predicate wanted) {
        const std::scoped_lock lock(state_->mutex);
        std::vector<core::Batch> rows;
        for (const auto& [id, stored] : state_->batches) {
            if (wanted(stored.batch)) rows.push_back(stored.batch);
        }
        return rows;
    }

    MemoryState* state_;
};

}  // namespace

std::unique_ptr<Batches> make_memory_batches(MemoryState& state) {
    return std::make_unique<MemoryBatches>(state);
}

}  // namespace sheaf::store

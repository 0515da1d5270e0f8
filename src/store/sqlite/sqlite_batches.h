#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <unordered_set>

#include "store/batches.h"
#include "store/sqlite/engine.h"

namespace sheaf::store {

class SqliteBatches final : public Batches {
public:
    explicit SqliteBatches(Engine& engine) : engine_(&engine) {}

    // batches_create.cpp
    Result<std::unique_ptr<BodySpool>> new_body() override;
    Result<std::unique_ptr<BodySpool>> body_of(const Descriptor& file, std::uint64_t bytes) override;
    Result<core::Batch> create(BatchDraft draft, std::unique_ptr<BodySpool> body) override;
    Result<std::optional<IdempotencyRecord>> find_idempotent(const AccountId& account, std::string_view scope,
                                                             std::string_view key) override;
    Result<> forget_old(Timestamp now) override;
    Result<> remember_idempotent(IdempotencyRecord record) override;

    // batches_find.cpp
    Result<core::Batch> find(const AccountId& account, const BatchId& id) override;
    std::optional<core::Batch> cached(const AccountId& account, const BatchId& id) override;
    Result<Page<core::Batch>> list(const BatchQuery& query) override;
    Result<CursorPage> list_beside(const CursorQuery& query) override;
    Result<std::vector<core::Batch>> unfinished() override;
    Result<std::vector<core::Batch>> unpublished() override;
    Result<std::vector<core::Batch>> due_for_purge(Timestamp now, std::uint32_t count_max) override;
    Result<std::vector<core::Batch>> due_for_archive(Timestamp now, std::uint32_t count_max) override;

    // batches_items.cpp
    Result<ItemOfBatch> find_item(const AccountId& account, const ItemId& id) override;
    Result<ItemOfBatch> find_named(const AccountId& account, const BatchId& id,
                                   std::string_view custom_id) override;
    Result<std::string> read_item_body(const ItemId& id) override;
    Result<Page<ItemOfBatch>> list_items(const ItemQuery& query) override;
    Result<std::uint64_t> count_unfinished(const AccountId& account, const core::Subject& subject) override;
    Result<std::vector<ItemLine>> read_lines(const BatchId& id, std::uint32_t first, std::uint32_t count_max,
                                             std::uint64_t bytes_max) override;
    Result<EndedItems> read_ended(const BatchId& id, std::uint32_t after, std::uint32_t count_max,
                                  std::uint64_t bytes_max) override;
    Result<std::vector<core::ItemHead>> read_heads(const BatchId& id, std::uint32_t first,
                                                   std::uint32_t count_max) override;

    // batches_end.cpp
    Result<core::Batch> apply(const BatchId& id, core::BatchEvent event, Timestamp now) override;
    Result<core::Batch> publish(const BatchId& id, const Layout& layout) override;
    Result<ResultsFile> open_results(const BatchId& id) override;
    Result<core::Batch> archive(const BatchId& id, Timestamp now) override;
    Result<> remove(const BatchId& id) override;

private:
    // A results file that was written, before the index speaks of it.
    struct LaidOut {
        std::uint64_t line_bytes = 0;
        std::uint64_t succeeded_bytes = 0;
        std::map<std::int64_t, std::int64_t> records;  // by segment: how many lines of ours
    };
    Result<LaidOut> lay_out(const BatchRow& row, const Layout& layout);
    Result<Engine::Ranges> ranges_of(Tx& tx, const BatchRow& row);
    // Drops a batch's items, body and lines from the index, and notes their bytes as a debt.
    Result<Engine::Ranges> drop_contents(Tx& tx, const BatchRow& row, Timestamp now);
    Result<> settle(const BatchId& id, const Engine::Ranges& ranges);
    bool is_verified(const BatchId& id);
    void set_verified(const BatchId& id);

    Engine* engine_;
    std::atomic<std::uint64_t> spools_{0};
    std::mutex mutex_;
    std::unordered_set<BatchId> verified_;  // results files that were checked since the start
};

// Keeps the record. conflict: its key is taken.
Result<> insert_idempotent(Tx& tx, const IdempotencyRecord& record);
// A batch in the state of the snapshot; not_found.
Result<BatchRow> find_batch_row(Connection& db, const BatchId& id);
// Bytes of one item, checked. `body` may hold the batch's body file, which is opened into it when needed.
Result<std::string> read_body(Engine& engine, const BatchRow& batch, const ItemRow& item, File& body);

}  // namespace sheaf::store

#pragma once

#include "store/batches.h"
#include "store/postgres/batch_row.h"
#include "store/postgres/engine.h"

namespace sheaf::store::postgres {

class PostgresBatches final : public Batches {
public:
    explicit PostgresBatches(Engine& engine) : engine_(&engine) {}

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
    Result<core::Batch> archive(const BatchId& id, Timestamp now) override;
    Result<> remove(const BatchId& id) override;

    // batches_results.cpp
    Result<core::Batch> publish(const BatchId& id, const Layout& layout) override;
    Result<ResultsFile> open_results(const BatchId& id) override;

private:
    Engine* engine_;
};

// Keeps the record. conflict: its key is taken.
Result<> insert_idempotent(Connection& db, const IdempotencyRecord& record);
// What unfinished items of the account are about it.
Result<std::uint64_t> count_unfinished_about(Connection& db, const AccountId& account,
                                             const core::Subject& subject);

}  // namespace sheaf::store::postgres

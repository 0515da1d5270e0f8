#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "store/store.h"

namespace sheaf::store {

struct MemoryItem {
    core::ItemHead head;
    std::uint64_t body_offset = 0;
    std::uint64_t body_bytes = 0;
    std::uint32_t epoch = 0;
    std::uint32_t attempts = 0;
    std::optional<Timestamp> leased_until;  // nullopt while running: the lease was given back
    std::optional<std::string> line;
};

// Where a batch stands among all of them, in the order of creation; kept when it is removed.
struct BatchPlace {
    AccountId account;
    std::uint64_t number = 0;
    Timestamp created_at;
};

struct MemoryBatch {
    core::Batch batch;
    std::shared_ptr<const std::string> body;
    std::vector<MemoryItem> items;
    std::vector<core::Planned> plan;   // one entry an item
    std::vector<std::uint32_t> ended;  // ordinals of the items with a result, in the order they got it
    std::string results;
    BatchPlace place;
};

struct MemoryFile {
    core::File file;
    std::optional<Timestamp> removed_at;
};

using IdempotencyKey = std::tuple<std::string, std::string, std::string>;

// Everything the memory store holds, under one mutex: every method of its ports is one critical section.
struct MemoryState {
    std::mutex mutex;
    std::map<BatchId, MemoryBatch> batches;
    std::map<BatchId, BatchPlace> places;
    std::uint64_t last_place = 0;
    std::vector<MemoryFile> files;  // in the order of creation
    std::map<FileUploadId, core::FileUpload> file_uploads;
    std::map<FileUploadId, std::vector<core::FilePart>> file_parts;
    std::map<IdempotencyKey, IdempotencyRecord> idempotency;
    std::map<AssetId, core::Asset> assets;
    std::map<UploadId, core::Upload> uploads;
    std::map<UploadId, std::map<std::uint32_t, core::UploadChunk>> chunks;
    std::map<std::string, ApiKey, std::less<>> keys;
    std::vector<Webhook> webhooks;  // in the order of insertion
    std::map<std::int64_t, Fact> facts;
    std::int64_t last_fact = 0;
    std::map<std::int64_t, Delivery> deliveries;
    std::int64_t last_delivery = 0;

    // With the mutex held.
    std::uint64_t count_unfinished(const AccountId& account, const core::Subject& subject) const;
    Result<> remember(const IdempotencyRecord& record);
    // Whether anybody wants to hear of the batch.
    bool is_told(const core::Batch& batch) const;
    // Note the fact, where somebody wants to hear of it.
    void note_batch_ended(const core::Batch& batch);
    void note_batch_published(const core::Batch& batch);
    void note_item_ended(const core::Batch& batch, std::uint32_t ordinal, Timestamp at);
    void note(Fact fact);
    Result<> add_files(const std::vector<core::File>& added);  // all of them, or none
};

std::unique_ptr<Batches> make_memory_batches(MemoryState& state);
std::unique_ptr<ItemQueue> make_memory_items(MemoryState& state);
std::unique_ptr<Assets> make_memory_assets(MemoryState& state);
std::unique_ptr<Files> make_memory_files(MemoryState& state);
std::unique_ptr<Outbox> make_memory_outbox(MemoryState& state);

// The rows of `all` that `range` asks for.
template <class T>
Page<T> page_of(const std::vector<T>& all, PageRange range) {
    Page<T> page;
    page.total = all.size();
    for (std::size_t at = range.offset; at < all.size() && page.rows.size() < range.count; ++at) {
        page.rows.push_back(all[at]);
    }
    return page;
}

}  // namespace sheaf::store

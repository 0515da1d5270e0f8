#include <algorithm>

#include "store/memory/memory_state.h"
#include "store/stores.h"

namespace sheaf::store {
namespace {

class MemoryKeys final : public Keys {
public:
    explicit MemoryKeys(MemoryState& state) : state_(&state) {}

    Result<> insert(const ApiKey& key) override {
        const std::scoped_lock lock(state_->mutex);
        if (state_->keys.emplace(key.id, key).second) return {};
        return fail(ErrorCode::conflict, "a key of this id is there already");
    }

    Result<std::optional<ApiKey>> find(std::string_view id) override {
        const std::scoped_lock lock(state_->mutex);
        const auto found = state_->keys.find(id);
        if (found == state_->keys.end()) return std::nullopt;
        return found->second;
    }

    Result<std::vector<ApiKey>> list() override {
        const std::scoped_lock lock(state_->mutex);
        std::vector<ApiKey> keys;
        for (const auto& [id, key] : state_->keys) keys.push_back(key);
        std::ranges::sort(keys, {}, [](const ApiKey& key) { return std::tie(key.created_at, key.id); });
        return keys;
    }

    Result<> revoke(std::string_view id, Timestamp now) override {
        const std::scoped_lock lock(state_->mutex);
        const auto found = state_->keys.find(id);
        if (found == state_->keys.end()) return fail(ErrorCode::not_found, "there is no such key");
        if (!found->second.revoked_at) found->second.revoked_at = now;
        return {};
    }

private:
    MemoryState* state_;
};

class MemoryStore final : public Store {
public:
    Batches& batches() override { return *batches_; }
    ItemQueue& items() override { return *items_; }
    Assets& assets() override { return *assets_; }
    Files& files() override { return *files_; }
    Outbox& outbox() override { return *outbox_; }
    Keys& keys() override { return keys_; }
    Result<> health() override { return {}; }

private:
    MemoryState state_;
    std::unique_ptr<Batches> batches_ = make_memory_batches(state_);
    std::unique_ptr<ItemQueue> items_ = make_memory_items(state_);
    std::unique_ptr<Assets> assets_ = make_memory_assets(state_);
    std::unique_ptr<Files> files_ = make_memory_files(state_);
    std::unique_ptr<Outbox> outbox_ = make_memory_outbox(state_);
    MemoryKeys keys_{state_};
};

}  // namespace

std::uint64_t MemoryState::count_unfinished(const AccountId& account, const core::Subject& subject) const {
    if (subject.text.empty()) return 0;
    std::uint64_t count = 0;
    for (const auto& [id, stored] : batches) {
        if (stored.batch.account != account) continue;
        for (const MemoryItem& item : stored.items) {
            if (item.head.subject == subject && !core::is_terminal(item.head.state)) ++count;
        }
    }
    return count;
}

Result<> MemoryState::remember(const IdempotencyRecord& record) {
    if (idempotency.emplace(IdempotencyKey{record.account.name, record.scope, record.key}, record).second)
        return {};
    return fail(ErrorCode::conflict, "the idempotency key was used before");
}

Result<> MemoryState::add_files(const std::vector<core::File>& added) {
    for (const core::File& file : added) {
        if (std::ranges::find(files, file.id, [](const MemoryFile& stored) { return stored.file.id; }) !=
            files.end())
            return fail(ErrorCode::conflict, "a file of this id is there already");
    }
    for (const core::File& file : added) files.push_back({file, std::nullopt});
    return {};
}

std::unique_ptr<Store> make_memory_store() {
    return std::make_unique<MemoryStore>();
}

}  // namespace sheaf::store

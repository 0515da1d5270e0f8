#include <algorithm>

#include <fmt/format.h>

#include "store/memory/memory_state.h"

namespace sheaf::store {
namespace {

Error no_asset() {
    return {ErrorCode::not_found, "there is no such asset", {}};
}
Error no_upload() {
    return {ErrorCode::not_found, "there is no such upload", {}};
}

// ASCII only.
std::string lower(std::string_view text) {
    std::string lowered(text);
    for (char& c : lowered) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return lowered;
}

template <class T>
bool is_newer(const T& left, const T& right) {
    return std::tie(left.created_at, left.id) > std::tie(right.created_at, right.id);
}

template <class T>
bool is_among(const std::vector<T>& allowed, const T& value) {
    return allowed.empty() || std::ranges::find(allowed, value) != allowed.end();
}

class MemoryAssets final : public Assets {
public:
    explicit MemoryAssets(MemoryState& state) : state_(&state) {}

    Result<> insert(const core::Asset& asset) override {
        const std::scoped_lock lock(state_->mutex);
        if (state_->assets.emplace(asset.id, asset).second) return {};
        return fail(ErrorCode::conflict, "an asset of this id is there already");
    }

    Result<core::Asset> find(const AccountId& account, const AssetId& id) override {
        const std::scoped_lock lock(state_->mutex);
        const core::Asset* const asset = find_in(account, id);
        if (asset == nullptr) return std::unexpected(no_asset());
        return *asset;
    }

    Result<std::vector<std::optional<core::Asset>>> find_all(const AccountId& account,
                                                             std::span<const AssetId> ids) override {
        const std::scoped_lock lock(state_->mutex);
        std::vector<std::optional<core::Asset>> assets;
        for (const AssetId& id : ids) {
            const core::Asset* const asset = find_in(account, id);
            assets.push_back(asset == nullptr ? std::nullopt : std::optional(*asset));
        }
        return assets;
    }

    Result<Page<core::Asset>> list(const AssetQuery& query) override {
        const std::scoped_lock lock(state_->mutex);
        std::vector<core::Asset> rows;
        for (const auto& [id, asset] : state_->assets) {
            const bool wanted = asset.account == query.account && is_among(query.ids, id) &&
                                is_among(query.types, asset.type) &&
                                lower(asset.filename).contains(lower(query.filename_part));
            if (wanted) rows.push_back(asset);
        }
        std::ranges::sort(rows, is_newer<core::Asset>);
        return page_of(rows, query.page);
    }

    Result<> update(const core::Asset& asset, core::AssetState expected) override {
        const std::scoped_lock lock(state_->mutex);
        core::Asset* const stored = find_in(asset.account, asset.id);
        if (stored == nullptr) return std::unexpected(no_asset());
        if (stored->state != expected) return fail(ErrorCode::conflict, "the asset is in another state");
        const core::Asset before = *stored;
        *stored = asset;
        stored->created_at = before.created_at;
        stored->user_metadata = before.user_metadata;
        return {};
    }

    Result<> set_user_metadata(const AccountId& account, const AssetId& id,
                               const std::string& json) override {
        const std::scoped_lock lock(state_->mutex);
        core::Asset* const stored = find_in(account, id);
        if (stored == nullptr) return std::unexpected(no_asset());
        stored->user_metadata = json;
        return {};
    }

    Result<core::Asset> remove(const AccountId& account, const AssetId& id, Removal how) override {
        const std::scoped_lock lock(state_->mutex);
        const core::Asset* const stored = find_in(account, id);
        if (stored == nullptr) return std::unexpected(no_asset());
        if (!how.force && state_->count_unfinished(account, core::Subject::asset(id)) > 0) {
            return fail(ErrorCode::conflict, "unfinished items refer to the asset");
        }
        core::Asset removed = *stored;
        state_->assets.erase(id);
        std::erase_if(state_->uploads, [&](const auto& entry) { return entry.second.asset == id; });
        return removed;
    }

    Result<std::vector<core::Asset>> processing() override {
        const std::scoped_lock lock(state_->mutex);
        std::vector<core::Asset> rows;
        for (const auto& [id, asset] : state_->assets) {
            if (asset.state == core::AssetState::processing) rows.push_back(asset);
        }
        return rows;
    }

    Result<std::vector<AssetId>> absent(std::span<const AssetId> ids) override {
        const std::scoped_lock lock(state_->mutex);
        std::vector<AssetId> missing;
        std::ranges::copy_if(ids, std::back_inserter(missing),
                             [&](const AssetId& id) { return !state_->assets.contains(id); });
        return missing;
    }

    Result<> insert_upload(const core::Upload& upload, const core::Asset& asset,
                           const std::optional<IdempotencyRecord>& idempotency) override {
        const std::scoped_lock lock(state_->mutex);
        if (state_->assets.contains(asset.id) || state_->uploads.contains(upload.id)) {
            return fail(ErrorCode::conflict, "the upload is there already");
        }
        if (idempotency) {
            if (const auto noted = state_->remember(*idempotency); !noted) return noted;
        }
        state_->assets.emplace(asset.id, asset);
        state_->uploads.emplace(upload.id, upload);
        return {};
    }

    Result<core::Upload> find_upload(const AccountId& account, const UploadId& id) override {
        auto upload = find_upload(id);
        if (upload && upload->account != account) return std::unexpected(no_upload());
        return upload;
    }

    Result<core::Upload> find_upload(const UploadId& id) override {
        const std::scoped_lock lock(state_->mutex);
        const auto found = state_->uploads.find(id);
        if (found == state_->uploads.end()) return std::unexpected(no_upload());
        return found->second;
    }

    Result<Page<core::Upload>> list_uploads(const AccountId& account, Timestamp now,
                                            PageRange page) override {
        const std::scoped_lock lock(state_->mutex);
        std::vector<core::Upload> rows;
        for (const auto& [id, upload] : state_->uploads) {
            const bool is_active = upload.state == core::UploadState::active && upload.expires_at > now;
            if (upload.account == account && is_active) rows.push_back(upload);
        }
        std::ranges::sort(rows, is_newer<core::Upload>);
        return page_of(rows, page);
    }

    Result<> put_chunk(const UploadId& id, const core::UploadChunk& chunk) override {
        const std::scoped_lock lock(state_->mutex);
        const auto upload = find_active(id);
        if (!upload) return std::unexpected(upload.error());
        auto& chunks = state_->chunks[id];
        if (const auto earlier = chunks.find(chunk.index);
            earlier != chunks.end() && earlier->second.reported) {
            return fail(ErrorCode::conflict, fmt::format("chunk {} was reported already", chunk.index));
        }
        core::UploadChunk& stored = chunks[chunk.index] = chunk;
        stored.reported = false;
        return {};
    }

    Result<std::vector<core::UploadChunk>> chunks(const UploadId& id) override {
        const std::scoped_lock lock(state_->mutex);
        if (!state_->uploads.contains(id)) return std::unexpected(no_upload());
        std::vector<core::UploadChunk> rows;
        for (const auto& [index, chunk] : state_->chunks[id]) rows.push_back(chunk);
        return rows;
    }

    Result<ChunkReport> report_chunks(const AccountId& account, const UploadId& id,
                                      std::span<const ReportedChunk> reported, Timestamp now) override {
        const std::scoped_lock lock(state_->mutex);
        const auto found = state_->uploads.find(id);
        if (found == state_->uploads.end() || found->second.account != account)
            return std::unexpected(no_upload());
        auto chunks = state_->chunks[id];
        ChunkReport report{0, 0, found->second};
        for (std::size_t at = 0; at < reported.size(); ++at) {
            const auto put = chunks.find(reported[at].index);
            const bool is_right = put != chunks.end() && put->second.bytes == reported[at].bytes &&
                                  put->second.etag == reported[at].etag;
            if (!is_right) {
                return fail(ErrorCode::invalid,
                            fmt::format("chunk {} is not what was uploaded", reported[at].index),
                            fmt::format("completed_chunks[{}]", at));
            }
            if (put->second.reported) {
                ++report.duplicates;
                continue;
            }
            put->second.reported = true;
            ++report.processed;
            ++report.upload.chunks_reported;
            report.upload.bytes_reported += reported[at].bytes;
        }
        if (report.processed == 0) return report;
        if (report.upload.state != core::UploadState::active) {
            return fail(ErrorCode::conflict, "the upload is no longer active");
        }
        report.upload.updated_at = now;
        if (report.upload.chunks_reported == report.upload.chunk_count()) {
            report.upload.state = core::UploadState::completed;
        }
        found->second = report.upload;
        state_->chunks[id] = std::move(chunks);
        return report;
    }

    Result<> end_upload(const UploadId& id, core::UploadState state, Timestamp now) override {
        const std::scoped_lock lock(state_->mutex);
        const auto upload = find_active(id);
        if (!upload) return std::unexpected(upload.error());
        (*upload)->state = state;
        (*upload)->updated_at = now;
        return {};
    }

    Result<std::vector<core::Upload>> expired_uploads(Timestamp now) override {
        const std::scoped_lock lock(state_->mutex);
        std::vector<core::Upload> rows;
        for (const auto& [id, upload] : state_->uploads) {
            if (upload.state == core::UploadState::active && upload.expires_at <= now) rows.push_back(upload);
        }
        return rows;
    }

private:
    core::Asset* find_in(const AccountId& account, const AssetId& id) {
        const auto found = state_->assets.find(id);
        return found == state_->assets.end() || found->second.account != account ? nullptr : &found->second;
    }

    Result<core::Upload*> find_active(const UploadId& id) {
        const auto found = state_->uploads.find(id);
        if (found == state_->uploads.end()) return std::unexpected(no_upload());
        if (found->second.state != core::UploadState::active) {
            return fail(ErrorCode::conflict, "the upload is no longer active");
        }
        return &found->second;
    }

    MemoryState* state_;
};

}  // namespace

std::unique_ptr<Assets> make_memory_assets(MemoryState& state) {
    return std::make_unique<MemoryAssets>(state);
}

}  // namespace sheaf::store

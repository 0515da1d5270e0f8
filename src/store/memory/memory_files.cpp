#include <algorithm>
#include <numeric>
#include <ranges>

#include "store/memory/memory_state.h"

namespace sheaf::store {
namespace {

class MemoryFiles final : public Files {
public:
    explicit MemoryFiles(MemoryState& state) : state_(&state) {}

    Result<> insert(const core::File& file) override {
        const std::scoped_lock lock(state_->mutex);
        return state_->add_files({file});
    }

    Result<core::File> find(const AccountId& account, const FileId& id, Timestamp now) override {
        const std::scoped_lock lock(state_->mutex);
        const auto* const found = find_locked(account, id);
        if (found == nullptr || found->removed_at || is_expired(found->file, now)) return no_file();
        return found->file;
    }

    Result<FilePage> list(const FileQuery& query) override {
        const std::scoped_lock lock(state_->mutex);
        FilePage page;
        bool is_after = !query.after;
        const auto look_at = [&](const MemoryFile& stored) {
            const core::File& file = stored.file;
            if (file.account != query.account) return;
            const bool was_after = is_after;
            if (query.after && file.id == *query.after) is_after = true;
            const bool wanted = was_after && !stored.removed_at && !is_expired(file, query.now) &&
                                (!query.purpose || file.purpose == *query.purpose);
            if (!wanted) return;
            if (page.rows.size() == query.count)
                page.has_more = true;
            else
                page.rows.push_back(file);
        };
        if (query.oldest_first)
            std::ranges::for_each(state_->files, look_at);
        else
            std::ranges::for_each(state_->files | std::views::reverse, look_at);
        return page;
    }

    Result<core::File> remove(const AccountId& account, const FileId& id, Timestamp now) override {
        const std::scoped_lock lock(state_->mutex);
        auto* const found = find_locked(account, id);
        if (found == nullptr || found->removed_at) return no_file();
        found->removed_at = now;
        return found->file;
    }

    Result<std::vector<core::File>> expired(Timestamp now, std::uint32_t count_max) override {
        const std::scoped_lock lock(state_->mutex);
        std::vector<core::File> files;
        for (const MemoryFile& stored : state_->files) {
            if (files.size() < count_max && !stored.removed_at && is_expired(stored.file, now))
                files.push_back(stored.file);
        }
        return files;
    }

    Result<> forget_removed(Timestamp now) override {
        const std::scoped_lock lock(state_->mutex);
        std::erase_if(state_->files, [&](const MemoryFile& stored) {
            return stored.removed_at && *stored.removed_at <= now - kFilePlaceKept;
        });
        std::erase_if(state_->file_uploads, [&](const auto& entry) {
            const auto& [id, upload] = entry;
            return upload.state != core::FileUploadState::pending &&
                   upload.created_at <= now - kFilePlaceKept && !state_->file_parts.contains(id);
        });
        return {};
    }

    Result<std::vector<FileId>> absent(std::span<const FileId> ids) override {
        const std::scoped_lock lock(state_->mutex);
        std::vector<FileId> none;
        for (const FileId& id : ids) {
            const bool is_there = std::ranges::any_of(state_->files, [&](const MemoryFile& stored) {
                return stored.file.id == id && !stored.removed_at;
            });
            if (!is_there) none.push_back(id);
        }
        return none;
    }

    Result<> insert_upload(const core::FileUpload& upload) override {
        const std::scoped_lock lock(state_->mutex);
        if (state_->file_uploads.emplace(upload.id, upload).second) return {};
        return fail(ErrorCode::conflict, "an upload of this id is there already");
    }

    Result<core::FileUpload> find_upload(const AccountId& account, const FileUploadId& id) override {
        const std::scoped_lock lock(state_->mutex);
        const auto found = state_->file_uploads.find(id);
        if (found == state_->file_uploads.end() || found->second.account != account) return no_upload();
        return found->second;
    }

    Result<> add_part(const FileUploadId& id, const core::FilePart& part) override {
        const std::scoped_lock lock(state_->mutex);
        const auto found = state_->file_uploads.find(id);
        if (found == state_->file_uploads.end()) return no_upload();
        if (found->second.state != core::FileUploadState::pending) return not_pending();
        std::vector<core::FilePart>& parts = state_->file_parts[id];
        const auto sum = std::accumulate(
            parts.begin(), parts.end(), part.bytes,
            [](std::uint64_t bytes, const core::FilePart& each) { return bytes + each.bytes; });
        if (sum > found->second.bytes)
            return fail(ErrorCode::invalid, "the parts weigh more than the upload announced");
        parts.push_back(part);
        return {};
    }

    Result<std::vector<core::FilePart>> parts(const FileUploadId& id) override {
        const std::scoped_lock lock(state_->mutex);
        const auto found = state_->file_parts.find(id);
        if (found == state_->file_parts.end()) return std::vector<core::FilePart>{};
        return found->second;
    }

    Result<core::FileUpload> end_upload(const FileUploadId& id, core::FileUploadState state,
                                        const std::optional<core::File>& file) override {
        const std::scoped_lock lock(state_->mutex);
        const auto found = state_->file_uploads.find(id);
        if (found == state_->file_uploads.end()) return no_upload();
        if (found->second.state != core::FileUploadState::pending) return not_pending();
        if (file) {
            if (const auto kept = state_->add_files({*file}); !kept) return std::unexpected(kept.error());
            found->second.file = file->id;
        }
        found->second.state = state;
        return found->second;
    }

    Result<std::vector<core::FileUpload>> expired_uploads(Timestamp now, std::uint32_t count_max) override {
        const std::scoped_lock lock(state_->mutex);
        std::vector<core::FileUpload> uploads;
        for (const auto& [id, upload] : state_->file_uploads) {
            const bool is_over = upload.state == core::FileUploadState::pending && upload.expires_at <= now;
            if (is_over && uploads.size() < count_max) uploads.push_back(upload);
        }
        return uploads;
    }

    Result<std::vector<FileUploadId>> ended_with_parts(std::uint32_t count_max) override {
        const std::scoped_lock lock(state_->mutex);
        std::vector<FileUploadId> ids;
        for (const auto& [id, parts] : state_->file_parts) {
            const bool has_ended = state_->file_uploads.at(id).state != core::FileUploadState::pending;
            if (has_ended && !parts.empty() && ids.size() < count_max) ids.push_back(id);
        }
        return ids;
    }

    Result<> forget_parts(const FileUploadId& id) override {
        const std::scoped_lock lock(state_->mutex);
        state_->file_parts.erase(id);
        return {};
    }

private:
    static std::unexpected<Error> no_file() { return fail(ErrorCode::not_found, "there is no such file"); }
    static std::unexpected<Error> no_upload() {
        return fail(ErrorCode::not_found, "there is no such upload");
    }
    static std::unexpected<Error> not_pending() {
        return fail(ErrorCode::conflict, "the upload is not pending");
    }
    static bool is_expired(const core::File& file, Timestamp now) {
        return file.expires_at && *file.expires_at <= now;
    }

    MemoryFile* find_locked(const AccountId& account, const FileId& id) {
        const auto found = std::ranges::find_if(state_->files, [&](const MemoryFile& stored) {
            return stored.file.id == id && stored.file.account == account;
        });
        return found == state_->files.end() ? nullptr : &*found;
    }

    MemoryState* state_;
};

}  // namespace

std::unique_ptr<Files> make_memory_files(MemoryState& state) {
    return std::make_unique<MemoryFiles>(state);
}

}  // namespace sheaf::store

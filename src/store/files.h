#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/file.h"

namespace sheaf::store {

// How long a removed file still has its place in the lists, and an upload that has ended is kept.
inline constexpr std::chrono::hours kFilePlaceKept{24 * 30};

struct FileQuery {
    AccountId account;
    std::optional<std::string> purpose;
    std::optional<FileId> after;  // only what comes after it in the order asked for
    bool oldest_first = false;
    std::uint32_t count = 100;
    Timestamp now;
};
struct FilePage {
    std::vector<core::File> rows;
    bool has_more = false;
};

// Files and their uploads, without their bytes. Methods block, may be called from any thread, and report
// failures as Batches does. What is another account's, expired or removed is not_found.
class Files {
public:
    virtual ~Files() = default;

    virtual Result<> insert(const core::File& file) = 0;
    virtual Result<core::File> find(const AccountId& account, const FileId& id, Timestamp now) = 0;
    // In the order of their creation. A removed file keeps its place for 30 days (one that went with its
    // batch, at least until 30 days after the batch had to go); an `after` that is not known gives an empty
    // page.
    virtual Result<FilePage> list(const FileQuery& query) = 0;
    // The file as it was, expired or not: whoever removes it removes its blob.
    virtual Result<core::File> remove(const AccountId& account, const FileId& id, Timestamp now) = 0;
    // Whose time is over, at most `count_max`.
    virtual Result<std::vector<core::File>> expired(Timestamp now, std::uint32_t count_max) = 0;
    // Forgets the places of files removed long ago, and uploads that began as long ago and have ended.
    virtual Result<> forget_removed(Timestamp now) = 0;
    // Those of `ids` that name no file, of any account: never, or not any more.
    virtual Result<std::vector<FileId>> absent(std::span<const FileId> ids) = 0;

    virtual Result<> insert_upload(const core::FileUpload& upload) = 0;
    virtual Result<core::FileUpload> find_upload(const AccountId& account, const FileUploadId& id) = 0;
    // conflict: the upload is not pending. invalid: its parts would weigh more than was announced.
    virtual Result<> add_part(const FileUploadId& upload, const core::FilePart& part) = 0;
    // In the order they came.
    virtual Result<std::vector<core::FilePart>> parts(const FileUploadId& upload) = 0;
    // Ends a pending upload: completed with `file`, which is stored in the same transaction, or canceled or
    // expired without one. conflict: it is not pending.
    virtual Result<core::FileUpload> end_upload(const FileUploadId& upload, core::FileUploadState state,
                                                const std::optional<core::File>& file) = 0;
    // Pending ones whose time is over, at most `count_max`.
    virtual Result<std::vector<core::FileUpload>> expired_uploads(Timestamp now, std::uint32_t count_max) = 0;
    // Ended ones whose parts are not forgotten yet, at most `count_max`.
    virtual Result<std::vector<FileUploadId>> ended_with_parts(std::uint32_t count_max) = 0;
    // Drops what is left of an ended upload: its parts, whose blobs the caller removed.
    virtual Result<> forget_parts(const FileUploadId& upload) = 0;
};

}  // namespace sheaf::store

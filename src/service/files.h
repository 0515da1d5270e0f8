#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "async/blocking.h"
#include "base/clock.h"
#include "base/descriptor.h"
#include "base/result.h"
#include "blob/blob_store.h"
#include "core/file.h"
#include "service/limits.h"
#include "store/batches.h"
#include "store/files.h"

namespace sheaf::service {

// The bytes of a file, or of a part of one, on their way in. Dropped before they are handed to create() or
// add_part(), they leave nothing.
class FileBytes {
public:
    // too_large: with these there would be more than the limit; they were not taken.
    async::Task<Result<>> append(std::string_view bytes);
    std::uint64_t bytes() const { return bytes_; }

private:
    friend class Files;
    FileBytes(RawId id, std::string key, std::unique_ptr<blob::BlobWriter> writer, async::Lane& lane,
              std::uint64_t bytes_max);

    RawId id_;
    std::string key_;
    std::unique_ptr<blob::BlobWriter> writer_;
    async::Lane* lane_;
    std::uint64_t bytes_max_;
    std::uint64_t bytes_ = 0;
};

struct FileRequest {
    AccountId account;
    std::string purpose;
    std::string filename;
    std::optional<std::chrono::seconds> lifetime;  // counted from the file's creation; nullopt: for ever
};

struct FileUploadRequest {
    FileRequest file;
    std::string mime_type;
    std::uint64_t bytes = 0;
};

// Where the bytes of a file are: `bytes` bytes from `offset` on.
struct OpenedFile {
    SharedDescriptor file;
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
};

struct CompletedUpload {
    core::FileUpload upload;
    core::File file;
};

// Where the bytes of a file are, and those of a part of an upload.
std::string blob_key_of(FileId id);
std::string blob_key_of(FileUploadId upload, FilePartId part);

// Files that clients name: uploaded at once or in parts, and the results of batches. Belongs to one executor.
//
// What a call returns is durable. Errors are the store's and the blob store's; what is another account's,
// expired or removed is not_found.
class Files {
public:
    struct Parts {
        async::Blocking<store::Files> store;
        async::Blocking<store::Batches> batches;  // whose results some files are
        async::Blocking<blob::BlobStore> blobs;
        async::Lane* lane = nullptr;  // for files
        const Clock* clock = nullptr;
        Limits limits;
    };
    explicit Files(Parts parts);

    const Limits& limits() const { return parts_.limits; }
    Timestamp now() const { return parts_.clock->now(); }

    async::Task<Result<FileBytes>> new_file();
    async::Task<Result<core::File>> create(FileRequest request, FileBytes bytes);
    async::Task<Result<core::File>> find(const AccountId& account, FileId id);
    // `query.now` is filled in.
    async::Task<Result<store::FilePage>> list(store::FileQuery query);
    // Whoever has opened the file keeps reading it.
    async::Task<Result<>> remove(const AccountId& account, FileId id);
    async::Task<Result<OpenedFile>> open(const core::File& file);

    // too_large: more bytes than an upload may have.
    async::Task<Result<core::FileUpload>> begin_upload(FileUploadRequest request);
    // A pending upload past its time is ended before it is shown.
    async::Task<Result<core::FileUpload>> find_upload(const AccountId& account, FileUploadId id);
    // The bytes of one part. conflict: the upload is not pending.
    async::Task<Result<FileBytes>> new_part(const AccountId& account, FileUploadId id);
    // conflict: the upload is not pending. invalid: the parts would have more bytes than were announced.
    async::Task<Result<core::FilePart>> add_part(const AccountId& account, FileUploadId id, FileBytes bytes);
    // Makes a file of the parts in the order given; others of the upload are dropped. conflict: the upload is
    // not pending. invalid, with the field "part_ids" or "md5": a part is unknown or named twice, their bytes
    // are not as many as announced, or their MD5 (lower-case hex) is another. After an error it is as it was.
    async::Task<Result<CompletedUpload>> complete(const AccountId& account, FileUploadId id,
                                                  std::vector<FilePartId> order,
                                                  std::optional<std::string> md5_hex);
    // conflict: it was completed or has expired. Canceling again changes nothing and is no error.
    async::Task<Result<core::FileUpload>> cancel(const AccountId& account, FileUploadId id);

    // Clears away what is expired, every minute until it is canceled, and at first what a crash left: bytes
    // that nobody refers to.
    async::Task<void> run();
    // One round of it.
    async::Task<void> clear();

private:
    async::Task<Result<FileBytes>> new_bytes(RawId id, std::string key, std::uint64_t bytes_max);
    async::Task<Result<core::File>> commit_and_insert(FileRequest request, FileBytes bytes);
    core::File file_of(FileRequest request, const FileBytes& bytes) const;
    async::Task<Result<>> remove_all(AccountId account, FileId id);
    async::Task<Result<OpenedFile>> open_results(const core::File& file);
    // Whether nothing stays behind.
    async::Task<bool> forget_bytes(std::string key);

    async::Task<Result<core::FilePart>> commit_and_add(FileUploadId id, FileBytes bytes);
    async::Task<Result<core::FileUpload>> find_pending(const AccountId& account, FileUploadId id);
    async::Task<Result<FileBytes>> join(std::vector<core::FilePart> parts,
                                        std::optional<std::string> md5_hex);
    async::Task<Result<CompletedUpload>> commit_and_complete(core::FileUpload upload, FileBytes bytes);
    // Ends a pending upload without a file. The answer tells how it ended, should another have been first.
    async::Task<Result<core::FileUpload>> end(core::FileUpload upload, core::FileUploadState state);
    async::Task<Result<core::FileUpload>> end_and_drop(core::FileUpload upload, core::FileUploadState state);
    async::Task<void> drop_parts(FileUploadId id);

    async::Task<void> clear_expired_files();
    async::Task<void> clear_expired_uploads();
    async::Task<void> clear_ended_uploads();
    async::Task<void> sweep_files();
    async::Task<void> sweep_parts();

    Parts parts_;
    Timestamp started_at_;
    bool swept_ = false;
};

}  // namespace sheaf::service

#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/id.h"

namespace sheaf::core {

// A file of JSON Lines or other bytes that a client can name: uploaded, or the results of a batch.
//
// An uploaded file's bytes are in the blob store under `blob_key`. A result file has no bytes of its own: it
// is the range of its batch's results file that begins at `offset`. Its id is its batch's, with the ordinal
// of kOutputFile or kErrorFile.
struct File {
    FileId id;
    AccountId account;
    std::string purpose;
    std::string filename;
    std::uint64_t bytes = 0;
    std::optional<Timestamp> expires_at;
    Timestamp created_at;
    std::string blob_key;
    std::optional<BatchId> batch;
    std::uint64_t offset = 0;
};

inline constexpr std::uint32_t kOutputFile = 1;  // the lines of items that succeeded
inline constexpr std::uint32_t kErrorFile = 2;   // all others

inline FileId result_file_id(const BatchId& batch, std::uint32_t which) {
    return {{batch.seconds, batch.random, which}};
}

// A file that comes in parts, in any order; `complete` says which follow on which.
enum class FileUploadState : std::uint8_t { pending = 0, completed = 1, canceled = 2, expired = 3 };

struct FilePart {
    FilePartId id;
    std::uint64_t bytes = 0;
    std::string blob_key;
    Timestamp created_at;
};

struct FileUpload {
    FileUploadId id;
    AccountId account;
    FileUploadState state = FileUploadState::pending;
    std::string purpose;
    std::string filename;
    std::string mime_type;
    std::uint64_t bytes = 0;  // as announced
    std::optional<std::chrono::seconds> file_lifetime;
    std::optional<FileId> file;  // once completed
    Timestamp created_at;
    Timestamp expires_at;
};

}  // namespace sheaf::core

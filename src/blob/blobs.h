#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "blob/blob_store.h"

namespace sheaf::blob {

std::unique_ptr<BlobStore> make_memory_blobs();
// Files below `directory`, which is made if absent. What an earlier process left half-written is removed.
Result<std::unique_ptr<BlobStore>> open_local_blobs(const std::filesystem::path& directory);

// One blob of a directory that a store has open, perhaps another process's. Errors as BlobStore::open()'s.
Result<BlobFile> read_local_blob(const std::filesystem::path& directory, std::string_view key);

// Copies one of such a directory into another, which open_local_blobs() has made, as its file is, whether or
// not it is what was committed. Durable when it returns. not_found: there is no such blob.
Result<> copy_local_blob(const std::filesystem::path& from, const std::filesystem::path& to,
                         std::string_view key);

// A file below the directory of local blobs.
struct LocalFile {
    enum class Kind : std::uint8_t {
        blob,        // `path` is its key
        unfinished,  // being written, or left so by a process that was killed
        unknown,     // not ours
    } kind = Kind::blob;
    std::string path;  // below the directory
};
// Tells of all files there, in no order, and changes nothing. A directory that is not there has none. An
// error of `visit` ends it.
Result<> visit_local_blobs(const std::filesystem::path& directory,
                           const std::function<Result<>(const LocalFile&)>& visit);

}  // namespace sheaf::blob

#pragma once

#include <filesystem>
#include <memory>

#include "blob/blob_store.h"

namespace sheaf::blob {

std::unique_ptr<BlobStore> make_memory_blobs();
// Files below `directory`, which is made if absent. What an earlier process left half-written is removed.
Result<std::unique_ptr<BlobStore>> open_local_blobs(const std::filesystem::path& directory);

}  // namespace sheaf::blob

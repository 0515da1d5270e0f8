#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/result.h"

namespace sheaf::store {

// Whether the write-ahead log of a database that nobody has open is whole: SQLite reads it up to the first
// frame that is not what was written, and passes over the rest in silence. What is wrong, for people, or
// nullopt. A last frame that is not whole is what a crash leaves, and is fine.
Result<std::optional<std::string>> check_wal(const std::filesystem::path& path);

}  // namespace sheaf::store

#pragma once

#include <filesystem>

#include "base/result.h"
#include "store/sqlite/disk.h"

namespace sheaf::store {

// The right to a data directory, as long as the file is open: whoever serves, checks or mends it has it
// alone. conflict: another has it.
Result<File> lock_directory(const std::filesystem::path& directory);
// The same without making the lock's file: not_found, if there is none.
Result<File> lock_directory_as_it_is(const std::filesystem::path& directory);

}  // namespace sheaf::store

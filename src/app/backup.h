#pragma once

#include <filesystem>

#include "cli/console.h"

namespace sheaf::app {

// `sheaf backup`: copies a data directory, also while a server runs on it, into `to`, which must not be there
// or be empty. The copy is made under the name with ".partial", checked as `sheaf fsck` does, and renamed
// when it is durable. 0: done; 1: done, and what was copied is damaged, as was said; 2: not done.
struct BackupOptions {
    std::filesystem::path data;
    std::filesystem::path to;
};
int backup(const BackupOptions& options, const cli::Console& console);

}  // namespace sheaf::app

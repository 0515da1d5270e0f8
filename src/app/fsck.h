#pragma once

#include <filesystem>

#include "app/fsck_report.h"
#include "base/result.h"
#include "cli/console.h"

namespace sheaf::app {

// `sheaf fsck`: looks at all that is in a data directory on which no server runs, prints what is damaged, one
// line each, and a sum; with `repair`, mends what can be mended. 0: all is well, or was made so; 1: something
// is damaged or lost; 2: it could not look.
struct FsckOptions {
    std::filesystem::path data;
    bool repair = false;
};
int fsck(const FsckOptions& options, const cli::Console& console);

// The check alone, of a directory that a backup has written and not yet marked as whole.
Result<> check_copy(const std::filesystem::path& data, Report& report);

}  // namespace sheaf::app

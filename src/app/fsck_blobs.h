#pragma once

#include <filesystem>

#include "app/fsck_report.h"
#include "base/result.h"
#include "store/upkeep.h"

namespace sheaf::app {

// Compares the uploaded bytes below `directory` with what the store says of them; with `repair`, removes what
// was left and nobody refers to.
struct BlobCheck {
    std::filesystem::path directory;
    bool repair = false;
};
Result<> check_blobs(const BlobCheck& check, store::Upkeep& upkeep, Report& report);

}  // namespace sheaf::app

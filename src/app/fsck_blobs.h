#pragma once

#include <filesystem>
#include <string>

#include "app/fsck_report.h"
#include "base/result.h"
#include "store/upkeep.h"

namespace sheaf::app {

// Where the bytes are that the store speaks of.
std::string key_of(const store::NamedBlob& blob);

// Compares the uploaded bytes below `directory` with what the store says of them; with `repair`, removes what
// was left and nobody refers to.
struct BlobCheck {
    std::filesystem::path directory;
    bool repair = false;
};
Result<> check_blobs(const BlobCheck& check, store::Upkeep& upkeep, Report& report);

}  // namespace sheaf::app

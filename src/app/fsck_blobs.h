#pragma once

#include <filesystem>
#include <string>

#include "app/fsck_report.h"
#include "base/result.h"
#include "store/upkeep.h"

namespace sheaf::app {

// Where the bytes are that the store speaks of.
std::string key_of(const store::NamedBlob& blob);
// Whether that is why such bytes could not be opened: a key with a flipped bit names nothing, too.
bool are_missing(const Error& error);

// Compares the uploaded bytes below `directory` with what the store says of them. What was left and nobody
// speaks of is removed with `repair`, or moved below `put_aside` where that is named.
struct BlobCheck {
    std::filesystem::path directory;
    bool repair = false;
    std::filesystem::path put_aside = {};
};
Result<> check_blobs(const BlobCheck& check, store::Upkeep& upkeep, Report& report);

}  // namespace sheaf::app

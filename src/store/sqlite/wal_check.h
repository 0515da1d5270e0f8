#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "base/result.h"

namespace sheaf::store {

// A write-ahead log as it lies on the disk. SQLite reads it up to the first frame that is not what was
// written, and passes over the rest in silence.
struct WalOnDisk {
    std::uint64_t salts = 0;   // of this filling of the log, in the order of its bytes
    std::uint64_t frames = 0;  // whole ones from its beginning
    // What is wrong, for people. A last frame that is not whole is what a crash leaves, and is fine.
    std::optional<std::string> damage;
};

// Of a database that nobody writes. nullopt: there is none, or nothing in it.
Result<std::optional<WalOnDisk>> look_at_wal(const std::filesystem::path& path);

}  // namespace sheaf::store

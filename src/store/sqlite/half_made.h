#pragma once

#include <filesystem>
#include <system_error>

namespace sheaf::store {

// The file that marks a directory which a backup is writing, or did not finish.
inline constexpr const char* kHalfMade = "INCOMPLETE";

inline bool is_half_made(const std::filesystem::path& directory) {
    std::error_code ignored;
    return std::filesystem::exists(directory / kHalfMade, ignored);
}

}  // namespace sheaf::store

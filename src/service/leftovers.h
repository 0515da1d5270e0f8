#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "base/id.h"

namespace sheaf::service {

inline constexpr std::size_t kIdLength = 24;

// The id in a blob's key behind `prefix`, if it was made before `start`: what this process makes is never
// taken for something that a crash left.
inline std::optional<RawId> old_id(std::string_view key, std::string_view prefix, Timestamp start) {
    if (!key.starts_with(prefix)) return std::nullopt;
    const auto id = parse_raw_id(key.substr(prefix.size(), kIdLength));
    if (!id || std::chrono::sys_seconds(std::chrono::seconds(id->seconds)) >=
                   std::chrono::floor<std::chrono::seconds>(start)) {
        return std::nullopt;
    }
    return id;
}

}  // namespace sheaf::service

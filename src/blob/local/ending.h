#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sheaf::blob {

// What follows a blob's bytes in its file, so that both appear at once: how many there are, and their
// CRC-32C.
struct Ending {
    std::uint64_t bytes = 0;
    std::uint32_t sum = 0;
};
inline constexpr std::size_t kEndingBytes = 20;

// Native byte order: files stay on the machine, or on one like it.
std::string pack(const Ending& ending);

// `last` are the last kEndingBytes of a file of `file_bytes`. Nothing: the file was written by a version that
// wrote no endings. corrupt: it has one that does not fit the file; no single byte that changed makes it look
// like none.
Result<std::optional<Ending>> parse_ending(std::string_view last, std::uint64_t file_bytes);

}  // namespace sheaf::blob

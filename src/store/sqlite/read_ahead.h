#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sheaf::store {

// A file for who goes through it from its beginning to its end in small steps: it is read in large pieces.
// What a disk cannot read behind the bytes that are asked for is no error.
class ReadAhead {
public:
    static constexpr std::size_t kPieceBytes = std::size_t{256} << 10;

    // The file stays open, and is not written to below `size`.
    ReadAhead(int fd, std::uint64_t size) : fd_(fd), size_(size) {}
    std::uint64_t size() const { return size_; }

    // Exactly `count` bytes from `at` on, which lie before the end; good until the next call. corrupt: the
    // file is shorter by now, or the disk cannot read them.
    Result<std::string_view> bytes(std::uint64_t at, std::size_t count);

private:
    int fd_;
    std::uint64_t size_;
    std::string piece_;
    std::uint64_t piece_at_ = 0;
    std::size_t piece_bytes_ = 0;
};

}  // namespace sheaf::store

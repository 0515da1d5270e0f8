#include "store/sqlite/read_ahead.h"

#include <algorithm>

#include <unistd.h>

#include "base/check.h"
#include "store/sqlite/disk.h"

namespace sheaf::store {

Result<std::string_view> ReadAhead::bytes(std::uint64_t at, std::size_t count) {
    CHECK(at <= size_ && count <= size_ - at, "what is asked for lies before the end");
    const bool is_here = at >= piece_at_ && at + count <= piece_at_ + piece_bytes_;
    if (!is_here) {
        piece_.resize(std::max<std::uint64_t>(count, std::min<std::uint64_t>(kPieceBytes, size_ - at)));
        const auto got = ::pread(fd_, piece_.data(), piece_.size(), static_cast<off_t>(at));
        piece_at_ = at;
        piece_bytes_ = got < 0 ? 0 : static_cast<std::size_t>(got);
    }
    if (piece_bytes_ < count) {
        const std::size_t missing = count - piece_bytes_;
        const auto read = read_at(fd_, piece_.data() + piece_bytes_, missing, at + piece_bytes_);
        if (!read) return std::unexpected(read.error());
        piece_bytes_ = count;
    }
    return std::string_view(piece_).substr(at - piece_at_, count);
}

}  // namespace sheaf::store

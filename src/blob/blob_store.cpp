#include "blob/blob_store.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include "base/hash.h"

namespace sheaf::blob {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{256} << 10;  // stays in the processor's cache

// What the disk says of bytes that it has lost.
bool is_damage(int error) {
    return error == EIO || error == EBADMSG || error == EUCLEAN;
}

}  // namespace

bool is_blob_key(std::string_view key) {
    const auto is_plain = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    };
    if (key.empty() || key.size() > 128 || key.front() == '/' || key.back() == '/') return false;
    if (key.find("//") != std::string_view::npos) return false;
    return std::ranges::all_of(key, [&](char c) { return c == '/' || is_plain(c); });
}

BlobFile& BlobFile::operator=(BlobFile&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(bytes_, other.bytes_);
    std::swap(sum_, other.sum_);
    std::swap(last_check_, other.last_check_);
    return *this;
}

Result<> BlobFile::read_at(std::uint64_t at, std::span<char> into) const {
    while (!into.empty()) {
        const auto count = ::pread(fd_, into.data(), into.size(), static_cast<off_t>(at));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0 && is_damage(errno))
            return fail(ErrorCode::corrupt, "The stored bytes of the file cannot be read any more.");
        if (count < 0)
            return fail(ErrorCode::unavailable,
                        fmt::format("A file could not be read: {}.", std::generic_category().message(errno)));
        if (count == 0) return fail(ErrorCode::corrupt, "The stored file is shorter than it was.");
        into = into.subspan(static_cast<std::size_t>(count));
        at += static_cast<std::uint64_t>(count);
    }
    return {};
}

Result<> BlobFile::read(const std::function<Result<>(std::string_view)>& take) const {
    std::string piece;
    std::uint32_t sum = 0;
    for (std::uint64_t at = 0; at < bytes_; at += piece.size()) {
        piece.resize(std::min<std::uint64_t>(bytes_ - at, kPieceBytes));
        if (const auto got = read_at(at, piece); !got) return got;
        sum = crc32c(piece, sum);
        if (const auto taken = take(piece); !taken) return taken;
    }
    if (sum_ && sum != *sum_) return fail(ErrorCode::corrupt, "The stored bytes of the file are damaged.");
    if (last_check_) last_check_->holds_until = SteadyClock::now() + kCheckHolds;
    return {};
}

Result<> BlobFile::check(const std::function<bool()>& is_canceled) const {
    if (!sum_) return {};
    if (last_check_ && SteadyClock::now() < last_check_->holds_until.load()) return {};
    return read([&](std::string_view) -> Result<> {
        if (is_canceled && is_canceled())
            return fail(ErrorCode::canceled, "Nobody waits for the file any more.");
        return {};
    });
}

BlobFile::~BlobFile() {
    if (fd_ >= 0) ::close(fd_);
}

}  // namespace sheaf::blob

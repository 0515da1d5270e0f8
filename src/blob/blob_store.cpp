#include "blob/blob_store.h"

#include <algorithm>
#include <utility>

#include <unistd.h>

namespace sheaf::blob {

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
    return *this;
}

BlobFile::~BlobFile() {
    if (fd_ >= 0) ::close(fd_);
}

}  // namespace sheaf::blob

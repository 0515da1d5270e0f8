#include "blob/blob_store.h"

#include <unistd.h>

#include <utility>

namespace sheaf::blob {

BlobFile& BlobFile::operator=(BlobFile&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(bytes_, other.bytes_);
    return *this;
}

BlobFile::~BlobFile() {
    if (fd_ >= 0) ::close(fd_);
}

}  // namespace sheaf::blob

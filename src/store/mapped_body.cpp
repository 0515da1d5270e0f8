#include "store/mapped_body.h"

#include <cerrno>
#include <cstring>
#include <string>

#include <sys/mman.h>

namespace sheaf::store {

MappedBody::~MappedBody() {
    if (start_ != nullptr) ::munmap(start_, bytes_);
}

Result<std::string_view> MappedBody::view(int fd, std::uint64_t bytes) {
    if (bytes_ != bytes) {
        if (start_ != nullptr) ::munmap(start_, bytes_);
        void* const mapped = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, 0);
        if (mapped == MAP_FAILED) {
            start_ = nullptr;
            bytes_ = 0;
            return fail(ErrorCode::unavailable, std::string("cannot map the body: ") + std::strerror(errno));
        }
        start_ = mapped;
        bytes_ = bytes;
    }
    return std::string_view(static_cast<const char*>(start_), bytes);
}

}  // namespace sheaf::store

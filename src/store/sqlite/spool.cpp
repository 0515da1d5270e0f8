#include "store/sqlite/spool.h"

#include <cerrno>
#include <cstring>

#include <sys/mman.h>

namespace sheaf::store {

FileSpool::~FileSpool() {
    if (mapped_ != nullptr) ::munmap(mapped_, mapped_bytes_);
    if (file_ && is_ours_) (void)disk_->remove(path_);
}

Result<> FileSpool::append(std::string_view bytes) {
    if (!file_ && memory_.size() + bytes.size() <= kMemoryMax) {
        memory_ += bytes;
        return {};
    }
    if (!file_) {
        auto file = disk_->create(path_);
        if (!file) return std::unexpected(file.error());
        file_ = std::move(*file);
        if (const auto written = disk_->write_at(file_.fd(), memory_, 0); !written) return written;
        size_ = memory_.size();
        memory_ = {};
    }
    if (const auto written = disk_->write_at(file_.fd(), bytes, size_); !written) return written;
    size_ += bytes.size();
    return {};
}

Result<std::string_view> FileSpool::bytes() {
    if (!file_) return memory_;
    if (mapped_bytes_ != size_) {
        if (mapped_ != nullptr) ::munmap(mapped_, mapped_bytes_);
        void* const mapped = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, file_.fd(), 0);
        if (mapped == MAP_FAILED) {
            mapped_ = nullptr;
            mapped_bytes_ = 0;
            return fail(ErrorCode::unavailable, std::string("cannot map the body: ") + std::strerror(errno));
        }
        mapped_ = mapped;
        mapped_bytes_ = size_;
    }
    return std::string_view(static_cast<const char*>(mapped_), size_);
}

}  // namespace sheaf::store

#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace sheaf::store {

// A spooled body's file as memory. Belongs to one thread at a time.
class MappedBody {
public:
    MappedBody() = default;
    ~MappedBody();
    MappedBody(const MappedBody&) = delete;
    MappedBody& operator=(const MappedBody&) = delete;

    // The first `bytes` bytes of the file, at least one, valid until it is asked for more. unavailable: it
    // cannot be mapped.
    Result<std::string_view> view(int fd, std::uint64_t bytes);

private:
    void* start_ = nullptr;
    std::uint64_t bytes_ = 0;
};

}  // namespace sheaf::store

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sheaf::blob {

// A local, readable file with a blob's bytes. Closes its descriptor.
class BlobFile {
public:
    BlobFile(int fd, std::uint64_t bytes) : fd_(fd), bytes_(bytes) {}
    BlobFile(BlobFile&& other) noexcept : fd_(other.fd_), bytes_(other.bytes_) { other.fd_ = -1; }
    BlobFile& operator=(BlobFile&& other) noexcept;
    ~BlobFile();
    int fd() const { return fd_; }
    std::uint64_t bytes() const { return bytes_; }

private:
    int fd_;
    std::uint64_t bytes_;
};

// One blob being written. Dropped without commit(), it leaves nothing.
class BlobWriter {
public:
    virtual ~BlobWriter() = default;
    virtual Result<> append(std::string_view bytes) = 0;
    // Makes the blob durable and visible under the key it was begun with.
    virtual Result<> commit() = 0;
    virtual std::uint64_t bytes() const = 0;
};

// The bytes of uploaded and produced files, by key. Keys are ours: [a-z0-9/_-]{1,128}, no "..".
//
// Methods block and may be called from any thread; a writer belongs to one thread at a time. A blob appears
// whole, is never changed, and is durable once commit() returned. no_space leaves nothing behind.
class BlobStore {
public:
    virtual ~BlobStore() = default;
    virtual Result<std::unique_ptr<BlobWriter>> create(std::string_view key) = 0;
    virtual Result<BlobFile> open(std::string_view key) = 0;
    // Makes one blob of several, in order, and removes them. Used for chunked uploads.
    virtual Result<> concatenate(std::string_view key, const std::vector<std::string>& parts) = 0;
    // Removing what is not there is no error.
    virtual Result<> remove(std::string_view key) = 0;
    // Keys that begin with `prefix`, in no order.
    virtual Result<std::vector<std::string>> list(std::string_view prefix) = 0;
};

}  // namespace sheaf::blob

#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/steady_clock.h"

namespace sheaf::blob {

// That all bytes of a blob were read and were what was committed. Threads: any.
struct LastCheck {
    std::atomic<SteadyClock::time_point> holds_until = SteadyClock::time_point::min();
};
inline constexpr std::chrono::minutes kCheckHolds{10};

// A local, readable file that begins with a blob's bytes; others may follow. Closes its descriptor.
//
// Whoever reads by the descriptor calls check() before, and believes nothing of a blob that is `corrupt`.
class BlobFile {
public:
    // What has no checksum is taken as it is.
    BlobFile(int fd, std::uint64_t bytes) : fd_(fd), bytes_(bytes) {}
    // `sum` is the CRC-32C of the bytes; files of one blob share what they find.
    BlobFile(int fd, std::uint64_t bytes, std::uint32_t sum, std::shared_ptr<LastCheck> last_check)
        : fd_(fd), bytes_(bytes), sum_(sum), last_check_(std::move(last_check)) {}
    BlobFile(BlobFile&& other) noexcept
        : fd_(other.release()),
          bytes_(other.bytes_),
          sum_(other.sum_),
          last_check_(std::move(other.last_check_)) {}
    BlobFile& operator=(BlobFile&& other) noexcept;
    ~BlobFile();
    int fd() const { return fd_; }
    std::uint64_t bytes() const { return bytes_; }
    // Exactly `into`, of the file's bytes from `at` on, unchecked. corrupt: there are not as many, or the
    // disk has lost them.
    Result<> read_at(std::uint64_t at, std::span<char> into) const;
    // Gives all bytes to `take`, in pieces; an error of its own ends it. corrupt, after the last piece: they
    // are not what was committed. Blocks; from any thread, also from several at a time.
    Result<> read(const std::function<Result<>(std::string_view)>& take) const;
    // Reads them all for the error alone, unless that was done within the last kCheckHolds. canceled: as soon
    // as `is_canceled` says so.
    Result<> check(const std::function<bool()>& is_canceled = {}) const;
    // Gives the descriptor away: whoever takes it closes it.
    int release() { return std::exchange(fd_, -1); }

private:
    int fd_;
    std::uint64_t bytes_;
    std::optional<std::uint32_t> sum_;
    std::shared_ptr<LastCheck> last_check_;
};

// One blob being written. Dropped without commit(), it leaves nothing.
class BlobWriter {
public:
    virtual ~BlobWriter() = default;
    virtual Result<> append(std::string_view bytes) = 0;
    // Makes the blob durable and visible under the key it was begun with, in place of an earlier one. After
    // an error the writer is of no more use.
    virtual Result<> commit() = 0;
    // The same under another key: for one that is known only with the bytes, such as their hash.
    virtual Result<> commit_as(std::string_view key) = 0;
    virtual std::uint64_t bytes() const = 0;
};

// Whether `key` may name a blob: 1 to 128 characters of [a-z0-9_-] in parts separated by single slashes. So
// no key leads out of the store.
bool is_blob_key(std::string_view key);

// The bytes of uploaded and produced files, by key. Keys are ours (is_blob_key); any other is `invalid`.
//
// Methods block and may be called from any thread; a writer belongs to one thread at a time. A blob appears
// whole, is never changed, and is durable once commit() returned. Whoever opened it keeps reading it, whether
// it is removed or replaced meanwhile. no_space leaves nothing behind. One key may not be a leading part of
// another.
class BlobStore {
public:
    virtual ~BlobStore() = default;
    virtual Result<std::unique_ptr<BlobWriter>> create(std::string_view key) = 0;
    // corrupt: it can be seen without reading it that it is not what was committed.
    virtual Result<BlobFile> open(std::string_view key) = 0;
    // Makes one blob of several, in order, and removes them. Used for chunked uploads. not_found: a part is
    // missing; corrupt: one is damaged; nothing was changed then. A crash may leave parts behind beside the
    // finished blob.
    virtual Result<> concatenate(std::string_view key, const std::vector<std::string>& parts) = 0;
    // Durable when it returns. Removing what is not there is no error.
    virtual Result<> remove(std::string_view key) = 0;
    // Keys that begin with `prefix`, in no order.
    virtual Result<std::vector<std::string>> list(std::string_view prefix) = 0;
};

}  // namespace sheaf::blob

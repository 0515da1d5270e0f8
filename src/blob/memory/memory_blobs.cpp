#include <map>
#include <mutex>

#include <sys/mman.h>
#include <unistd.h>

#include "blob/blobs.h"

namespace sheaf::blob {
namespace {

using Bytes = std::shared_ptr<const std::string>;

// Shared by the store and its writers, which may outlive it.
struct Shelf {
    std::mutex mutex;
    std::map<std::string, Bytes, std::less<>> blobs;
};

Result<> check_key(std::string_view key) {
    if (!is_blob_key(key)) return fail(ErrorCode::invalid, "A blob key has characters that are not allowed.");
    return {};
}

class MemoryWriter final : public BlobWriter {
public:
    MemoryWriter(std::shared_ptr<Shelf> shelf, std::string_view key) : shelf_(std::move(shelf)), key_(key) {}

    Result<> append(std::string_view bytes) override {
        buffer_ += bytes;
        return {};
    }
    Result<> commit() override { return commit_as(key_); }
    Result<> commit_as(std::string_view key) override {
        if (const auto checked = check_key(key); !checked) return checked;
        if (committed_) return fail(ErrorCode::internal, "A blob is committed once.");
        committed_ = true;
        const std::scoped_lock lock(shelf_->mutex);
        shelf_->blobs.insert_or_assign(std::string(key), std::make_shared<const std::string>(buffer_));
        return {};
    }
    std::uint64_t bytes() const override { return buffer_.size(); }

private:
    std::shared_ptr<Shelf> shelf_;
    std::string key_;
    std::string buffer_;
    bool committed_ = false;
};

Result<BlobFile> file_of(const std::string& bytes) {
    BlobFile file(::memfd_create("blob", MFD_CLOEXEC), bytes.size());
    if (file.fd() < 0) return fail(ErrorCode::unavailable, "No file could be made in memory.");
    for (std::size_t done = 0; done < bytes.size();) {
        const auto count =
            ::pwrite(file.fd(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
        if (count <= 0) return fail(ErrorCode::no_space, "There is no memory for the file.");
        done += static_cast<std::size_t>(count);
    }
    return file;
}

class MemoryBlobs final : public BlobStore {
public:
    Result<std::unique_ptr<BlobWriter>> create(std::string_view key) override {
        if (const auto checked = check_key(key); !checked) return std::unexpected(checked.error());
        return std::make_unique<MemoryWriter>(shelf_, key);
    }

    Result<BlobFile> open(std::string_view key) override {
        if (const auto checked = check_key(key); !checked) return std::unexpected(checked.error());
        Bytes bytes;
        {
            const std::scoped_lock lock(shelf_->mutex);
            const auto found = shelf_->blobs.find(key);
            if (found == shelf_->blobs.end()) return fail(ErrorCode::not_found, "There is no such blob.");
            bytes = found->second;
        }
        return file_of(*bytes);
    }

    Result<> concatenate(std::string_view key, const std::vector<std::string>& parts) override {
        if (const auto checked = check_key(key); !checked) return checked;
        const std::scoped_lock lock(shelf_->mutex);
        auto whole = std::make_shared<std::string>();
        for (const std::string& part : parts) {
            if (const auto checked = check_key(part); !checked) return checked;
            const auto found = shelf_->blobs.find(part);
            if (found == shelf_->blobs.end())
                return fail(ErrorCode::not_found, "A part of the blob is missing.");
            *whole += *found->second;
        }
        for (const std::string& part : parts) shelf_->blobs.erase(part);
        shelf_->blobs.insert_or_assign(std::string(key), std::move(whole));
        return {};
    }

    Result<> remove(std::string_view key) override {
        if (const auto checked = check_key(key); !checked) return checked;
        const std::scoped_lock lock(shelf_->mutex);
        const auto found = shelf_->blobs.find(key);
        if (found != shelf_->blobs.end()) shelf_->blobs.erase(found);
        return {};
    }

    Result<std::vector<std::string>> list(std::string_view prefix) override {
        const std::scoped_lock lock(shelf_->mutex);
        std::vector<std::string> keys;
        for (auto at = shelf_->blobs.lower_bound(prefix); at != shelf_->blobs.end(); ++at) {
            if (!at->first.starts_with(prefix)) break;
            keys.push_back(at->first);
        }
        return keys;
    }

private:
    std::shared_ptr<Shelf> shelf_ = std::make_shared<Shelf>();
};

}  // namespace

std::unique_ptr<BlobStore> make_memory_blobs() {
    return std::make_unique<MemoryBlobs>();
}

}  // namespace sheaf::blob

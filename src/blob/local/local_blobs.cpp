#include <cerrno>
#include <filesystem>
#include <mutex>
#include <optional>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/id.h"
#include "base/log.h"
#include "base/recent_map.h"
#include "blob/blobs.h"
#include "blob/local/ending.h"
#include "blob/local/files.h"

namespace sheaf::blob {
namespace {

// Removing the last blob of a directory removes the directory, perhaps just before another moves in.
constexpr int kMoveTriesMax = 20;

Result<> check_key(std::string_view key) {
    if (!is_blob_key(key)) return fail(ErrorCode::invalid, "A blob key has characters that are not allowed.");
    return {};
}

std::string parent_of(const std::string& key) {
    const auto slash = key.rfind('/');
    return slash == std::string::npos ? "." : key.substr(0, slash);
}

// Which bytes a file holds: another one has another.
struct Identity {
    std::uint64_t number = 0;  // of the inode
    std::int64_t written_s = 0;
    std::int64_t written_ns = 0;
    bool operator==(const Identity&) const = default;
};

// With all its bytes, the blob's and what follows them.
struct OpenedFile {
    BlobFile file;
    Identity identity;
};

Result<OpenedFile> open_file(int root, std::string_view key) {
    Descriptor file(::openat(root, std::string(key).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!file && (errno == ENOENT || errno == ENOTDIR))
        return fail(ErrorCode::not_found, "There is no such blob.");
    if (!file) return std::unexpected(error_of(errno, "opened"));
    struct stat status{};
    if (::fstat(file.get(), &status) != 0) return std::unexpected(error_of(errno, "looked at"));
    if (!S_ISREG(status.st_mode)) return fail(ErrorCode::not_found, "There is no such blob.");
    return OpenedFile{BlobFile(file.release(), static_cast<std::uint64_t>(status.st_size)),
                      {status.st_ino, status.st_mtim.tv_sec, status.st_mtim.tv_nsec}};
}

// The newest blobs' last checks.
class LastChecks {
public:
    std::shared_ptr<LastCheck> of(std::string_view key, const Identity& identity) {
        const std::scoped_lock lock(mutex_);
        const std::string name(key);
        if (const auto* const known = checks_.find(name); known && known->identity == identity)
            return known->check;
        const auto check = std::make_shared<LastCheck>();
        checks_.set(name, {identity, check});
        return check;
    }

private:
    static constexpr std::size_t kKept = 10'000;
    struct Known {
        Identity identity;
        std::shared_ptr<LastCheck> check;
    };
    std::mutex mutex_;
    RecentMap<std::string, Known> checks_{kKept};
};

Result<BlobFile> open_blob(int root, std::string_view key, LastChecks& last_checks) {
    auto opened = open_file(root, key);
    if (!opened) return std::unexpected(opened.error());
    BlobFile& whole = opened->file;
    if (whole.bytes() < kEndingBytes) return std::move(whole);
    std::array<char, kEndingBytes> last{};
    if (const auto read = whole.read_at(whole.bytes() - kEndingBytes, last); !read)
        return std::unexpected(read.error());
    const auto ending = parse_ending({last.data(), last.size()}, whole.bytes());
    if (!ending) return std::unexpected(ending.error());
    if (!*ending) return std::move(whole);
    return BlobFile(whole.release(), (*ending)->bytes, (*ending)->sum, last_checks.of(key, opened->identity));
}

// The directory that holds everything. Shared by the store and its writers, which may outlive it.
class Root {
public:
    explicit Root(Descriptor directory) : directory_(std::move(directory)) {}
    int fd() const { return directory_.get(); }

    Result<Descriptor> open_directory(const std::string& path) const {
        Descriptor opened(::openat(fd(), path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
        if (!opened) return std::unexpected(error_of(errno, "opened"));
        return opened;
    }

    Result<> sync(const std::string& directory) const {
        const auto opened = open_directory(directory);
        if (!opened) return std::unexpected(opened.error());
        return sync_directory(opened->get());
    }

    // Makes the directories above `key`, each durable in its parent.
    Result<> make_parents(const std::string& key) const {
        for (auto slash = key.find('/'); slash != std::string::npos; slash = key.find('/', slash + 1)) {
            const std::string directory = key.substr(0, slash);
            if (::mkdirat(fd(), directory.c_str(), 0700) != 0) {
                if (errno == EEXIST) continue;
                return std::unexpected(error_of(errno, "made"));
            }
            if (const auto synced = sync(parent_of(directory)); !synced) return synced;
        }
        return {};
    }

    // Gives the finished file `from` the name `key`, durably.
    Result<> publish(const std::string& from, const std::string& key) const {
        for (int tries = 1;; ++tries) {
            const auto made = make_parents(key);
            if (made && ::renameat(fd(), from.c_str(), fd(), key.c_str()) == 0) break;
            const Error error = made ? error_of(errno, "named") : made.error();
            if (error.code != ErrorCode::not_found || tries == kMoveTriesMax) return std::unexpected(error);
        }
        const auto synced = sync(parent_of(key));
        if (!synced) ::unlinkat(fd(), key.c_str(), 0);
        return synced;
    }

    void remove_empty_parents(const std::string& key) const {
        for (std::string directory = parent_of(key); directory != "."; directory = parent_of(directory)) {
            if (::unlinkat(fd(), directory.c_str(), AT_REMOVEDIR) != 0) return;
        }
    }

private:
    Descriptor directory_;
};

// A file in the directory of unfinished ones; gone with its owner unless it was published.
class UnfinishedFile {
public:
    static Result<UnfinishedFile> make(std::shared_ptr<const Root> root) {
        std::array<unsigned char, 16> random{};
        fill_random(random.data(), random.size());
        std::string path = fmt::format("{}/{}", kUnfinished, to_hex(random));
        Descriptor file(
            ::openat(root->fd(), path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
        if (!file) return std::unexpected(error_of(errno, "made"));
        return UnfinishedFile(std::move(root), std::move(file), std::move(path));
    }
    UnfinishedFile(UnfinishedFile&& other) noexcept
        : root_(std::move(other.root_)),
          file_(std::move(other.file_)),
          path_(std::exchange(other.path_, {})) {}
    UnfinishedFile& operator=(UnfinishedFile&&) = delete;
    ~UnfinishedFile() { drop(); }

    int fd() const { return file_.get(); }
    bool is_open() const { return static_cast<bool>(file_); }

    Result<> publish(const std::string& key) {
        auto done = sync_data(file_.get());
        if (done) done = file_.close();
        if (done) done = root_->publish(path_, key);
        if (done) {
            path_.clear();
        } else {
            drop();
        }
        return done;
    }

    void drop() {
        if (path_.empty()) return;
        file_ = Descriptor();
        ::unlinkat(root_->fd(), path_.c_str(), 0);
        path_.clear();
    }

private:
    UnfinishedFile(std::shared_ptr<const Root> root, Descriptor file, std::string path)
        : root_(std::move(root)), file_(std::move(file)), path_(std::move(path)) {}

    std::shared_ptr<const Root> root_;
    Descriptor file_;
    std::string path_;
};

class LocalWriter final : public BlobWriter {
public:
    LocalWriter(UnfinishedFile file, std::string_view key) : file_(std::move(file)), key_(key) {}

    Result<> append(std::string_view bytes) override {
        if (!file_.is_open())
            return fail(ErrorCode::internal, "A blob was written to after it was finished.");
        const auto written = write_all(file_.fd(), bytes);
        if (!written) {
            // At once, so that a full disk has room again for others.
            file_.drop();
            return written;
        }
        ending_.bytes += bytes.size();
        ending_.sum = crc32c(bytes, ending_.sum);
        return {};
    }

    Result<> commit() override { return commit_as(key_); }

    Result<> commit_as(std::string_view key) override {
        if (const auto checked = check_key(key); !checked) return checked;
        if (!file_.is_open())
            return fail(ErrorCode::internal, "A blob that failed or was finished cannot be committed.");
        if (const auto written = write_all(file_.fd(), pack(ending_)); !written) {
            file_.drop();
            return written;
        }
        return file_.publish(std::string(key));
    }

    std::uint64_t bytes() const override { return ending_.bytes; }

private:
    UnfinishedFile file_;
    std::string key_;
    Ending ending_;
};

class LocalBlobs final : public BlobStore {
public:
    LocalBlobs(std::filesystem::path directory, std::shared_ptr<const Root> root)
        : directory_(std::move(directory)), root_(std::move(root)) {}

    Result<std::unique_ptr<BlobWriter>> create(std::string_view key) override {
        if (const auto checked = check_key(key); !checked) return std::unexpected(checked.error());
        auto file = UnfinishedFile::make(root_);
        if (!file) return std::unexpected(file.error());
        return std::make_unique<LocalWriter>(std::move(*file), key);
    }

    Result<BlobFile> open(std::string_view key) override {
        if (const auto checked = check_key(key); !checked) return std::unexpected(checked.error());
        return open_blob(root_->fd(), key, last_checks_);
    }

    Result<> concatenate(std::string_view key, const std::vector<std::string>& parts) override {
        if (const auto checked = check_key(key); !checked) return checked;
        const auto whole = create(key);
        if (!whole) return std::unexpected(whole.error());
        for (const std::string& part : parts) {
            const auto file = open(part);
            if (!file) return std::unexpected(file.error());
            const auto appended = file->read([&](std::string_view bytes) { return (*whole)->append(bytes); });
            if (!appended) return appended;
        }
        if (const auto committed = (*whole)->commit(); !committed) return committed;
        for (const std::string& part : parts) {
            if (part == key) continue;
            if (const auto removed = remove(part); !removed) {
                log::warning("a part of a finished blob stays behind",
                             {{"key", part}, {"why", removed.error().message}});
            }
        }
        return {};
    }

    Result<> remove(std::string_view key) override {
        if (const auto checked = check_key(key); !checked) return checked;
        const std::string name(key);
        if (::unlinkat(root_->fd(), name.c_str(), 0) != 0) {
            // A directory is not a blob, so there is nothing of that name.
            if (errno == ENOENT || errno == ENOTDIR || errno == EISDIR) return {};
            return std::unexpected(error_of(errno, "removed"));
        }
        const auto synced = root_->sync(parent_of(name));
        root_->remove_empty_parents(name);
        // Another may have removed the directory already, which its own parent then tells.
        if (!synced && synced.error().code != ErrorCode::not_found) return synced;
        return {};
    }

    Result<std::vector<std::string>> list(std::string_view prefix) override {
        // From the deepest directory that holds them all.
        const auto slash = prefix.rfind('/');
        const std::string above(slash == std::string_view::npos ? std::string_view()
                                                                : prefix.substr(0, slash));
        if (!above.empty() && !is_blob_key(above)) return std::vector<std::string>{};
        std::vector<std::string> keys;
        if (const auto walked = walk(above, prefix, keys); !walked) return std::unexpected(walked.error());
        return keys;
    }

private:
    Result<> walk(const std::string& directory, std::string_view prefix, std::vector<std::string>& keys) {
        std::error_code error;
        std::filesystem::directory_iterator at(directory_ / directory, error);
        for (; !error && at != std::filesystem::directory_iterator(); at.increment(error)) {
            const std::string name = at->path().filename().string();
            const std::string key = directory.empty() ? name : directory + '/' + name;
            if (!is_blob_key(key)) continue;
            std::error_code unreadable;
            const auto status = at->symlink_status(unreadable);
            if (std::filesystem::is_directory(status)) {
                if (const auto walked = walk(key, prefix, keys); !walked) return walked;
            } else if (std::filesystem::is_regular_file(status) && key.starts_with(prefix)) {
                keys.push_back(key);
            }
        }
        // A directory goes away with its last blob.
        if (error && error.value() != ENOENT && error.value() != ENOTDIR) {
            return std::unexpected(error_of(error.value(), "listed"));
        }
        return {};
    }

    std::filesystem::path directory_;
    std::shared_ptr<const Root> root_;
    LastChecks last_checks_;
};

Result<> remove_unfinished(const std::filesystem::path& directory) {
    std::error_code error;
    std::filesystem::directory_iterator at(directory, error);
    for (; !error && at != std::filesystem::directory_iterator(); at.increment(error)) {
        std::filesystem::remove(at->path(), error);
        if (error) break;
        log::info("removed a half-written blob", {{"file", at->path().filename().string()}});
    }
    if (error) return std::unexpected(error_of(error.value(), "removed"));
    return {};
}

}  // namespace

Result<BlobFile> read_local_blob(const std::filesystem::path& directory, std::string_view key) {
    if (const auto checked = check_key(key); !checked) return std::unexpected(checked.error());
    const Descriptor root(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!root) return std::unexpected(error_of(errno, "opened"));
    LastChecks none;
    return open_blob(root.get(), key, none);
}

Result<> copy_local_blob(const std::filesystem::path& from, const std::filesystem::path& to,
                         std::string_view key) {
    if (const auto checked = check_key(key); !checked) return checked;
    const Descriptor root(::open(from.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!root) return std::unexpected(error_of(errno, "opened"));
    Descriptor target(::open(to.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!target) return std::unexpected(error_of(errno, "opened"));
    const auto file = open_file(root.get(), key);
    if (!file) return std::unexpected(file.error());
    auto copy = UnfinishedFile::make(std::make_shared<const Root>(std::move(target)));
    if (!copy) return std::unexpected(copy.error());
    if (const auto copied = append_file(copy->fd(), file->file.fd()); !copied) return copied;
    return copy->publish(std::string(key));
}

Result<std::unique_ptr<BlobStore>> open_local_blobs(const std::filesystem::path& directory) {
    std::error_code error;
    std::filesystem::create_directories(directory / kUnfinished, error);
    if (error) return std::unexpected(error_of(error.value(), "made"));
    if (const auto removed = remove_unfinished(directory / kUnfinished); !removed)
        return std::unexpected(removed.error());
    Descriptor root(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!root) return std::unexpected(error_of(errno, "opened"));
    if (const auto synced = sync_directory(root.get()); !synced) return std::unexpected(synced.error());
    // The path of listings must not change with the working directory.
    const auto absolute = std::filesystem::absolute(directory, error);
    if (error) return std::unexpected(error_of(error.value(), "opened"));
    return std::make_unique<LocalBlobs>(absolute, std::make_shared<const Root>(std::move(root)));
}

}  // namespace sheaf::blob

#include "lossy_disk.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <utility>

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace lossy_disk {
namespace {

constexpr std::size_t kSector = 512;

// The system's own calls, past those of system_calls.cpp.
namespace raw {

int open(const char* path, int flags, mode_t mode = 0) {
    return static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, flags, mode));
}
int close(int fd) {
    return static_cast<int>(::syscall(SYS_close, fd));
}
ssize_t write(int fd, const void* bytes, std::size_t count, off_t offset) {
    return ::syscall(SYS_pwrite64, fd, bytes, count, offset);
}
int truncate(int fd, off_t bytes) {
    return static_cast<int>(::syscall(SYS_ftruncate, fd, bytes));
}
int rename(const char* from, const char* to) {
    return static_cast<int>(::syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to));
}
int unlink(const char* path) {
    return static_cast<int>(::syscall(SYS_unlinkat, AT_FDCWD, path, 0));
}
int link(const char* from, const char* to) {
    return static_cast<int>(::syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, AT_SYMLINK_FOLLOW));
}
int make_directory(const char* path, mode_t mode) {
    return static_cast<int>(::syscall(SYS_mkdirat, AT_FDCWD, path, mode));
}

}  // namespace raw

class Opened {
public:
    Opened(const std::string& path, int flags) : fd_(raw::open(path.c_str(), flags | O_CLOEXEC)) {}
    ~Opened() {
        if (fd_ >= 0) raw::close(fd_);
    }
    Opened(const Opened&) = delete;
    int fd() const { return fd_; }

private:
    int fd_;
};

std::string read(int fd, std::uint64_t offset, std::uint64_t count) {
    std::string bytes(count, '\0');
    const ssize_t got = ::pread(fd, bytes.data(), count, static_cast<off_t>(offset));
    bytes.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    return bytes;
}

struct stat status_of(int fd) {
    struct stat status{};
    (void)::fstat(fd, &status);
    return status;
}

bool exists(const char* path) {
    struct stat status{};
    return ::lstat(path, &status) == 0;
}

std::string folder_of(std::string_view path) {
    return std::string(path.substr(0, path.rfind('/')));
}

}  // namespace

LossyDisk::LossyDisk(std::string root, std::uint64_t seed, bool keeps_all)
    : root_(std::move(root)),
      root_with_slash_(root_ + '/'),
      kept_(root_ + ".removed"),
      random_(seed),
      keeps_all_(keeps_all) {
    std::filesystem::create_directories(kept_);
}

LossyDisk::~LossyDisk() {
    std::error_code ignored;
    std::filesystem::remove_all(kept_, ignored);
}

bool LossyDisk::begins(std::uint64_t bytes) {
    ++calls_;
    if (calls_ == faults.dies_at) is_dead_ = true;
    if (is_dead_) {
        errno = EIO;
        return false;
    }
    if (faults.bytes_left && bytes > *faults.bytes_left) {
        errno = ENOSPC;
        return false;
    }
    if (faults.bytes_left) *faults.bytes_left -= bytes;
    return true;
}

LossyDisk::Directory& LossyDisk::directory_of(std::string_view path) {
    return directories_[folder_of(path)];
}

void LossyDisk::opened(int fd, const char* path, bool is_new) {
    const auto number = static_cast<std::size_t>(fd);
    if (number >= descriptors_.size()) descriptors_.resize(number + 1);
    descriptors_[number] = {.path = path, .file = nullptr};
    const auto status = status_of(fd);
    if (S_ISDIR(status.st_mode)) return;
    auto& file = files_[status.st_ino];
    if (!file || is_new) file = std::make_shared<File>(static_cast<std::uint64_t>(status.st_size));
    descriptors_[number].file = file;
}

void LossyDisk::closed(int fd) {
    if (holds(fd)) descriptor(fd) = {};
}

int LossyDisk::open(const char* path, int flags, mode_t mode) {
    const bool is_new = (flags & O_CREAT) != 0 && !exists(path);
    const bool is_cut = !is_new && (flags & O_TRUNC) != 0;
    if ((is_new || is_cut) && !begins()) return -1;
    const int fd = raw::open(path, flags & ~O_TRUNC, mode);
    if (fd < 0) return fd;
    opened(fd, path, is_new);
    if (is_new && !keeps_all_)
        directory_of(path).changes.push_back(
            {.kind = NameChange::Kind::made, .path = path, .kept = {}, .from = {}});
    if (is_cut && truncate(fd, 0) != 0) {
        closed(fd);
        raw::close(fd);
        return -1;
    }
    return fd;
}

ssize_t LossyDisk::write(int fd, const void* bytes, std::size_t count, off_t offset) {
    if (!begins(count)) return -1;
    File& file = *descriptor(fd).file;
    const auto at = static_cast<std::uint64_t>(offset);
    if (!keeps_all_) {
        file.changes.push_back(
            {.kind = Change::Kind::write,
             .offset = at,
             .before = at < file.size ? read(fd, at, std::min<std::uint64_t>(count, file.size - at)) : "",
             .after = std::string(static_cast<const char*>(bytes), count),
             .size_before = file.size});
    }
    file.size = std::max(file.size, at + count);
    return raw::write(fd, bytes, count, offset);
}

int LossyDisk::truncate(int fd, off_t bytes) {
    if (!begins()) return -1;
    File& file = *descriptor(fd).file;
    const auto wanted = static_cast<std::uint64_t>(bytes);
    if (!keeps_all_) {
        file.changes.push_back({.kind = Change::Kind::resize,
                                .offset = wanted,
                                .before = wanted < file.size ? read(fd, wanted, file.size - wanted) : "",
                                .after = {},
                                .size_before = file.size});
    }
    file.size = wanted;
    return raw::truncate(fd, bytes);
}

int LossyDisk::punch(int fd, off_t offset, off_t bytes) {
    const auto at = static_cast<std::uint64_t>(offset);
    const std::uint64_t size = descriptor(fd).file->size;
    if (at >= size) return 0;
    const std::string zeros(std::min<std::uint64_t>(static_cast<std::uint64_t>(bytes), size - at), '\0');
    return write(fd, zeros.data(), zeros.size(), offset) >= 0 ? 0 : -1;
}

void LossyDisk::directory_synced(const std::string& path) {
    const auto directory = directories_.find(path);
    if (directory == directories_.end()) return;
    for (const NameChange& change : directory->second.changes) {
        if (!change.kept.empty()) raw::unlink(change.kept.c_str());
    }
    directories_.erase(directory);
}

void LossyDisk::file_synced(File& file, bool failed) {
    for (Change& change : file.changes) {
        if (change.fate == Change::Fate::open)
            change.fate = failed ? Change::Fate::in_doubt : Change::Fate::synced;
    }
    const auto first_in_doubt = std::ranges::find(file.changes, Change::Fate::in_doubt, &Change::fate);
    file.changes.erase(file.changes.begin(), first_in_doubt);
}

int LossyDisk::sync(int fd) {
    if (!begins()) return -1;
    const bool fails = ++syncs_ == faults.sync_fails_at;
    sync_has_failed_ |= fails;
    const Descriptor& synced = descriptor(fd);
    if (synced.file)
        file_synced(*synced.file, fails);
    else if (!fails)
        directory_synced(synced.path);
    if (!fails) return 0;
    errno = EIO;
    return -1;
}

// Its new name, under which the file whose name goes away can be found.
std::string LossyDisk::keep(const char* path) {
    std::string kept = kept_ + '/' + std::to_string(++kept_count_);
    return raw::link(path, kept.c_str()) == 0 ? kept : "";
}

int LossyDisk::rename(const char* from, const char* to) {
    if (!begins()) return -1;
    const std::string kept = keeps_all_ || !exists(to) ? "" : keep(to);
    const int done = raw::rename(from, to);
    if (done == 0 && !keeps_all_)
        directory_of(to).changes.push_back(
            {.kind = NameChange::Kind::renamed, .path = to, .kept = kept, .from = from});
    return done;
}

int LossyDisk::unlink(const char* path) {
    if (!exists(path)) return raw::unlink(path);
    if (!begins()) return -1;
    const std::string kept = keeps_all_ ? "" : keep(path);
    const int done = raw::unlink(path);
    if (done == 0 && !keeps_all_)
        directory_of(path).changes.push_back({.kind = NameChange::Kind::removed, .path = path, .kept = kept});
    return done;
}

int LossyDisk::link(const char* from, const char* to) {
    if (!begins()) return -1;
    const int done = raw::link(from, to);
    if (done == 0 && !keeps_all_)
        directory_of(to).changes.push_back({.kind = NameChange::Kind::made, .path = to});
    return done;
}

int LossyDisk::make_directory(const char* path, mode_t mode) {
    if (exists(path)) return raw::make_directory(path, mode);
    if (!begins()) return -1;
    return raw::make_directory(path, mode);
}

void LossyDisk::apply(int fd, const Change& change) {
    if (change.kind == Change::Kind::resize) {
        raw::truncate(fd, static_cast<off_t>(change.offset));
        return;
    }
    const bool is_torn = change.fate != Change::Fate::synced && happens(25);
    for (std::size_t at = 0; at < change.after.size(); at += kSector) {
        if (is_torn && happens(50)) continue;
        const std::size_t count = std::min(kSector, change.after.size() - at);
        raw::write(fd, change.after.data() + at, is_torn ? count : change.after.size() - at,
                   static_cast<off_t>(change.offset + at));
        if (!is_torn) break;
    }
}

void LossyDisk::lose_writes(const std::string& path, const File& file) {
    const Opened opened(path, O_RDWR);
    if (opened.fd() < 0) return;
    for (auto change = file.changes.rbegin(); change != file.changes.rend(); ++change) {
        raw::truncate(opened.fd(), static_cast<off_t>(change->size_before));
        raw::write(opened.fd(), change->before.data(), change->before.size(),
                   static_cast<off_t>(change->offset));
    }
    // Often the disk had written nothing yet, or nearly all; sometimes some of it, in any order.
    const unsigned kept_percent = faults.loses_all ? 0U : std::array{0U, 50U, 90U}[random_() % 3];
    for (const Change& change : file.changes) {
        if (change.fate == Change::Fate::synced || happens(kept_percent)) apply(opened.fd(), change);
    }
}

void LossyDisk::lose_names(Directory& directory) {
    const std::size_t count = directory.changes.size();
    for (std::size_t lost = faults.loses_all ? count : random_() % (count + 1); lost > 0; --lost) {
        const NameChange change = std::move(directory.changes.back());
        directory.changes.pop_back();
        switch (change.kind) {
            case NameChange::Kind::made:
                raw::unlink(change.path.c_str());
                break;
            case NameChange::Kind::removed:
                raw::rename(change.kept.c_str(), change.path.c_str());
                break;
            case NameChange::Kind::renamed:
                raw::rename(change.path.c_str(), change.from.c_str());
                if (!change.kept.empty()) raw::rename(change.kept.c_str(), change.path.c_str());
                break;
        }
    }
}

void LossyDisk::destroy(const std::string& path) {
    raw::unlink(path.c_str());
}

void LossyDisk::lose_power() {
    for (auto& [path, directory] : directories_) lose_names(directory);
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root_)) {
        struct stat status{};
        if (::lstat(entry.path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
        if (const auto found = files_.find(status.st_ino); found != files_.end())
            lose_writes(entry.path(), *found->second);
    }
    directories_.clear();
    files_.clear();
    for (const auto& entry : std::filesystem::directory_iterator(kept_)) raw::unlink(entry.path().c_str());
    is_dead_ = sync_has_failed_ = false;
}

}  // namespace lossy_disk

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace lossy_disk {

// A disk whose power fails: what a directory's files and names would be without all that was not synced.
//
// The files are real, below `root`. Each change is made at once, as a running system shows it, and remembered
// until its file is synced, or, of a name, its directory. lose_power() then takes back what the disk need not
// have kept: any of the writes, each whole or but some of its sectors; and of the names in one directory the
// last so many changes.
//
// A sync that fails leaves what it should have written in doubt for good, whatever later syncs say: the
// kernel marks the pages clean (Rebello et al., USENIX ATC 2020).
//
// The calls are those of the system, with -1 and errno. Threads: one at a time.
class LossyDisk {
public:
    // A folder beside `root`, on the same file system, keeps the files whose names were removed.
    // With `keeps_all` no power is ever lost, and nothing need be remembered.
    LossyDisk(std::string root, std::uint64_t seed, bool keeps_all = false);
    ~LossyDisk();
    LossyDisk(const LossyDisk&) = delete;

    // What goes wrong, and when: calls that change something are counted from 1.
    struct Faults {
        std::uint64_t dies_at = 0;                // this call, and all after it, do nothing: 0: never
        std::uint64_t sync_fails_at = 0;          // the how-manieth sync
        std::optional<std::uint64_t> bytes_left;  // before the disk is full
        bool loses_all = false;                   // that is not synced, instead of some of it
    };
    Faults faults;
    std::uint64_t calls() const { return calls_; }
    std::uint64_t syncs() const { return syncs_; }
    bool is_dead() const { return is_dead_; }
    // Since the power was lost last.
    bool sync_has_failed() const { return sync_has_failed_; }
    void kill() { is_dead_ = true; }

    // Takes back what may be lost. Nothing may have the files open. Afterwards all that is there is synced.
    void lose_power();
    // Removes a file for good, if it is there.
    static void destroy(const std::string& path);
    // As after the end of the process alone: all that was written is there, but no more synced than before.
    void revive() { is_dead_ = false; }

    bool holds(std::string_view path) const { return path.starts_with(root_with_slash_) || path == root_; }

    int open(const char* path, int flags, mode_t mode);
    ssize_t write(int fd, const void* bytes, std::size_t count, off_t offset);
    int truncate(int fd, off_t bytes);
    int punch(int fd, off_t offset, off_t bytes);
    int sync(int fd);
    int rename(const char* from, const char* to);
    int unlink(const char* path);
    int link(const char* from, const char* to);
    int make_directory(const char* path, mode_t mode);
    void closed(int fd);
    // Whether a descriptor's file is one of these.
    bool holds(int fd) const {
        return fd >= 0 && static_cast<std::size_t>(fd) < descriptors_.size() &&
               descriptors_[static_cast<std::size_t>(fd)].is_open();
    }

private:
    struct Change {  // of a file's bytes
        enum class Kind : std::uint8_t { write, resize } kind;
        std::uint64_t offset = 0;  // of a resize: the new size
        std::string before;        // what was there; shorter where the file ended
        std::string after;
        std::uint64_t size_before = 0;
        enum class Fate : std::uint8_t { open, synced, in_doubt } fate = Fate::open;
    };
    struct File {
        std::uint64_t size = 0;
        std::vector<Change> changes;
    };
    struct NameChange {  // in one directory
        enum class Kind : std::uint8_t { made, removed, renamed } kind;
        std::string path;
        std::string kept;  // removed: where the file is kept; renamed: that of the name that was replaced
        std::string from;  // renamed
    };
    struct Directory {
        std::vector<NameChange> changes;
    };
    using Inode = ino_t;
    struct Descriptor {
        std::string path;
        std::shared_ptr<File> file;  // nullptr: a directory
        bool is_open() const { return !path.empty(); }
    };

    // False, with errno, when a fault is due: the call does nothing.
    bool begins(std::uint64_t bytes = 0);
    Descriptor& descriptor(int fd) { return descriptors_[static_cast<std::size_t>(fd)]; }
    void opened(int fd, const char* path, bool is_new);
    void directory_synced(const std::string& path);
    static void file_synced(File& file, bool failed);
    Directory& directory_of(std::string_view path);
    std::string keep(const char* path);
    void lose_writes(const std::string& path, const File& file);
    void lose_names(Directory& directory);
    void apply(int fd, const Change& change);
    bool happens(unsigned percent) { return random_() % 100 < percent; }

    std::string root_, root_with_slash_, kept_;
    std::mt19937_64 random_;
    std::map<Inode, std::shared_ptr<File>> files_;
    std::map<std::string, Directory, std::less<>> directories_;
    std::vector<Descriptor> descriptors_;  // by number
    std::uint64_t calls_ = 0, syncs_ = 0, kept_count_ = 0;
    bool is_dead_ = false, sync_has_failed_ = false;
    bool keeps_all_;
};

}  // namespace lossy_disk

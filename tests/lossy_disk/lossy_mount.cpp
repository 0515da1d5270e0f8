#include <cerrno>
#include <filesystem>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define FUSE_USE_VERSION 35
#include <fuse.h>

#include "lossy_disk/lossy_disk.h"

// lossy_mount FILES MOUNTPOINT [--seed S] [--loses-all] [--sync-fails N --of SUFFIX]
//
// Shows the files below FILES at MOUNTPOINT, by FUSE, until SIGTERM. Then the power is lost: what FILES holds
// afterwards is what a disk would have kept (lossy_disk.h). Mounted again, that is what is there.
//
// Every change comes through here in the order in which it was made, whoever made it and however it ended:
// the kernel keeps no writes back.

namespace {

struct Options {
    std::string files, mountpoint;
    std::uint64_t seed = 1, sync_fails = 0;
    std::string of;  // which files' syncs are counted
    bool loses_all = false;
};

struct Mounted {
    explicit Mounted(const Options& given) : options(given), disk(given.files, given.seed) {
        disk.faults.loses_all = given.loses_all;
    }
    Options options;
    lossy_disk::LossyDisk disk;
    std::uint64_t syncs = 0;  // of files that are counted

    // Of a path below the mountpoint.
    std::string path(std::string_view below) const {
        return below == "/" ? options.files : options.files + std::string(below);
    }
};

Mounted& mounted() {
    return *static_cast<Mounted*>(fuse_get_context()->private_data);
}

lossy_disk::LossyDisk& disk() {
    return mounted().disk;
}

int file_of(const fuse_file_info* info) {
    return static_cast<int>(info->fh);
}

int answer(int done) {
    return done < 0 ? -errno : 0;
}

void* initialize(fuse_conn_info*, fuse_config* config) {
    config->hard_remove = config->nullpath_ok = config->use_ino = 1;
    return fuse_get_context()->private_data;
}

int get_attributes(const char* path, struct stat* status, fuse_file_info* info) {
    return answer(info != nullptr ? ::fstat(file_of(info), status)
                                  : ::lstat(mounted().path(path).c_str(), status));
}

// What is changed is read first: no file is only written to. Where a write goes the kernel says.
int open_as(const char* path, int flags, mode_t mode, fuse_file_info* info) {
    const int access = (flags & O_ACCMODE) == O_RDONLY ? O_RDONLY : O_RDWR;
    const int rest = flags & ~(O_ACCMODE | O_APPEND | O_DIRECT);
    const int file = disk().open(mounted().path(path).c_str(), access | rest, mode);
    if (file < 0) return -errno;
    info->fh = static_cast<std::uint64_t>(file);
    return 0;
}

int open_file(const char* path, fuse_file_info* info) {
    return open_as(path, info->flags, 0, info);
}

int create(const char* path, mode_t mode, fuse_file_info* info) {
    return open_as(path, info->flags | O_CREAT, mode, info);
}

int open_folder(const char* path, fuse_file_info* info) {
    return open_as(path, O_RDONLY | O_DIRECTORY, 0, info);
}

int release(const char*, fuse_file_info* info) {
    disk().closed(file_of(info));
    return answer(::close(file_of(info)));
}

int read_bytes(const char*, char* bytes, std::size_t count, off_t offset, fuse_file_info* info) {
    const ssize_t got = ::pread(file_of(info), bytes, count, offset);
    return got < 0 ? -errno : static_cast<int>(got);
}

int write_bytes(const char*, const char* bytes, std::size_t count, off_t offset, fuse_file_info* info) {
    const ssize_t put = disk().write(file_of(info), bytes, count, offset);
    return put < 0 ? -errno : static_cast<int>(put);
}

int resize(const char* path, off_t bytes, fuse_file_info* info) {
    if (info != nullptr) return answer(disk().truncate(file_of(info), bytes));
    fuse_file_info opened{};
    if (const int failed = open_as(path, O_RDWR, 0, &opened); failed != 0) return failed;
    const int done = answer(disk().truncate(file_of(&opened), bytes));
    release(path, &opened);
    return done;
}

// Room is had when bytes come.
int allocate(const char*, int mode, off_t offset, off_t bytes, fuse_file_info* info) {
    if ((mode & FALLOC_FL_PUNCH_HOLE) != 0) return answer(disk().punch(file_of(info), offset, bytes));
    struct stat status{};
    if (::fstat(file_of(info), &status) != 0) return -errno;
    if ((mode & FALLOC_FL_KEEP_SIZE) != 0 || offset + bytes <= status.st_size) return 0;
    return answer(disk().truncate(file_of(info), offset + bytes));
}

bool is_counted(int file) {
    std::error_code unknown;
    const auto path = std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(file), unknown);
    return path.string().ends_with(mounted().options.of);
}

int sync_file(const char*, int, fuse_file_info* info) {
    const std::uint64_t fails = mounted().options.sync_fails;
    if (fails > 0 && is_counted(file_of(info)) && ++mounted().syncs == fails)
        disk().faults.sync_fails_at = disk().syncs() + 1;
    return answer(disk().sync(file_of(info)));
}

int sync_folder(const char*, int, fuse_file_info* info) {
    return answer(disk().sync(file_of(info)));
}

int read_folder(const char*, void* entries, fuse_fill_dir_t fill, off_t, fuse_file_info* info,
                fuse_readdir_flags) {
    DIR* const folder = ::fdopendir(::dup(file_of(info)));
    if (folder == nullptr) return -errno;
    ::rewinddir(folder);
    while (const dirent* const entry = ::readdir(folder))
        fill(entries, entry->d_name, nullptr, 0, static_cast<fuse_fill_dir_flags>(0));
    ::closedir(folder);
    return 0;
}

int make_folder(const char* path, mode_t mode) {
    return answer(disk().make_directory(mounted().path(path).c_str(), mode));
}

int remove_folder(const char* path) {
    return answer(::rmdir(mounted().path(path).c_str()));
}

int remove_file(const char* path) {
    return answer(disk().unlink(mounted().path(path).c_str()));
}

int rename_file(const char* from, const char* to, unsigned flags) {
    if (flags != 0) return -EINVAL;
    return answer(disk().rename(mounted().path(from).c_str(), mounted().path(to).c_str()));
}

int link_file(const char* from, const char* to) {
    return answer(disk().link(mounted().path(from).c_str(), mounted().path(to).c_str()));
}

int change_mode(const char* path, mode_t mode, fuse_file_info* info) {
    return answer(info != nullptr ? ::fchmod(file_of(info), mode)
                                  : ::chmod(mounted().path(path).c_str(), mode));
}

int change_owner(const char* path, uid_t owner, gid_t group, fuse_file_info* info) {
    return answer(info != nullptr ? ::fchown(file_of(info), owner, group)
                                  : ::lchown(mounted().path(path).c_str(), owner, group));
}

int change_times(const char* path, const timespec times[2], fuse_file_info* info) {
    return answer(info != nullptr
                      ? ::futimens(file_of(info), times)
                      : ::utimensat(AT_FDCWD, mounted().path(path).c_str(), times, AT_SYMLINK_NOFOLLOW));
}

int get_room(const char*, struct statvfs* room) {
    return answer(::statvfs(mounted().options.files.c_str(), room));
}

fuse_operations operations() {
    fuse_operations operations{};
    operations.init = initialize;
    operations.getattr = get_attributes;
    operations.open = open_file;
    operations.create = create;
    operations.release = release;
    operations.read = read_bytes;
    operations.write = write_bytes;
    operations.truncate = resize;
    operations.fallocate = allocate;
    operations.fsync = sync_file;
    operations.opendir = open_folder;
    operations.releasedir = release;
    operations.readdir = read_folder;
    operations.fsyncdir = sync_folder;
    operations.mkdir = make_folder;
    operations.rmdir = remove_folder;
    operations.unlink = remove_file;
    operations.rename = rename_file;
    operations.link = link_file;
    operations.chmod = change_mode;
    operations.chown = change_owner;
    operations.utimens = change_times;
    operations.statfs = get_room;
    return operations;
}

// False when it could not be mounted; FUSE has said why.
bool serve(Mounted& mounted, char* program) {
    fuse_args arguments = FUSE_ARGS_INIT(1, &program);
    const fuse_operations all = operations();
    fuse* const served = fuse_new(&arguments, &all, sizeof all, &mounted);
    fuse_opt_free_args(&arguments);
    if (served == nullptr || fuse_mount(served, mounted.options.mountpoint.c_str()) != 0) return false;
    const bool can_end = fuse_set_signal_handlers(fuse_get_session(served)) == 0;
    if (can_end) fuse_loop(served);
    fuse_unmount(served);
    fuse_destroy(served);
    return can_end;
}

}  // namespace

#if __has_feature(address_sanitizer)
// FUSE loses a request that it reads as it is told to end.
extern "C" const char* __lsan_default_suppressions() {
    return "leak:libfuse3";
}
#endif

int main(int argc, char** argv) {
    Options options;
    CLI::App app("Mounts a folder as a disk that loses its power when it is told to end.");
    app.add_option("files", options.files, "the folder")->required()->check(CLI::ExistingDirectory);
    app.add_option("mountpoint", options.mountpoint, "where it is seen")
        ->required()
        ->check(CLI::ExistingDirectory);
    app.add_option("--seed", options.seed, "decides what is lost");
    app.add_flag("--loses-all", options.loses_all, "lose all that was not synced");
    app.add_option("--sync-fails", options.sync_fails,
                   "the how-manieth sync fails, and loses what it was of");
    app.add_option("--of", options.of, "count the syncs only of files whose name ends so");
    CLI11_PARSE(app, argc, argv);
    Mounted mounted(options);
    if (!serve(mounted, *argv)) return 1;
    mounted.disk.lose_power();
    return 0;
}

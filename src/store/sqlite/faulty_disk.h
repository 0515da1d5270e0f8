#pragma once

#include <atomic>
#include <cerrno>

#include "store/sqlite/disk.h"

namespace sheaf::store {

// What a test lets a disk do wrong from now on; it outlives the disk.
struct DiskFaults {
    std::atomic<bool> syncs_fail = false;
    std::atomic<int> syncs_tried = 0;
    std::atomic<bool> is_full = false;
    std::atomic<bool> keeps_no_room = false;  // as file systems that cannot
};

class FaultyDisk final : public Disk {
public:
    explicit FaultyDisk(DiskFaults& faults) : faults_(&faults) {}

protected:
    ssize_t write_some(int fd, const char* bytes, std::size_t count, off_t offset) override {
        if (!faults_->is_full) return Disk::write_some(fd, bytes, count, offset);
        // Half of it finds room, as on a real disk.
        if (count > 1) return Disk::write_some(fd, bytes, count / 2, offset);
        errno = ENOSPC;
        return -1;
    }
    int flush(int fd) override {
        ++faults_->syncs_tried;
        if (!faults_->syncs_fail) return Disk::flush(fd);
        errno = EIO;
        return -1;
    }
    int keep_room(int fd, off_t bytes) override {
        if (!faults_->keeps_no_room) return Disk::keep_room(fd, bytes);
        errno = EOPNOTSUPP;
        return -1;
    }

private:
    DiskFaults* faults_;
};

}  // namespace sheaf::store

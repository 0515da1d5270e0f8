#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <utility>

#include "base/result.h"
#include "store/sqlite/disk.h"

namespace sheaf::store {

// Between a server, which takes bytes off the disk, and backups, which must find what they began with. Both
// lock the file HOLD in the data directory; the system lets go of a lock whose holder dies.
class RemovalGate {
public:
    static Result<std::unique_ptr<RemovalGate>> open(const std::filesystem::path& directory);
    explicit RemovalGate(File file) : file_(std::move(file)) {}

    // The right to remove, as long as it lives. Threads: any, several at once.
    class Pass {
    public:
        explicit Pass(RemovalGate* gate) : gate_(gate) {}
        Pass(Pass&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)) {}
        Pass& operator=(Pass&&) = delete;
        ~Pass();
        // Else a backup is under way: what is to be removed stays owed.
        explicit operator bool() const { return gate_ != nullptr; }

    private:
        RemovalGate* gate_;
    };
    Pass enter();

private:
    File file_;
    std::mutex mutex_;
    int inside_ = 0;
};

// Keeps all that the directory holds on the disk until it is closed. Waits for removals under way.
Result<File> hold_off_removals(const std::filesystem::path& directory);

}  // namespace sheaf::store

#pragma once

#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <vector>

#include "base/result.h"
#include "store/sqlite/database.h"

namespace sheaf::store {

// Connections for reading, so that no read waits for a commit. Threads: any.
class Readers {
public:
    Readers(std::filesystem::path path, Disk& disk) : path_(std::move(path)), disk_(&disk) {}

    // One consistent state of the index, for as long as it lives.
    class Snapshot {
    public:
        Snapshot(Readers& readers, std::unique_ptr<Connection> connection);
        ~Snapshot();
        Snapshot(Snapshot&&) noexcept = default;
        Snapshot& operator=(Snapshot&&) = delete;
        Connection& db() { return *connection_; }

    private:
        Readers* readers_;
        std::unique_ptr<Connection> connection_;
    };
    Result<Snapshot> snapshot();

private:
    static constexpr std::size_t kConnectionsMax = 16;

    std::filesystem::path path_;
    Disk* disk_;
    std::mutex mutex_;
    std::condition_variable returned_;
    std::size_t made_ = 0;
    std::vector<std::unique_ptr<Connection>> idle_;
};

}  // namespace sheaf::store

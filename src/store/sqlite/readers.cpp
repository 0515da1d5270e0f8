#include "store/sqlite/readers.h"

#include "store/sqlite/statements.h"

namespace sheaf::store {

Readers::Snapshot::Snapshot(Readers& readers, std::unique_ptr<Connection> connection)
    : readers_(&readers), connection_(std::move(connection)) {}

Readers::Snapshot::~Snapshot() {
    if (connection_ == nullptr) return;
    (void)connection_->run(sql::kCommit);
    const std::scoped_lock lock(readers_->mutex_);
    readers_->idle_.push_back(std::move(connection_));
    readers_->returned_.notify_one();
}

Result<Readers::Snapshot> Readers::snapshot() {
    std::unique_ptr<Connection> connection;
    {
        std::unique_lock lock(mutex_);
        returned_.wait(lock, [&] { return !idle_.empty() || made_ < kConnectionsMax; });
        if (idle_.empty()) {
            ++made_;
        } else {
            connection = std::move(idle_.back());
            idle_.pop_back();
        }
    }
    if (connection == nullptr) {
        auto opened = Connection::open(path_, Connection::Mode::read, *disk_);
        if (!opened) {
            const std::scoped_lock lock(mutex_);
            --made_;
            returned_.notify_one();
            return std::unexpected(opened.error());
        }
        connection = std::move(*opened);
    }
    Snapshot snapshot(*this, std::move(connection));
    if (const auto begun = snapshot.db().run(sql::kBeginRead); !begun) return std::unexpected(begun.error());
    return snapshot;
}

}  // namespace sheaf::store

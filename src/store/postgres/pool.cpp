#include "store/postgres/pool.h"

#include <algorithm>

namespace sheaf::store::postgres {

Result<std::unique_ptr<Connection>> Pool::take() {
    for (;;) {
        std::unique_ptr<Connection> idle;
        {
            std::unique_lock lock(mutex_);
            returned_.wait(lock, [&] { return busy_ < kConnectionsMax; });
            ++busy_;
            if (!idle_.empty()) {
                idle = std::move(idle_.back());
                idle_.pop_back();
            }
        }
        if (idle && idle->is_sound()) return idle;
        if (!idle) break;
        // The server hung up on it, and on the others perhaps: each is looked at before it is used.
        const std::scoped_lock lock(mutex_);
        --busy_;
    }
    auto made = connect();
    if (!made) {
        const std::scoped_lock lock(mutex_);
        --busy_;
        returned_.notify_one();
    }
    return made;
}

Result<std::unique_ptr<Connection>> Pool::connect() {
    {
        const std::scoped_lock lock(mutex_);
        if (std::chrono::steady_clock::now() < again_at_) return std::unexpected(last_error_);
    }
    auto made = Connection::open(url_);
    std::vector<std::unique_ptr<Connection>> of_the_former;  // is closed after the lock was given up
    const std::scoped_lock lock(mutex_);
    if (made) {
        if (std::string server = (*made)->server(); server != server_) {
            server_ = std::move(server);
            of_the_former.swap(idle_);
        }
        wait_ = {};
        again_at_ = {};
        return made;
    }
    wait_ = std::clamp(wait_ * 2, kFirstWait, kWaitMax);
    again_at_ = std::chrono::steady_clock::now() + wait_;
    last_error_ = made.error();
    return made;
}

Failure Pool::settle(std::unique_ptr<Connection> connection) {
    const Failure failure = connection->take_failure();
    if (failure != Failure::lost) {
        (void)connection->flush();
        if (connection->in_transaction()) (void)connection->run(sql::kRollback);
    }
    const bool is_sound = failure != Failure::lost && connection->is_sound();
    (void)connection->take_failure();
    std::vector<std::unique_ptr<Connection>> as_bad;  // is closed after the lock was given up
    {
        const std::scoped_lock lock(mutex_);
        --busy_;
        if (failure == Failure::lost) as_bad.swap(idle_);
        if (is_sound && connection->server() == server_) idle_.push_back(std::move(connection));
    }
    returned_.notify_one();
    return failure;
}

}  // namespace sheaf::store::postgres

#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <type_traits>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "store/postgres/connection.h"
#include "store/postgres/statements.h"

namespace sheaf::store::postgres {

// When a transaction's effect is on the disk.
enum class Durability : std::uint8_t {
    synced,  // when write() returns
    lazy,    // soon; a crash of the server may undo it as a whole, a crash of ours does not
};

// A few connections, one for each call under way. Threads: any.
//
// A lost connection is replaced by the next call, at once the first time, then after waits that double: until
// one is over, calls fail with ErrorCode::unavailable without trying. When it leads to another server than
// before, no connection to the former is used any more: that one may show what was.
class Pool {
public:
    explicit Pool(Secret url) : url_(std::move(url)) {}

    // Runs `ask(Connection&)`, which gives a Result and only reads; once more when the connection is lost.
    template <class F>
    auto read(F ask) -> std::invoke_result_t<F&, Connection&> {
        for (int tries = 1;; ++tries) {
            auto taken = take();
            if (!taken) return std::unexpected(taken.error());
            Connection& db = **taken;
            auto result = ask(db);
            const Failure failure = settle(std::move(*taken));
            if (!result && failure == Failure::lost && tries < 2) continue;
            return result;
        }
    }

    // The same, of one state of the database however many statements it takes.
    template <class F>
    auto read_snapshot(F ask) -> std::invoke_result_t<F&, Connection&> {
        return read([&](Connection& db) -> std::invoke_result_t<F&, Connection&> {
            db.queue(sql::kBeginSnapshot);
            auto result = ask(db);
            db.queue(sql::kCommit);
            if (const auto done = db.flush(); !done && result) return std::unexpected(done.error());
            return result;
        });
    }

    // Runs `apply(Connection&)`, which gives a Result, in a transaction: it takes effect, durably, if it
    // succeeds, and not at all if it fails. It may run more than once: when others came first, or the
    // connection was lost before the commit. unavailable with the connection lost during the commit: whether
    // it took effect is not known.
    template <class F>
    auto write(F apply, Durability durability = Durability::synced) -> std::invoke_result_t<F&, Connection&> {
        for (int tries = 1;; ++tries) {
            auto taken = take();
            if (!taken) return std::unexpected(taken.error());
            Connection& db = **taken;
            db.queue(sql::kBegin);
            if (durability == Durability::lazy) db.queue(sql::kCommitLazily);
            auto result = apply(db);
            const bool committing = result.has_value();
            if (result) {
                if (const auto committed = db.run(sql::kCommit); !committed)
                    result = std::unexpected(committed.error());
            }
            const Failure failure = settle(std::move(*taken));
            if (result) return result;
            if (failure == Failure::overtaken && tries < kTriesMax) continue;
            if (failure == Failure::lost && !committing && tries < 2) continue;
            return result;
        }
    }

private:
    static constexpr std::size_t kConnectionsMax = 16;
    static constexpr int kTriesMax = 8;
    static constexpr std::chrono::milliseconds kFirstWait{100};
    static constexpr std::chrono::milliseconds kWaitMax{2'000};

    Result<std::unique_ptr<Connection>> take();
    // Ends what transaction is open, keeps the connection if it is sound, and tells what went wrong.
    Failure settle(std::unique_ptr<Connection> connection);
    Result<std::unique_ptr<Connection>> connect();

    const Secret url_;
    std::mutex mutex_;
    std::condition_variable returned_;
    std::size_t busy_ = 0;
    std::vector<std::unique_ptr<Connection>> idle_;
    std::string server_;  // that the newest connection leads to
    std::chrono::milliseconds wait_{0};
    std::chrono::steady_clock::time_point again_at_{};
    Error last_error_;
};

}  // namespace sheaf::store::postgres

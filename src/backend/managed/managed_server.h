#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "async/task_group.h"
#include "async/timer.h"
#include "backend/backends.h"
#include "backend/managed/child.h"
#include "base/result.h"

namespace sheaf::backend::managed {

// A model server that is started when there is work for it, and stopped when there was none for a while.
//
// Each start gets a free port on loopback. It is up once GET /health, or /v1/models where that is not found,
// is answered 2xx. One that dies or does not come up in time is started again while there is work, after a
// wait that doubles. What it writes goes to our log. It does not outlive this process (child.h).
//
// Belongs to one executor; stop() comes before the end.
class ManagedServer {
public:
    // `on_up` is told its origin, "http://127.0.0.1:40123", before anybody who waits for it goes on.
    ManagedServer(async::Executor executor, ManagedOptions options,
                  std::function<void(const std::string& origin)> on_up);
    ~ManagedServer();

    enum class Patience : std::uint8_t {
        one_start,  // gives up when a start fails, or has failed and the next is being waited for
        endless,
    };
    // Starts it where needed. unavailable: it cannot be started, or keeps dying, in a sentence; or stop() was
    // called.
    async::Task<Result<>> up(Patience patience);
    bool is_up() const { return state_ == State::up; }

    // While one lives the server is in use.
    class Use {
    public:
        explicit Use(ManagedServer& server);
        ~Use();
        Use(const Use&) = delete;
        Use& operator=(const Use&) = delete;

    private:
        ManagedServer* server_;
    };

    // Asks it to end and waits until it has; it is not started again.
    async::Task<void> stop();

private:
    enum class State : std::uint8_t { down, starting, up, stopping, waiting };

    async::Task<void> look_after();
    async::Task<void> run_once();
    async::Task<bool> come_up(Child& child, const std::string& origin);
    async::Task<void> serve(Child& child);
    async::Task<void> run_child(Child& child);
    async::Task<bool> is_healthy(const std::string& origin);
    void note_fault(std::string message, bool was_up);

    async::Executor executor_;
    std::string model_;
    ManagedOptions options_;
    std::function<void(const std::string& origin)> on_up_;
    async::TaskGroup tasks_;
    async::Bell changed_;  // of state_, fault_, uses_ or the child
    State state_ = State::down;
    bool is_looked_after_ = false;
    bool is_stopped_ = false;
    std::uint32_t uses_ = 0;    // those that wait for it too
    std::uint32_t faults_ = 0;  // in a row
    std::string fault_;
    bool is_hopeful_ = false;          // it was up, and has died once: the next start will do
    std::optional<int> child_status_;  // once it has ended
};

}  // namespace sheaf::backend::managed

#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>

#include "base/descriptor.h"
#include "base/secret.h"
#include "store/postgres/connection.h"

namespace sheaf::store::postgres {

// Hears what other nodes tell, on a connection and a thread of its own. A lost connection is made anew, after
// waits that double; what was told meanwhile is lost, so that afterwards everything counts as changed.
class Listener {
public:
    // All are called on the listener's thread: `heard` with each message, to tell whether it is another
    // node's; `deaf` after messages may have been missed.
    // `beat` is run every few seconds: it says that we live.
    using Heard = std::function<bool(std::string_view)>;
    struct Calls {
        Heard heard;
        std::function<void()> deaf;
        std::function<Result<>(Connection&)> beat;
    };
    Listener(Secret url, Calls calls);
    ~Listener();
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

    // Whom to call when something changed elsewhere; empty for nobody. Returns when the one before is not
    // being called any more. Threads: any.
    void set(std::function<void()> changed);

private:
    void call();
    void run();
    Result<std::unique_ptr<Connection>> connect() const;
    // Until the connection is lost or we stop.
    void listen(Connection& connection);
    // False when we stop.
    bool wait(int fd, std::chrono::milliseconds at_most) const;

    const Secret url_;
    const Calls calls_;
    std::mutex mutex_;
    std::function<void()> changed_;
    Descriptor stop_;
    std::thread thread_;
};

}  // namespace sheaf::store::postgres

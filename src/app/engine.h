#pragma once

#include <memory>
#include <string>

#include "app/config.h"
#include "async/blocking.h"
#include "async/task_group.h"
#include "async/timer.h"
#include "base/result.h"
#include "http/server.h"
#include "store/store.h"

namespace sheaf::app {

// Everything that makes a server, built in order and taken down in the reverse order.
//
// Two executors: `io` serves connections and runs the services, `scheduler` runs items. Built and destroyed
// while neither runs; start() and stop() are awaited from a third.
class Engine {
public:
    static Result<std::unique_ptr<Engine>> make(const Config& config, async::Executor io,
                                                async::Executor scheduler);
    ~Engine();

    // Binds; nothing is answered before start().
    Result<> listen(const std::string& host, std::uint16_t port);
    std::uint16_t port() const;
    // Takes up what an earlier process left and begins to run items. Both executors must be running.
    async::Task<void> start();
    // Accepts no more, lets what runs finish for the grace time, gives the rest back.
    async::Task<void> stop();

    // An error once the store refuses for good.
    Result<> health();
    store::Store& store();

private:
    struct Parts;
    explicit Engine(std::unique_ptr<Parts> parts);
    std::unique_ptr<Parts> parts_;
};

}  // namespace sheaf::app

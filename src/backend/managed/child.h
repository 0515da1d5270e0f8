#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "async/task.h"
#include "base/result.h"

namespace sheaf::backend::managed {

struct ChildOptions {
    std::vector<std::string> keeper;   // the command that runs model_keeper_main
    std::vector<std::string> command;  // of the server
    std::vector<std::string> environment;
    std::chrono::milliseconds grace{10'000};  // from SIGTERM to SIGKILL
    // What it writes to its standard output and error, line by line; what exceeds 4 KiB is cut.
    std::function<void(std::string_view line)> on_line;
};

// A program that lives no longer than this object, or this process: it and all that it starts are killed when
// either ends. Belongs to one executor.
class Child {
public:
    // unavailable: the system has no process or descriptor left. That the command is none shows when it ends.
    static Result<std::unique_ptr<Child>> start(async::Executor executor, ChildOptions options);
    virtual ~Child() = default;

    // Hands over its lines until it has ended; its exit status, 128 and the signal's number when it was
    // killed, 127 when the command could not be started. Once.
    virtual async::Task<int> run() = 0;
    // SIGTERM to its process group, SIGKILL after the grace.
    virtual void ask_to_stop() = 0;
};

}  // namespace sheaf::backend::managed

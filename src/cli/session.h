#pragma once

#include <functional>
#include <string>

#include "async/task.h"
#include "base/secret.h"
#include "cli/api.h"
#include "cli/console.h"
#include "cli/failure.h"

namespace sheaf::cli {

// How the server is reached.
struct ServerFlags {
    std::string server;  // empty: $SHEAF_SERVER, then the loopback
    std::string key;     // empty: the key file, then $SHEAF_API_KEY, then the file $SHEAF_KEY_FILE
    std::string key_file;
};

// What a running command has at hand.
struct Session {
    const Console& console;
    Api& api;
    std::string if_interrupted;  // told when the user presses Ctrl-C
};

// Runs one command against the server, and returns its exit code. A failure is told on the console's err. The
// first Ctrl-C cancels the command and gives 130; a second one ends the process.
using Command = std::function<async::Task<Outcome<ExitCode>>(Session&)>;
int run_session(const Console& console, const ServerFlags& flags, const Command& command);

}  // namespace sheaf::cli

#pragma once

#include <functional>
#include <memory>

namespace CLI {
class App;
}

namespace sheaf::cli {

// The commands that speak to a server: submit, watch, results, receipt, cancel, delete, list; and
// verify, which needs none. Must outlive the parse.
class ClientCommands {
public:
    ClientCommands();
    ~ClientCommands();
    // Adds the subcommands to `program`. Parsing one sets `chosen` to what runs it and returns its exit code.
    void add_to(CLI::App& program, std::function<int()>& chosen);

private:
    struct Options;
    std::unique_ptr<Options> options_;
};

}  // namespace sheaf::cli

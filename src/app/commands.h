#pragma once

namespace sheaf::app {

// Parses the command line, runs the command it names and returns its exit code: 2 for a wrong command line,
// else what the command says (see `sheaf COMMAND --help`).
int run_command_line(int argc, char** argv);

}  // namespace sheaf::app

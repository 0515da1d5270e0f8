#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

namespace sheaf::backend::managed {

// For tests: the command of a small model server in Python. It listens on {port}, writes its process id and
// that of a child of its own that went into another session to `pid_file`, answers GET /health with 200, and
// ends with exit code 3, in the middle of the call, when it is posted to. Words change that: "unwell" answers
// 503 for ever, "stubborn" heeds no SIGTERM, "old" knows no /health, only /v1/models.
std::vector<std::string> python_server(const std::string& pid_file, const std::string& word = "well");

// The two process ids, or none yet.
std::vector<pid_t> read_pids(const std::string& pid_file);
bool is_alive(pid_t pid);

// The main function of a process that starts python_server(argv[2]) as a child and waits to be killed.
int managed_owner_main(int argc, char** argv);

}  // namespace sheaf::backend::managed

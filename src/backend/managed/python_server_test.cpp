#include "backend/managed/python_server_test.h"

#include <csignal>
#include <fstream>

#include "async/task_group.h"
#include "backend/managed/child.h"
#include "backend/managed/command.h"

namespace sheaf::backend::managed {
namespace {

constexpr const char* kScript = R"(
import http.server, os, signal, subprocess, sys, time
port, pid_file, word = int(sys.argv[1]), sys.argv[2], sys.argv[3]
if word == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen(["sleep", "600"], start_new_session=True)
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_): pass
    def answer(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")
    def do_GET(self):
        known = "/v1/models" if word == "old" else "/health"
        self.answer(503 if word == "unwell" else 200 if self.path == known else 404)
    def do_POST(self):
        os._exit(3)
server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
with open(pid_file + ".new", "w") as file:
    file.write(f"{os.getpid()} {child.pid}")
os.rename(pid_file + ".new", pid_file)
print("listening", flush=True)
server.serve_forever()
)";

}  // namespace

std::vector<std::string> python_server(const std::string& pid_file, const std::string& word) {
    return {"python3", "-c", kScript, "{port}", pid_file, word};
}

std::vector<pid_t> read_pids(const std::string& pid_file) {
    std::ifstream file(pid_file);
    std::vector<pid_t> pids;
    for (pid_t pid = 0; file >> pid;) pids.push_back(pid);
    return pids;
}

bool is_alive(pid_t pid) {
    return ::kill(pid, 0) == 0;
}

int managed_owner_main(int argc, char** argv) {
    if (argc < 4) return 2;
    boost::asio::io_context context(1);
    auto child = Child::start(
        context.get_executor(),
        {.keeper = {"/proc/self/exe", "model-keeper"},
         .command = with_port(python_server(argv[2]), static_cast<std::uint16_t>(std::stoi(argv[3]))),
         .environment = without_our_settings(environ),
         .on_line = [](std::string_view) {}});
    if (!child) return 1;
    boost::asio::co_spawn(context, (*child)->run(), [](std::exception_ptr, int) {});
    context.run();
    return 0;
}

}  // namespace sheaf::backend::managed

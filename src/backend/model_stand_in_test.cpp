#include "backend/model_stand_in_test.h"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace sheaf::backend {
std::string model_stand_in_program() {
    if (const char* path = std::getenv("SHEAF_MODEL_STAND_IN")) return path;
    return std::filesystem::read_symlink("/proc/self/exe").parent_path() / "model_stand_in";
}

ModelStandIn::ModelStandIn(std::vector<std::string> arguments) {
    std::string pattern = (std::filesystem::temp_directory_path() / "sheaf-stand-in-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) return;
    directory_ = pattern;
    const auto port_file = directory_ + "/port";
    const auto path = model_stand_in_program();
    arguments.insert(arguments.begin(), {path, "--port-file", port_file});
    std::vector<char*> pointers;
    for (auto& argument : arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    const auto parent = ::getpid();
    pid_ = ::fork();
    if (pid_ == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() == parent) ::execv(path.c_str(), pointers.data());
        ::_exit(127);
    }
    if (pid_ < 0) return;
    for (int i = 0; i < 1000; ++i) {
        int port = 0;
        if (std::ifstream(port_file) >> port) {
            origin_ = "http://127.0.0.1:" + std::to_string(port);
            return;
        }
        if (::waitpid(pid_, nullptr, WNOHANG) != 0) {
            pid_ = -1;
            return;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds{20});
    }
}

ModelStandIn::~ModelStandIn() {
    if (pid_ > 0) {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    std::error_code ignored;
    if (!directory_.empty()) std::filesystem::remove_all(directory_, ignored);
}

ModelStandIn& shared_stand_in() {
    static ModelStandIn shared;
    return shared;
}

}  // namespace sheaf::backend

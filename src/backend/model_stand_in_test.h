#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

namespace sheaf::backend {

// For tests: the program model_stand_in as a child process, found beside this one or by SHEAF_MODEL_STAND_IN.
// It dies with its owner, and with this process.
class ModelStandIn {
public:
    explicit ModelStandIn(std::vector<std::string> arguments = {});
    ~ModelStandIn();
    ModelStandIn(const ModelStandIn&) = delete;
    ModelStandIn& operator=(const ModelStandIn&) = delete;

    // Empty: it did not start.
    const std::string& origin() const { return origin_; }
    std::string url() const { return origin_ + "/v1"; }

private:
    pid_t pid_ = -1;
    std::string directory_;
    std::string origin_;
};

// Where the program is.
std::string model_stand_in_program();

// One for all the tests that need no arguments, started on first use.
ModelStandIn& shared_stand_in();

}  // namespace sheaf::backend

#pragma once

#include <expected>
#include <string>

#include "base/result.h"

namespace sheaf::cli {

// What the commands tell the shell; every --help shows this table.
enum class ExitCode : int {
    all_ready = 0,
    some_not_ready = 1,  // failed, canceled or expired
    usage = 2,           // the command line or its input is wrong
    no_server = 3,       // unreachable, or it refused
    not_found = 4,
    conflict = 5,
    interrupted = 130,
};

// Why a command cannot go on: one sentence for people.
struct Failure {
    ExitCode exit_code = ExitCode::no_server;
    std::string message;
    bool may_pass = false;  // the same again, later, may work
};

template <class T = void>
using Outcome = std::expected<T, Failure>;

inline std::unexpected<Failure> give_up(ExitCode exit_code, std::string message) {
    return std::unexpected(Failure{exit_code, std::move(message)});
}

}  // namespace sheaf::cli

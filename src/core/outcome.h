#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <variant>

#include "core/inference.h"

// How one attempt ended, as values: whether to try again is decided in retry.h.
namespace sheaf::core {

// The item itself is at fault: another attempt would end the same way.
struct Refused {
    Failure failure;
};
// The model server asks for less: slow down, the item is fine.
struct Overloaded {
    std::string message;
    std::optional<std::chrono::milliseconds> retry_after;
    int status = 0;          // as in Failure
    std::string error = {};  // as in Failure
};
// The attempt broke for a reason that may pass: no connection, a 500, half an answer.
struct Broken {
    Failure failure;
};

using Outcome = std::variant<Answer, Refused, Overloaded, Broken>;

// How an item ended for good.
struct Succeeded {
    Answer answer;
};
struct Failed {
    Failure failure;
};
struct Canceled {};
struct Expired {};
using Ending = std::variant<Succeeded, Failed, Canceled, Expired>;

}  // namespace sheaf::core

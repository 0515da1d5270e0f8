#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/inference.h"

namespace sheaf::backend {

// What an item asks of the scripted backend, so that a client can be tried against every ending. One
// directive a line, anywhere in the prompt or, of segments, in a definition's description; of a model
// request, in the user's last message or in what is to be embedded:
//
//   sheaf:answer TEXT    answers TEXT; for JSON and segments it is checked like a model's
//   sheaf:fail           fails for good
//   sheaf:broken N       the first N attempts break
//   sheaf:overload N     the first N attempts are told to slow down
//   sheaf:delay MS       takes so long, instead of the configured delay
//   sheaf:length         stops at half of the answer, as if the token limit had been reached
//
// N is 1 when it is left out. A line that is none of these is part of the prompt.
struct Script {
    std::optional<std::string> answer;
    bool fails = false;
    std::uint32_t broken = 0;
    std::uint32_t overloads = 0;
    std::optional<std::chrono::milliseconds> delay;
    bool is_cut = false;
};

Script parse_script(std::string_view prompt);

// All the words of an analysis in which directives are looked for.
std::string scripted_words(const core::VideoAnalysis& analysis);

}  // namespace sheaf::backend

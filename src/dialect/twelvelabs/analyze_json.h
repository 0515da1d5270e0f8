#pragma once

#include <string>
#include <string_view>

#include "core/outcome.h"
#include "dialect/twelvelabs/errors.h"

// What POST /analyze says. Lines end in '\n' and are pure ASCII.
namespace sheaf::dialect::twelvelabs {

std::string render_direct_answer(const core::Answer& answer, std::string_view generation);
std::string render_stream_start(std::string_view generation);
std::string render_stream_text(std::string_view text);
std::string render_stream_end(const core::Answer& answer, std::string_view generation);

// A direct call that gave no answer.
Problem to_problem(const core::Ending& ending);

}  // namespace sheaf::dialect::twelvelabs

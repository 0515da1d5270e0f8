#pragma once

#include <string_view>

#include "core/inference.h"
#include "core/plan.h"

namespace sheaf::protocol {

// What a request's bytes tell before it runs: its prompt in the order in which model servers read it (system
// text, tools, then turn by turn), and the longest answer it allows. Of what is no request, as far as it can
// be read; of Embeddings, whose servers keep nothing, nothing. A pure function; threads: any.
core::Forecast forecast(core::Protocol protocol, std::string_view body);

}  // namespace sheaf::protocol

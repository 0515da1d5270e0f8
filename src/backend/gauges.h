#pragma once

#include <optional>
#include <string_view>

#include "backend/admission.h"

namespace sheaf::backend {

// What a page of Prometheus metrics says in the names of vLLM, SGLang or llama-server; of several engines
// behind one server, calls are summed and the fullest cache counts. nullopt: it does not tell both how many
// run and how many wait.
std::optional<Gauges> parse_gauges(std::string_view metrics);

}  // namespace sheaf::backend

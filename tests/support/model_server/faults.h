#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace model_server {

enum class FaultKind { status, hang, cut, reset };

struct Fault {
    FaultKind kind = FaultKind::status;
    int status = 0;
    double fraction = 0;
    double from_s = 0, to_s = 1e18;  // since the start
};

// KIND:FRACTION[@FROM-TO]: KIND is an HTTP status from 400, or hang (never answers), cut (half an answer) or
// reset; the times are in seconds since the start.
std::optional<Fault> parse_fault(std::string_view text);

// Which fault a request meets, if any: by its number, so that every run meets the same. Of faults in force
// at once a request meets one at most.
const Fault* find_fault(const std::vector<Fault>& faults, std::uint64_t request, double since_start_s);

}  // namespace model_server

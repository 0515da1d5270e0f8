#include "faults.h"

#include <charconv>

#include "text_hash.h"

namespace model_server {
namespace {

template <class Number>
bool read(std::string_view text, Number& number) {
    const auto end = text.data() + text.size();
    return std::from_chars(text.data(), end, number).ptr == end && !text.empty();
}

bool read_kind(std::string_view text, Fault& fault) {
    if (text == "hang")
        fault.kind = FaultKind::hang;
    else if (text == "cut")
        fault.kind = FaultKind::cut;
    else if (text == "reset")
        fault.kind = FaultKind::reset;
    else
        return read(text, fault.status) && fault.status >= 400 && fault.status <= 599;
    return true;
}

}  // namespace

std::optional<Fault> parse_fault(std::string_view text) {
    Fault fault;
    const auto colon = text.find(':');
    if (colon == std::string_view::npos || !read_kind(text.substr(0, colon), fault)) return std::nullopt;
    auto rest = text.substr(colon + 1);
    if (const auto at = rest.find('@'); at != std::string_view::npos) {
        const auto window = rest.substr(at + 1);
        rest = rest.substr(0, at);
        const auto dash = window.find('-');
        if (dash == std::string_view::npos || !read(window.substr(0, dash), fault.from_s) ||
            !read(window.substr(dash + 1), fault.to_s))
            return std::nullopt;
    }
    if (!read(rest, fault.fraction) || fault.fraction < 0 || fault.fraction > 1) return std::nullopt;
    return fault;
}

const Fault* find_fault(const std::vector<Fault>& faults, std::uint64_t request, double since_start_s) {
    if (faults.empty()) return nullptr;
    double drawn = static_cast<double>(mixed(request + 1) >> 11) * 0x1p-53;
    for (const auto& fault : faults) {
        if (since_start_s < fault.from_s || since_start_s >= fault.to_s) continue;
        if (drawn < fault.fraction) return &fault;
        drawn -= fault.fraction;
    }
    return nullptr;
}

}  // namespace model_server

#include "latency.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <numbers>

#include "body_scan.h"
#include "text_hash.h"

namespace model_server {

std::int64_t Latency::of(std::string_view body) const {
    if (const auto hint = find_hint_number(body, "cost_ms")) return static_cast<std::int64_t>(*hint) * 1000;
    if (sigma == 0) return static_cast<std::int64_t>(mean_ms * 1000);
    const auto hash = text_hash(body, 0);
    const double first = (static_cast<double>(hash >> 11) + 1) * 0x1p-53;
    const double second = static_cast<double>(mixed(hash) >> 11) * 0x1p-53;
    const double normal = std::sqrt(-2 * std::log(first)) * std::cos(2 * std::numbers::pi * second);
    const double drawn = std::exp(std::log(mean_ms) - sigma * sigma / 2 + sigma * normal);
    return static_cast<std::int64_t>(std::min(drawn, cap_ms) * 1000);
}

std::optional<Latency> parse_latency(std::string_view text) {
    constexpr std::string_view kKind = "lognormal:";
    if (!text.starts_with(kKind)) return std::nullopt;
    std::array<double, 3> numbers{};
    const char* at = text.data() + kKind.size();
    const char* const end = text.data() + text.size();
    for (auto& number : numbers) {
        const auto [next, error] = std::from_chars(at, end, number);
        if (error != std::errc() || number <= 0) return std::nullopt;
        at = next == end ? next : next + 1;
    }
    return at == end ? std::optional(Latency{numbers[0], numbers[1], numbers[2]}) : std::nullopt;
}

}  // namespace model_server

#include "backend/gauges.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <span>

namespace sheaf::backend {
namespace {

constexpr std::array<std::string_view, 3> kRunning{"vllm:num_requests_running", "sglang:num_running_reqs",
                                                   "llamacpp:requests_processing"};
constexpr std::array<std::string_view, 3> kWaiting{"vllm:num_requests_waiting", "sglang:num_queue_reqs",
                                                   "llamacpp:requests_deferred"};
constexpr std::array<std::string_view, 4> kCache{"vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc",
                                                 "sglang:token_usage", "llamacpp:kv_cache_usage_ratio"};

bool is_one_of(std::span<const std::string_view> names, std::string_view name) {
    return std::ranges::find(names, name) != names.end();
}

struct Sample {
    std::string_view name;
    double value;
};

// name{label="with } in it",…} value [time]
std::optional<Sample> parse_line(std::string_view line) {
    const auto name_end = line.find_first_of("{ \t");
    if (line.starts_with('#') || name_end == std::string_view::npos) return std::nullopt;
    auto rest = line.substr(name_end);
    if (rest.starts_with('{')) {
        bool is_quoted = false;
        std::size_t at = 1;
        for (; at < rest.size() && (is_quoted || rest[at] != '}'); ++at) {
            if (rest[at] == '\\')
                ++at;
            else if (rest[at] == '"')
                is_quoted = !is_quoted;
        }
        if (at >= rest.size()) return std::nullopt;
        rest.remove_prefix(at + 1);
    }
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
    double value = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
    if (error != std::errc() || !std::isfinite(value) || value < 0) return std::nullopt;
    return Sample{line.substr(0, name_end), value};
}

}  // namespace

std::optional<Gauges> parse_gauges(std::string_view metrics) {
    Gauges gauges;
    bool tells_running = false;
    bool tells_waiting = false;
    while (!metrics.empty()) {
        const auto end = std::min(metrics.find('\n'), metrics.size());
        const auto sample = parse_line(metrics.substr(0, end));
        metrics.remove_prefix(std::min(end + 1, metrics.size()));
        if (!sample) continue;
        if (is_one_of(kRunning, sample->name)) {
            gauges.running += sample->value;
            tells_running = true;
        } else if (is_one_of(kWaiting, sample->name)) {
            gauges.waiting += sample->value;
            tells_waiting = true;
        } else if (is_one_of(kCache, sample->name)) {
            gauges.cache_use = std::max(gauges.cache_use.value_or(0), sample->value);
        }
    }
    return tells_running && tells_waiting ? std::optional(gauges) : std::nullopt;
}

}  // namespace sheaf::backend

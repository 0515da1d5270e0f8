#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace model_server {

enum class MetricNames { none, vllm, sglang, llamacpp };

struct Gauges {
    std::uint32_t running = 0;
    std::uint32_t waiting = 0;
    double kv_usage = 0;  // 0 to 1
    std::uint64_t prompt_tokens = 0;
    std::uint64_t cached_tokens = 0;
    std::uint64_t generation_tokens = 0;
};

// In the Prometheus text format, under the names that the server would use.
std::string metrics_text(MetricNames names, std::string_view model, const Gauges& gauges);

}  // namespace model_server

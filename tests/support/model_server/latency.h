#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace model_server {

// How long decoding takes, by rule; the same request takes as long in every run.
struct Latency {
    double mean_ms = 0;
    double sigma = 0;  // of the lognormal distribution; 0: always the mean
    double cap_ms = 1e12;

    // In microseconds. A body that says "cost_ms=N" takes so long.
    std::int64_t of(std::string_view body) const;
};

// "lognormal:MEAN,SIGMA,CAP", in milliseconds.
std::optional<Latency> parse_latency(std::string_view text);

}  // namespace model_server

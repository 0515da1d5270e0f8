// plan_bench --json FILE: how long the plan of 100,000 Chat Completions requests takes, from their bytes to
// their order, against 200 ms. Writes rows of {"row","ours","yardstick",…} in milliseconds.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/plan.h"
#include "protocol/forecast.h"

namespace {

using namespace sheaf;

constexpr std::uint32_t kItems = 100'000;
constexpr int kRuns = 5;
constexpr double kLimitMs = 200;
// A request is about as long as those that the ingest measurement sends, 2.3 kB.
constexpr std::size_t kPrefixBytes = 2'000;
constexpr std::size_t kSuffixBytes = 200;

using Random = std::mt19937_64;

std::string text(Random& random, std::size_t bytes) {
    std::uniform_int_distribution<int> letter('a', 'z');
    std::string made(bytes, ' ');
    for (char& each : made) each = static_cast<char>(letter(random));
    return made;
}

struct Workload {
    std::string_view name;
    std::uint32_t prefixes;
    bool is_skewed;  // Zipf, exponent 1; else all are as likely
};

std::vector<std::uint32_t> choose(const Workload& workload, Random& random) {
    std::vector<double> weights(workload.prefixes, 1);
    for (std::uint32_t rank = 0; workload.is_skewed && rank < workload.prefixes; ++rank)
        weights[rank] = 1.0 / (rank + 1);
    std::discrete_distribution<std::uint32_t> draw(weights.begin(), weights.end());
    std::vector<std::uint32_t> chosen(kItems);
    for (std::uint32_t at = 0; at < kItems; ++at)
        chosen[at] = workload.prefixes == kItems ? at : draw(random);
    return chosen;
}

std::vector<std::string> make_requests(const Workload& workload) {
    Random random(1);
    std::vector<std::string> prefixes;
    for (std::uint32_t number = 0; number < workload.prefixes; ++number)
        prefixes.push_back(text(random, kPrefixBytes));
    std::vector<std::string> requests;
    for (const std::uint32_t prefix : choose(workload, random))
        requests.push_back(
            fmt::format(R"({{"model":"m","max_tokens":{},"messages":[{{"role":"system","content":"{}"}},)"
                        R"({{"role":"user","content":"{}"}}]}})",
                        16 + random() % 1024, prefixes[prefix], text(random, kSuffixBytes)));
    return requests;
}

double milliseconds_to_plan(const std::vector<std::string>& requests) {
    const auto since = std::chrono::steady_clock::now();
    std::vector<core::Forecast> forecasts;
    forecasts.reserve(requests.size());
    for (const std::string& request : requests)
        forecasts.push_back(protocol::forecast(core::Protocol::chat_completions, request));
    const auto plan = core::plan_order(forecasts);
    const std::chrono::duration<double, std::milli> taken = std::chrono::steady_clock::now() - since;
    if (plan.size() != kItems) std::exit(1);
    return taken.count();
}

std::string row(const Workload& workload) {
    const auto requests = make_requests(workload);
    std::vector<double> taken;
    for (int run = 0; run < kRuns; ++run) taken.push_back(milliseconds_to_plan(requests));
    std::ranges::sort(taken);
    return fmt::format(
        "{{\"row\":\"plan of 100,000 requests, {}\",\"ours\":{:.1f},\"yardstick\":{},\"unit\":\"ms\","
        "\"ratio\":{:.2f},\"ratio_min\":{:.2f},\"ratio_max\":{:.2f},\"target\":1.0,\"at_most\":true}}",
        workload.name, taken[kRuns / 2], kLimitMs, taken[kRuns / 2] / kLimitMs, taken.front() / kLimitMs,
        taken.back() / kLimitMs);
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 3 || std::string_view(arguments[1]) != "--json") {
        std::fputs("usage: plan_bench --json FILE\n", stderr);
        return 2;
    }
    std::vector<std::string> rows;
    for (const Workload& workload : {Workload{"2,000 templates", 2'000, false},
                                     {"5,000 documents, Zipf", 5'000, true},
                                     {"12,500 videos", 12'500, false},
                                     {"nothing shared", kItems, false}})
        rows.push_back(row(workload));
    std::ofstream json(arguments[2]);
    json << fmt::format("[\n{}\n]\n", fmt::join(rows, ",\n"));
    return json.good() ? 0 : 1;
}

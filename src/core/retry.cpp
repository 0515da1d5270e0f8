#include "core/retry.h"

#include <algorithm>

namespace sheaf::core {
namespace {

std::chrono::milliseconds jittered_wait(const RetryPolicy& policy, std::uint32_t times, double fraction) {
    const std::uint32_t doublings = std::min(times > 0 ? times - 1 : 0U, 20U);
    const auto bound = std::min(policy.first_wait * (std::int64_t{1} << doublings), policy.wait_max);
    return std::chrono::milliseconds(
        static_cast<std::int64_t>(static_cast<double>(bound.count()) * fraction));
}

}  // namespace

Decision decide(const RetryPolicy& policy, const Outcome& outcome, std::uint32_t attempt,
                std::uint32_t overloads, double fraction) {
    if (const auto* answer = std::get_if<Answer>(&outcome)) return Done{*answer};
    if (const auto* refused = std::get_if<Refused>(&outcome)) return GiveUp{refused->failure};
    if (const auto* overloaded = std::get_if<Overloaded>(&outcome)) {
        if (overloads >= policy.overloads_max) {
            return GiveUp{{.code = "overloaded",
                           .message = "The model server stayed overloaded: " + overloaded->message,
                           .status = overloaded->status,
                           .error = overloaded->error}};
        }
        const auto asked = overloaded->retry_after.value_or(std::chrono::milliseconds{0});
        return Again{std::max(std::min(asked, policy.wait_max), jittered_wait(policy, overloads, fraction))};
    }
    const auto& broken = std::get<Broken>(outcome);
    if (attempt >= policy.attempts_max) return GiveUp{broken.failure};
    return Again{jittered_wait(policy, attempt, fraction)};
}

}  // namespace sheaf::core

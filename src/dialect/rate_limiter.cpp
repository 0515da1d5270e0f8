#include "dialect/rate_limiter.h"

namespace sheaf::dialect {

std::optional<RateLimiter::Verdict> RateLimiter::count(const AccountId& account, Timestamp now) {
    if (allowed_ == 0) return std::nullopt;
    const std::int64_t second = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
    const std::int64_t minute = second / 60;
    Window& window = windows_[account];
    if (window.minute != minute) window = {minute, 0};
    Verdict verdict;
    verdict.reset_at = (minute + 1) * 60;
    verdict.until_reset = std::chrono::seconds{verdict.reset_at - second};
    verdict.allowed = window.used < allowed_;
    if (verdict.allowed) ++window.used;
    verdict.remaining = allowed_ - window.used;
    return verdict;
}

}  // namespace sheaf::dialect

#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>

#include "base/clock.h"
#include "base/id.h"

namespace sheaf::dialect {

// Requests per account in windows of one minute. Belongs to one executor; time comes in.
class RateLimiter {
public:
    explicit RateLimiter(std::uint32_t requests_per_minute) : allowed_(requests_per_minute) {}

    struct Verdict {
        bool allowed = true;
        std::uint32_t remaining = 0;
        std::chrono::seconds until_reset{0};
        std::int64_t reset_at = 0;  // seconds since 1970
    };
    // Counts one request. Nullopt: there is no limit.
    std::optional<Verdict> count(const AccountId& account, Timestamp now);

private:
    struct Window {
        std::int64_t minute = 0;
        std::uint32_t used = 0;
    };
    std::uint32_t allowed_;
    std::map<AccountId, Window> windows_;
};

}  // namespace sheaf::dialect

#include "webhook/retries.h"

#include <algorithm>

namespace sheaf::webhook {
namespace {

constexpr double kSpread = 0.2;

}  // namespace

std::chrono::milliseconds wait_after(const Retries& retries, std::uint32_t attempt, double fraction) {
    if (retries.waits.empty()) return std::chrono::milliseconds{0};
    const std::size_t at = std::min<std::size_t>(attempt == 0 ? 0 : attempt - 1, retries.waits.size() - 1);
    const double factor = 1 - kSpread + 2 * kSpread * fraction;
    return std::chrono::round<std::chrono::milliseconds>(
        std::chrono::duration<double, std::milli>(retries.waits[at]) * factor);
}

}  // namespace sheaf::webhook

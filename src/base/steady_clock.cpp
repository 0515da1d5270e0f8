#include "base/steady_clock.h"

namespace sheaf {

SteadyClock::Owner* SteadyClock::owner_ = nullptr;

SteadyClock::time_point SteadyClock::now() noexcept {
    return owner_ == nullptr ? std::chrono::steady_clock::now() : owner_->now();
}

void SteadyClock::announce(time_point at) {
    if (owner_ != nullptr) owner_->announce(at);
}

void SteadyClock::give_to(Owner* owner) {
    owner_ = owner;
}

}  // namespace sheaf

#include "timeline.h"

#include <algorithm>

namespace sheaf::sim {

Timeline::Timeline() {
    SteadyClock::give_to(this);
}

Timeline::~Timeline() {
    SteadyClock::give_to(nullptr);
}

void Timeline::at(Time when, std::move_only_function<void()> what) {
    events_.emplace(std::max(when, now_), std::move(what));
}

bool Timeline::step(Time limit) {
    alarms_.erase(alarms_.begin(), alarms_.upper_bound(now_));
    Time next = Time::max();
    if (!alarms_.empty()) next = *alarms_.begin();
    if (!events_.empty()) next = std::min(next, events_.begin()->first);
    if (next > limit) {
        now_ = std::max(now_, limit);
        return false;
    }
    now_ = std::max(now_, next);
    if (events_.empty() || events_.begin()->first > now_) return true;
    auto event = events_.extract(events_.begin());
    event.mapped()();
    return true;
}

}  // namespace sheaf::sim

#include "http/deadlines.h"

#include <boost/asio/basic_waitable_timer.hpp>

namespace sheaf::http {

using SteadyTimer =
    boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                      boost::asio::wait_traits<std::chrono::steady_clock>, async::Executor>;

struct DeadlineState {
    DeadlineState(async::Executor executor, std::function<void()> tick)
        : timer(executor), on_tick(std::move(tick)) {}

    SteadyTimer timer;
    std::function<void()> on_tick;
    Deadlines::Entry* first = nullptr;
    Deadlines::Entry* cursor = nullptr;  // the next one of the walk under way; moved on when that one goes
    bool ticking = false;
};

namespace {

void tick(const std::shared_ptr<DeadlineState>& state, void (*walk)(DeadlineState&)) {
    state->ticking = true;
    state->timer.expires_after(Deadlines::kTick);
    state->timer.async_wait([weak = std::weak_ptr(state), walk](boost::system::error_code error) {
        const auto alive = weak.lock();
        if (error || !alive) return;
        walk(*alive);
        if (alive->on_tick) alive->on_tick();
        if (alive->first != nullptr)
            tick(alive, walk);
        else
            alive->ticking = false;
    });
}

}  // namespace

Deadlines::Deadlines(async::Executor executor, std::function<void()> on_tick)
    : state_(std::make_shared<DeadlineState>(executor, std::move(on_tick))) {}

Deadlines::~Deadlines() {
    state_->on_tick = nullptr;
    state_->timer.cancel();
}

Deadlines::Entry::Entry(Deadlines& owner, std::function<void()> passed)
    : passed_(std::move(passed)), state_(owner.state_) {
    next_ = state_->first;
    if (next_ != nullptr) next_->previous_ = this;
    state_->first = this;
    if (state_->ticking) return;
    tick(state_, [](DeadlineState& state) {
        const Instant now = std::chrono::steady_clock::now();
        for (Entry* entry = state.first; entry != nullptr; entry = state.cursor) {
            state.cursor = entry->next_;
            if (entry->at_ > now) continue;
            entry->clear();
            entry->passed_();
        }
    });
}

Deadlines::Entry::~Entry() {
    if (state_->cursor == this) state_->cursor = next_;
    if (state_->first == this) state_->first = next_;
    if (previous_ != nullptr) previous_->next_ = next_;
    if (next_ != nullptr) next_->previous_ = previous_;
}

}  // namespace sheaf::http

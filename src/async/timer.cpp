#include "async/timer.h"

#include <list>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/post.hpp>

#include "base/steady_clock.h"

namespace sheaf::async {
namespace {

class SteadyTimer
    : public boost::asio::basic_waitable_timer<SteadyClock, boost::asio::wait_traits<SteadyClock>, Executor> {
public:
    SteadyTimer(Executor executor, std::chrono::milliseconds time)
        : basic_waitable_timer(executor, SteadyClock::now() + time) {
        SteadyClock::announce(expiry());
    }
};

}  // namespace

Task<void> sleep_for(std::chrono::milliseconds time) {
    SteadyTimer timer(co_await current_executor(), time);
    co_await timer.async_wait(use_task);
}

// A timer for each who waits: setting the time of a shared one would wake the others.
struct Bell::State {
    explicit State(Executor home) : executor(home) {}
    void ring() {
        rung = true;
        for (SteadyTimer* const timer : waiting) timer->cancel();
    }
    Executor executor;
    std::list<SteadyTimer*> waiting;
    bool rung = false;
};

Bell::Bell(Executor executor) : state_(std::make_shared<State>(executor)) {}

Bell::~Bell() = default;

void Bell::ring() {
    state_->ring();
}

void Bell::ring_from_any_thread() {
    boost::asio::post(state_->executor, [state = state_] { state->ring(); });
}

Task<bool> Bell::wait_for(std::chrono::milliseconds at_most) {
    const auto state = state_;
    if (!state->rung) {
        SteadyTimer timer(state->executor, at_most);
        struct Entry {
            Entry(std::list<SteadyTimer*>& waiting, SteadyTimer& timer)
                : list(waiting), place(waiting.insert(waiting.end(), &timer)) {}
            ~Entry() { list.erase(place); }
            Entry(const Entry&) = delete;
            Entry& operator=(const Entry&) = delete;
            std::list<SteadyTimer*>& list;
            std::list<SteadyTimer*>::iterator place;
        };
        const Entry entry(state->waiting, timer);
        co_await timer.async_wait(boost::asio::as_tuple(use_task));
        const auto canceled = (co_await boost::asio::this_coro::cancellation_state).cancelled();
        if (canceled != boost::asio::cancellation_type::none) {
            throw boost::system::system_error(boost::asio::error::operation_aborted);
        }
    }
    co_return std::exchange(state->rung, false);
}

Task<void> Bell::wait() {
    while (!co_await wait_for(std::chrono::hours{1})) {
    }
}

}  // namespace sheaf::async

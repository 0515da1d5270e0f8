#include "async/timer.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

namespace sheaf::async {

using SteadyTimer =
    boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                      boost::asio::wait_traits<std::chrono::steady_clock>, Executor>;

Task<void> sleep_for(std::chrono::milliseconds time) {
    SteadyTimer timer(co_await current_executor(), time);
    co_await timer.async_wait(use_task);
}

struct Bell::State {
    explicit State(Executor executor) : timer(executor) {}
    SteadyTimer timer;
    bool rung = false;
};

Bell::Bell(Executor executor) : state_(std::make_shared<State>(executor)) {}

Bell::~Bell() = default;

void Bell::ring() {
    state_->rung = true;
    state_->timer.cancel();
}

void Bell::ring_from_any_thread() {
    boost::asio::post(state_->timer.get_executor(), [state = state_] {
        state->rung = true;
        state->timer.cancel();
    });
}

Task<bool> Bell::wait_for(std::chrono::milliseconds at_most) {
    const auto state = state_;
    if (!state->rung) {
        state->timer.expires_after(at_most);
        co_await state->timer.async_wait(boost::asio::as_tuple(use_task));
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

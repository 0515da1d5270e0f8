#include "dialect/live_call.h"

namespace sheaf::dialect {
namespace {

async::Task<void> wait_until_empty(std::unique_ptr<async::TaskGroup> group) {
    co_await group->wait_until_empty();
}

}  // namespace

LiveCall::LiveCall(async::Executor executor, async::TaskGroup& leaving, service::LiveRunner& runner,
                   AccountId account, core::Inference inference, Text text)
    : leaving_(&leaving),
      state_(std::make_shared<State>(executor)),
      group_(std::make_unique<async::TaskGroup>(executor)) {
    group_->spawn(run(state_, runner, std::move(account), std::move(inference), text));
}

LiveCall::~LiveCall() {
    group_->stop();
    // A destructor cannot wait: the group outlives this by as long as the analysis takes to stop.
    if (group_->size() > 0) leaving_->spawn(wait_until_empty(std::move(group_)));
}

async::Task<void> LiveCall::run(std::shared_ptr<State> state, service::LiveRunner& runner, AccountId account,
                                core::Inference inference, Text text) {
    std::function<void(std::string_view)> on_text;
    if (text == Text::streamed) {
        on_text = [state](std::string_view more) {
            state->pending += more;
            state->bell.ring();
        };
    }
    state->ending = co_await runner.run_live(std::move(account), std::move(inference), on_text);
    state->bell.ring();
}

async::Task<void> LiveCall::wait_for(std::chrono::milliseconds at_most) {
    if (!state_->ending) co_await state_->bell.wait_for(at_most);
}

std::string LiveCall::take_text() {
    const std::size_t whole = whole_characters(state_->pending);
    std::string text = state_->pending.substr(0, whole);
    state_->pending.erase(0, whole);
    state_->taken += text;
    return text;
}

std::string LiveCall::take_rest(const core::Answer& answer) {
    // Where the stream and the answer differ, what was streamed stands.
    if (!answer.text.starts_with(state_->taken)) return {};
    std::string rest = answer.text.substr(state_->taken.size());
    state_->taken += rest;
    return rest;
}

std::size_t whole_characters(std::string_view text) {
    for (std::size_t back = 1; back <= 3 && back <= text.size(); ++back) {
        const auto byte = static_cast<unsigned char>(text[text.size() - back]);
        if ((byte & 0xC0U) == 0x80U) continue;
        const std::size_t length = byte >= 0xF0U ? 4 : byte >= 0xE0U ? 3 : byte >= 0xC0U ? 2 : 1;
        return length > back ? text.size() - back : text.size();
    }
    return text.size();
}

}  // namespace sheaf::dialect

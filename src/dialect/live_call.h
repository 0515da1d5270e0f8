#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "async/task.h"
#include "async/task_group.h"
#include "async/timer.h"
#include "service/live.h"

namespace sheaf::dialect {

// One inference that runs beside the coroutine that writes its answer. Belongs to one executor.
//
// Dropping it cancels the inference: whoever holds it is the one who wants the answer. What is left of it
// then ends in `leaving`, which must outlive it.
class LiveCall {
public:
    // Whether there is text before the ending: an analysis' text, or the events of a model request.
    enum class Text : std::uint8_t { streamed, none };
    LiveCall(async::Executor executor, async::TaskGroup& leaving, service::LiveRunner& runner,
             AccountId account, core::Inference inference, Text text = Text::streamed);
    ~LiveCall();
    LiveCall(const LiveCall&) = delete;
    LiveCall& operator=(const LiveCall&) = delete;

    // Until there is text or an ending, at most for `at_most`.
    async::Task<void> wait_for(std::chrono::milliseconds at_most);
    // The text that came since it was last asked for, whole characters only.
    std::string take_text();
    // What the answer has beyond the text that was taken. Call it once the ending is there.
    std::string take_rest(const core::Answer& answer);
    const std::optional<core::Ending>& ending() const { return state_->ending; }

private:
    struct State {
        explicit State(async::Executor executor) : bell(executor) {}
        async::Bell bell;
        std::string pending;
        std::string taken;
        std::optional<core::Ending> ending;
    };
    static async::Task<void> run(std::shared_ptr<State> state, service::LiveRunner& runner, AccountId account,
                                 core::Inference inference, Text text);

    async::TaskGroup* leaving_;
    std::shared_ptr<State> state_;
    std::unique_ptr<async::TaskGroup> group_;
};

// How many bytes of `text` are whole UTF-8 characters, when its end may be cut.
std::size_t whole_characters(std::string_view text);

}  // namespace sheaf::dialect

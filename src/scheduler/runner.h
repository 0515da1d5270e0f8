#pragma once

#include <functional>
#include <optional>
#include <random>
#include <string>
#include <string_view>

#include "core/outcome.h"
#include "scheduler/flight.h"
#include "scheduler/inputs.h"
#include "scheduler/models.h"

namespace sheaf::scheduler {

struct Run {
    AccountId account;
    core::Inference inference;
    std::optional<std::string> custom_id;
    std::uint64_t prefix = 0;  // as in core::Planned
    std::function<void(std::string_view)> on_text;
    // Of a batch item: told how far it is. A live call has none: somebody waits for it, so it is tried at
    // once, even when no server seems to answer.
    Flight* flight = nullptr;

    bool is_live() const { return flight == nullptr; }
};

// Takes one inference from its inputs to its ending: prepares, tries, waits and tries again as core/retry.h
// decides; a flight that is called off is not tried again, and ends as canceled. Belongs to the scheduler's
// executor. The caller holds the slot.
class Runner {
public:
    Runner(Inputs& inputs, std::uint64_t seed) : inputs_(&inputs), random_(seed) {}
    async::Task<core::Ending> run(Model& model, Run run);

private:
    async::Task<core::Outcome> attempt(Model& model, Run run, std::uint32_t attempt, bool& text_was_sent);

    Inputs* inputs_;
    std::mt19937_64 random_;  // jitter only
};

}  // namespace sheaf::scheduler

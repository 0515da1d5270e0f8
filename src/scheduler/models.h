#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "async/timer.h"
#include "backend/backend.h"
#include "base/clock.h"
#include "core/retry.h"
#include "scheduler/durations.h"
#include "scheduler/flight.h"
#include "scheduler/pace.h"
#include "scheduler/prefix_runs.h"

namespace sheaf::scheduler {

// A model that clients can name, and how much of it is in use.
struct Model {
    std::string name;
    std::unique_ptr<backend::Backend> backend;
    std::uint32_t slots = 8;       // batch items at once, at most: the backend may set fewer
    std::uint32_t live_slots = 2;  // live calls at once, on top
    core::RetryPolicy retry;
    std::uint32_t running = 0;
    std::uint32_t live_running = 0;
    std::uint32_t stepped_out = 0;  // of batch items that wait before their next try, without a slot
    PrefixRuns runs;
    std::vector<std::uint32_t> at_home;  // batch items under way whose prefix has its home there, by server
    Pace pace;                           // of batch items
    Durations durations;                 // of their good answers
    Flights flights;                     // of batch items
    std::optional<Timestamp> live_at;    // when the last live call began
};

// For so long after a live call some of the backend's window is kept free for the next.
constexpr std::chrono::seconds kLiveReserveFor{60};

// How many batch items may run at once now. Of a window that the backend sets, live calls take their part
// first; while they come a tenth is theirs even when it is unused, and at least one of several.
inline std::uint32_t slots_of(const Model& model, Timestamp now) {
    const auto window = model.backend->window();
    if (!window) return model.slots;
    const bool live_calls_come = model.live_at && now - *model.live_at < kLiveReserveFor;
    const std::uint32_t reserve = live_calls_come && *window > 1 ? std::max(*window / 10, 1U) : 0;
    return std::min(model.slots, *window - std::min(*window, std::max(model.live_running, reserve)));
}

// A counted slot, from before a flight starts for as long as it lasts, however it ends.
class Slot {
public:
    Slot(std::uint32_t& count, async::Bell& freed) : count_(&count), freed_(&freed) { ++*count_; }
    Slot(Slot&& other) noexcept : count_(std::exchange(other.count_, nullptr)), freed_(other.freed_) {}
    Slot& operator=(Slot&&) = delete;
    ~Slot() {
        if (count_ == nullptr) return;
        --*count_;
        freed_->ring();
    }

private:
    std::uint32_t* count_;
    async::Bell* freed_;
};

// An item under way, counted at the home of its prefix.
class AtHome {
public:
    AtHome(Model& model, std::optional<std::size_t> home) : model_(&model), server_(home) {
        if (!home) return;
        model.at_home.resize(model.backend->server_count());
        ++model.at_home[*home];
    }
    AtHome(AtHome&& other) noexcept : model_(other.model_), server_(std::exchange(other.server_, {})) {}
    AtHome& operator=(AtHome&&) = delete;
    ~AtHome() {
        if (server_) --model_->at_home[*server_];
    }

private:
    Model* model_;
    std::optional<std::size_t> server_;
};

// Lets others have the slot of an item that waits before its next try, as long as few do: while many wait,
// the server is in trouble, and more items would only join them.
class StepOut {
public:
    StepOut(Model& model, async::Bell& freed) : model_(&model) {
        if (model.stepped_out >= std::max(1U, model.running / 8)) return;
        is_out_ = true;
        ++model.stepped_out;
        --model.running;
        freed.ring();
    }
    StepOut(const StepOut&) = delete;
    ~StepOut() {
        if (!is_out_) return;
        --model_->stepped_out;
        ++model_->running;
    }

private:
    Model* model_;
    bool is_out_ = false;
};

// By name. Filled before the scheduler starts; the set never changes afterwards.
using Models = std::map<std::string, Model, std::less<>>;

}  // namespace sheaf::scheduler

#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "async/timer.h"
#include "backend/backend.h"
#include "core/retry.h"
#include "scheduler/pace.h"
#include "scheduler/prefix_runs.h"

namespace sheaf::scheduler {

// A model that clients can name, and how much of it is in use.
struct Model {
    std::string name;
    std::unique_ptr<backend::Backend> backend;
    std::uint32_t slots = 8;       // batch items at once
    std::uint32_t live_slots = 2;  // live calls at once, on top
    core::RetryPolicy retry;
    std::uint32_t running = 0;
    std::uint32_t live_running = 0;
    std::uint32_t stepped_out = 0;  // of batch items that wait before their next try, without a slot
    PrefixRuns runs;
    Pace pace;  // of batch items
};

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

// Lets others have the slot of an item that waits before its next try, as long as few do: while many wait,
// the server is in trouble, and more items would only join them.
class StepOut {
public:
    StepOut(Model& model, async::Bell& freed) : model_(&model) {
        if (model.stepped_out >= std::max(1U, model.slots / 8)) return;
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

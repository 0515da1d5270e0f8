#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "backend/backend.h"
#include "core/retry.h"

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
};

// By name. Filled before the scheduler starts; the set never changes afterwards.
using Models = std::map<std::string, Model, std::less<>>;

}  // namespace sheaf::scheduler

#pragma once

#include <cstdint>
#include <random>

#include "lossy_disk.h"

namespace sheaf::sim {

// What the system calls of this program see (system_calls.cpp).
struct Machine {
    LossyDisk* disk = nullptr;  // nullptr: files are the real ones
    std::mt19937_64 random;
};
Machine& machine();

}  // namespace sheaf::sim

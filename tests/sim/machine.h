#pragma once

#include <cstdint>
#include <random>

#include "lossy_disk/lossy_disk.h"

namespace sheaf::sim {

using lossy_disk::LossyDisk;

// What the system calls of this program see (system_calls.cpp).
struct Machine {
    LossyDisk* disk = nullptr;  // nullptr: files are the real ones
    std::mt19937_64 random;
};
Machine& machine();

}  // namespace sheaf::sim

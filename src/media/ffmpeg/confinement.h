#pragma once

#include <cstdint>

#include "base/result.h"

namespace sheaf::media {

struct Confinement {
    std::uint64_t memory_bytes_max = 0;  // of address space
    std::uint64_t cpu_s_max = 0;
};

// Gives up, for good, all that decoding does not need: this process can then compute, read what is open for
// reading (descriptors 0 to 3; the others are closed), write to what is open for writing, and start threads.
// It can open, connect, execute, fork, signal and trace nothing; a try at most of these kills it.
//
// Call it before any thread is started. An error means that the process is not confined and must not go on.
Result<> confine(const Confinement& limits);

}  // namespace sheaf::media

#pragma once

namespace sheaf {

// The exit code of a process that had no memory left.
inline constexpr int kOutOfMemoryExit = 6;

// Says so, which takes no memory, and ends the process at once. What it had half-done in memory is not to be
// trusted any more; what is durable is whole at every moment, and the next start goes on from there.
[[noreturn]] void end_for_want_of_memory();

// From now on an allocation that fails and that nobody handles ends the process so, instead of aborting it.
void end_when_out_of_memory();

}  // namespace sheaf

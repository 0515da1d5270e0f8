#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace model_server {

// What is remembered of one request. Times are in microseconds of the monotonic clock; 0: not yet, or never.
struct Entry {
    std::uint64_t request = 0;  // they are numbered from 0
    std::string id;             // what its body says behind "id="
    std::int64_t arrived = 0;
    std::int64_t started = 0;
    std::int64_t ended = 0;
    std::uint32_t prompt_tokens = 0;
    std::uint32_t cached_tokens = 0;
    int status = 0;  // of the answer; -1: reset or cut; -2: its client was gone first; 0: not answered yet
};

// One JSON object a line.
std::string ledger_text(const std::vector<Entry>& entries);

}  // namespace model_server

#pragma once

#include <string>

#include "cli/session.h"

// The commands for batches that exist already. Each returns its exit code.
namespace sheaf::cli {

struct BatchFlags {
    ServerFlags server;
    std::string batch_id;
    std::string output;  // -o
    std::uint32_t count = 20;
    bool json = false;
    bool stream_results = false;
    bool follow = false;
};

int watch(const Console& console, const BatchFlags& flags);
int results(const Console& console, const BatchFlags& flags);
int receipt(const Console& console, const BatchFlags& flags);
int cancel(const Console& console, const BatchFlags& flags);
int remove(const Console& console, const BatchFlags& flags);
int list(const Console& console, const BatchFlags& flags);

}  // namespace sheaf::cli

#pragma once

#include <functional>
#include <set>
#include <string>

#include "cli/api.h"
#include "cli/console.h"
#include "cli/result_text.h"

namespace sheaf::cli {

enum class ResultForm : std::uint8_t { text, json_lines };

// Prints results, each item once it is over and only once.
class ResultPrinter {
public:
    ResultPrinter(FILE* file, ResultForm form, ItemNames names)
        : file_(file), form_(form), names_(std::move(names)) {}

    // Fetches the results and prints those that were not printed yet.
    async::Task<Outcome<>> print_new(Api& api, Progress* progress, std::string batch_id);

private:
    FILE* file_;
    ResultForm form_;
    ItemNames names_;
    std::set<std::string> printed_;
};

// Shows the batch's progress until it is over, and returns its last state. `changed` (may be empty) is called
// whenever more items are over. A server that was there and is away for a while is waited for.
using Changed = std::function<async::Task<Outcome<>>(const BatchState&)>;
async::Task<Outcome<BatchState>> follow_batch(Api& api, Progress& progress, std::string batch_id,
                                              Changed changed);

// all_ready, or some_not_ready.
ExitCode exit_code_of(const BatchState& batch);

}  // namespace sheaf::cli

#pragma once

#include <string>
#include <string_view>

#include "cli/failure.h"

namespace sheaf::cli {

// One line of a batch's results, in whatever dialect it was written.
struct ResultLine {
    std::string item;       // tells it from the others of its batch
    std::string custom_id;  // empty: none
    std::string status;     // ready, failed, canceled, expired
    std::string text;       // of a ready item
    std::string error;      // of a failed one
    bool truncated = false;
};

Outcome<ResultLine> parse_result_line(std::string_view json);

}  // namespace sheaf::cli

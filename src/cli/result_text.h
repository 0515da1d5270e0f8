#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "cli/api.h"
#include "cli/result_line.h"

namespace sheaf::cli {

// What people call the items, by custom id: the files they came from.
using ItemNames = std::map<std::string, std::string>;

// A block for people: the name, the status and the text, indented.
std::string render_result(const ResultLine& line, const ItemNames& names);

// "12 of 40 done, 1 failed, 2 running"
std::string describe_counts(const BatchState& batch);
// "68f4… is completed: 39 ready, 1 failed."
std::string describe_end(const BatchState& batch);
// One row a batch, with a heading.
std::string render_batches(const std::vector<BatchState>& batches);

}  // namespace sheaf::cli

#pragma once

#include <string>

#include "store/upkeep.h"

namespace sheaf::app {

// A batch's id as its vendor prints it.
std::string print_batch(const core::Batch& batch);

// How a line of the report begins.
enum class Weight {
    damaged,  // and it stays so
    lost,     // mended as far as it can be: what is gone says so
    mended,
    note,  // nothing is damaged
};
Weight weight_of(const store::Finding& finding);
std::string_view to_string(Weight weight);

// The fault and what it means, in one line without its end.
std::string describe(const store::Finding& finding);

}  // namespace sheaf::app

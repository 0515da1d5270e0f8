#pragma once

#include <string>
#include <vector>

#include "cli/console.h"

namespace sheaf::cli {

struct VerifyFlags {
    std::string receipt;
    std::vector<std::string> results;  // files; "-" is standard input
};

// Checks downloaded results against a receipt, without a server. 0: each line is there once and unchanged; 1:
// not, or the receipt itself was changed; 2: a file cannot be read.
int verify(const Console& console, const VerifyFlags& flags);

}  // namespace sheaf::cli

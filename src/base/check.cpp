#include "base/check.h"

#include <cstdlib>

#include "base/log.h"

namespace sheaf {

void check_failed(std::string_view condition, std::string_view why, std::string_view file, int line) {
    log::error("bug: a condition that must hold does not",
               {{"condition", condition}, {"why", why}, {"file", file}, {"line", line}});
    std::abort();
}

}  // namespace sheaf

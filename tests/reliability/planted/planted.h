#pragma once

#include <cstdlib>

// Read by the patches beside it, and by nothing of the product.
namespace planted {

// Whether the bug of this number is the one that SHEAF_PLANTED chooses.
inline bool is(int number) {
    static const int chosen = [] {
        const char* const name = std::getenv("SHEAF_PLANTED");
        return name == nullptr ? 0 : std::atoi(name);
    }();
    return number == chosen;
}

}  // namespace planted

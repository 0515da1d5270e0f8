#include "machine.h"

namespace sheaf::sim {

Machine& machine() {
    static Machine machine;
    return machine;
}

}  // namespace sheaf::sim

#pragma once

#include <memory>

#include "app/config.h"
#include "base/result.h"

namespace sheaf::app {

// Runs the server until SIGINT or SIGTERM: builds everything, serves, and takes it down in order. Returns the
// exit code. A second signal ends it at once.
int serve(const Config& config);

}  // namespace sheaf::app

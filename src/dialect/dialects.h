#pragma once

// Every dialect there is. A new one adds its line here and its routes in the wiring.
#include "dialect/sail/sail.h"
#include "dialect/twelvelabs/twelvelabs.h"

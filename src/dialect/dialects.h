#pragma once

// Every dialect there is. A new one adds its line here and its routes in the wiring.
#include "dialect/anthropic/anthropic.h"
#include "dialect/openai/openai.h"
#include "dialect/sail/sail.h"
#include "dialect/sheaf/sheaf.h"
#include "dialect/twelvelabs/twelvelabs.h"
#include "dialect/v1_routes.h"

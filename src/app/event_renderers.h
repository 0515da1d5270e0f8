#pragma once

#include <map>
#include <memory>
#include <string>

#include "core/webhook.h"

namespace sheaf::app {

// Of every dialect that tells webhooks or its items' own targets anything, by its name.
using EventRenderers = std::map<std::string, std::unique_ptr<core::EventRenderer>, std::less<>>;
EventRenderers make_event_renderers();

}  // namespace sheaf::app

#pragma once

#include <memory>
#include <string>

#include "backend/backend.h"
#include "backend/backends.h"
#include "backend/servers.h"

namespace sheaf::backend::chat_http {

// Analyses videos through Chat Completions of a vision model; asked nothing else. `model` is the name the
// servers know; they outlive this.
std::unique_ptr<Backend> make_video_analyst(Servers& servers, std::string model, SamplingOptions sampling);

}  // namespace sheaf::backend::chat_http

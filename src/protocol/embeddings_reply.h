#pragma once

#include <string_view>

#include "base/result.h"
#include "protocol/translation.h"

namespace sheaf::protocol {

// A server's list of embeddings for its client: every member as the server sent it, but for "model", and what
// it left out filled in. invalid: it holds no list.
Result<Reply> complete_embeddings_reply(std::string_view reply, std::string_view model);

}  // namespace sheaf::protocol

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sheaf::backend {

// What an embeddings request asks.
struct EmbeddingsRequest {
    std::vector<std::string> inputs;  // a list of tokens as its JSON
    std::size_t dimensions = 8;
    bool wants_base64 = false;
};
// invalid: nothing to embed, with the path.
Result<EmbeddingsRequest> read_embeddings_request(std::string_view body);

// A list of unit vectors, as a server sends it: the same for the same input.
std::string embeddings_list(const EmbeddingsRequest& request, std::string_view model, std::uint64_t tokens);

}  // namespace sheaf::backend

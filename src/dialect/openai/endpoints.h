#pragma once

#include <array>
#include <string_view>

#include "core/inference.h"

namespace sheaf::dialect::openai {

// A path that takes model requests, directly and in the lines of batches.
struct ModelEndpoint {
    std::string_view path;
    core::Protocol protocol;
    std::string_view question;  // the member without which a request asks nothing
    bool streams = true;
};

inline constexpr std::array kModelEndpoints{
    ModelEndpoint{"/v1/responses", core::Protocol::responses, "input"},
    ModelEndpoint{"/v1/chat/completions", core::Protocol::chat_completions, "messages"},
    ModelEndpoint{"/v1/embeddings", core::Protocol::embeddings, "input", false},
};

// Null: there is no such path.
constexpr const ModelEndpoint* find_endpoint(std::string_view path) {
    for (const ModelEndpoint& endpoint : kModelEndpoints) {
        if (endpoint.path == path) return &endpoint;
    }
    return nullptr;
}

}  // namespace sheaf::dialect::openai

#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "dialect/openai/body.h"
#include "dialect/openai/endpoints.h"

namespace sheaf::dialect::openai {

// What POST /v1/batches asks for. Whether the input file is any good is seen later.
struct BatchRequest {
    std::string input_file_id;
    const ModelEndpoint* endpoint = nullptr;
    std::string metadata = "null";  // as JSON text
    std::optional<std::chrono::seconds> output_expires_after;
};
// Fields in the vendor's order: the first wrong one is told.
Checked<BatchRequest> read_batch_request(const Fields& fields);

inline constexpr std::string_view kCompletionWindow = "24h";

}  // namespace sheaf::dialect::openai

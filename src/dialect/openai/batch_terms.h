#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sheaf::dialect::openai {

// Something wrong with a batch's input, as the batch tells it in `errors`.
struct InputError {
    std::string code;
    std::string message;
    std::string param = {};                            // empty: null
    std::optional<std::uint32_t> line = std::nullopt;  // from 1; nullopt: of no line
};

// What was asked for with a batch and is shown with it again, most of it as JSON text. Kept in
// core::Batch::shared; the endpoint is the batch's tag.
struct BatchTerms {
    std::string input_file_id = "null";
    std::string metadata = "null";  // an object
    std::string errors = "null";    // what render_errors gives
    std::optional<std::chrono::seconds> output_expires_after;
};
std::string render_terms(const BatchTerms& terms);
BatchTerms read_terms(std::string_view shared);

// {"object":"list","data":[…]}
std::string render_errors(const std::vector<InputError>& errors);

}  // namespace sheaf::dialect::openai

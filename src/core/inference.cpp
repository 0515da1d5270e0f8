#include "core/inference.h"

namespace sheaf::core {

std::string_view to_string(Protocol protocol) {
    switch (protocol) {
        case Protocol::chat_completions:
            return "chat_completions";
        case Protocol::messages:
            return "messages";
        case Protocol::responses:
            return "responses";
        case Protocol::embeddings:
            return "embeddings";
    }
    return "?";
}

const std::string& model_of(const Inference& inference) {
    return std::visit([](const auto& asked) -> const std::string& { return asked.model; }, inference);
}

}  // namespace sheaf::core

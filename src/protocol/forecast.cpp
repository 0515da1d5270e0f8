#include "protocol/forecast.h"

#include <array>
#include <charconv>
#include <span>

#include "jsonl/splitter.h"

namespace sheaf::protocol {
namespace {

// Names of members, in the order in which they come in the prompt.
struct Layout {
    std::array<std::string_view, 3> prompt;
    std::array<std::string_view, 2> limits;  // of the answer
};
constexpr Layout kChat{{"tools", "messages"}, {"max_completion_tokens", "max_tokens"}};
constexpr Layout kMessages{{"system", "tools", "messages"}, {"max_tokens"}};
constexpr Layout kResponses{{"instructions", "tools", "input"}, {"max_output_tokens"}};

const Layout* layout_of(core::Protocol protocol) {
    switch (protocol) {
        case core::Protocol::chat_completions:
            return &kChat;
        case core::Protocol::messages:
            return &kMessages;
        case core::Protocol::responses:
            return &kResponses;
        case core::Protocol::embeddings:
            return nullptr;
    }
    return nullptr;
}

void add_part(core::PrefixChain& prompt, std::string_view part) {
    if (!part.starts_with('[')) return prompt.add(part);
    (void)jsonl::for_each_element(part, [&](std::size_t, std::string_view element) -> Result<> {
        prompt.add(element);
        return {};
    });
}

}  // namespace

core::Forecast forecast(core::Protocol protocol, std::string_view body) {
    core::Forecast forecast;
    const Layout* const layout = layout_of(protocol);
    if (layout == nullptr) return forecast;
    std::array<std::string_view, 3> parts;
    (void)jsonl::for_each_member(body, [&](std::string_view name, std::string_view value) -> Result<> {
        for (std::size_t at = 0; at < parts.size(); ++at) {
            if (name == layout->prompt[at]) parts[at] = value;
        }
        for (const std::string_view limit : layout->limits) {
            if (name == limit)
                std::from_chars(value.data(), value.data() + value.size(), forecast.output_tokens);
        }
        return {};
    });
    for (const std::string_view part : parts) add_part(forecast.prompt, part);
    return forecast;
}

}  // namespace sheaf::protocol

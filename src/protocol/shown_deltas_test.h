#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "jsonl/document.h"
#include "protocol/stream_events.h"

namespace sheaf::protocol {

struct ShownDelta {
    std::string operator()(const Started& one) const { return "started " + one.id + " " + one.model; }
    std::string operator()(const TextDelta& one) const { return "text " + one.text + one.logprobs; }
    std::string operator()(const ThinkingDelta& one) const { return "thinking " + one.text; }
    std::string operator()(const ThinkingSigned& one) const { return "signed " + one.signature; }
    std::string operator()(const RedactedThinking& one) const { return "redacted " + one.data; }
    std::string operator()(const RefusalDelta& one) const { return "refusal " + one.text; }
    std::string operator()(const CallStarted& one) const {
        return fmt::format("{} {} {} {}", one.custom ? "custom" : "call", one.number, one.id, one.name);
    }
    std::string operator()(const CallDelta& one) const {
        return fmt::format("{}: {}", one.number, one.arguments);
    }
    std::string operator()(const CallEnded& one) const { return fmt::format("{} ends", one.number); }
    std::string operator()(const Stopped& one) const {
        return fmt::format("stopped {} {}", static_cast<int>(one.reason), one.sequence.value_or("-"));
    }
    std::string operator()(const core::Usage& one) const {
        return fmt::format("usage {} {} {} {}", one.input_tokens, one.output_tokens, one.cached_tokens,
                           one.reasoning_tokens);
    }
    std::string operator()(const Ended& /*one*/) const { return "ended"; }
};

// What the reader makes of the events, in short: "text Hi|stopped 0 -"; or what is wrong with them.
inline std::string shown_deltas(StreamReader& reader, std::initializer_list<std::string_view> events) {
    std::string shown;
    for (const auto event : events) {
        const auto document = jsonl::Document::parse(event);
        if (!document) return "not JSON: " + std::string(event);
        const auto deltas = reader.read(simdjson::dom::object(document->root()));
        if (!deltas) return "fault: " + deltas.error().message;
        for (const auto& delta : *deltas)
            shown += (shown.empty() ? "" : "|") + std::visit(ShownDelta(), delta);
    }
    return shown;
}

}  // namespace sheaf::protocol

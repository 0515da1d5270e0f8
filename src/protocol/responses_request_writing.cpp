#include <algorithm>
#include <set>

#include "jsonl/writer.h"
#include "protocol/field_names.h"
#include "protocol/responses_request.h"

namespace sheaf::protocol {
namespace {

using jsonl::Writer;

// Budgets of thought, in tokens, below which an effort is meant that Responses has a word for.
constexpr std::uint32_t kLowEffortBelow = 4096;
constexpr std::uint32_t kMediumEffortBelow = 16384;

std::string effort_of(const Reasoning& reasoning) {
    if (reasoning.mode == Reasoning::Mode::off) return "none";
    if (!reasoning.effort.empty() || !reasoning.budget_tokens) return reasoning.effort;
    if (*reasoning.budget_tokens < kLowEffortBelow) return "low";
    return *reasoning.budget_tokens < kMediumEffortBelow ? "medium" : "high";
}

// What has no place in a Responses request.
Result<> check_sayable(const Conversation& conversation) {
    const auto cannot = [&](std::string_view what, Field field) {
        return cannot_say(Protocol::responses, what, conversation, field);
    };
    if (conversation.top_k) return cannot("top_k", Field::top_k);
    if (conversation.frequency_penalty) return cannot("frequency penalty", Field::frequency_penalty);
    if (conversation.presence_penalty) return cannot("presence penalty", Field::presence_penalty);
    if (conversation.seed) return cannot("seed", Field::seed);
    if (!conversation.stop.empty()) return cannot("stop sequences", Field::stop);
    if (conversation.is_continued)
        return cannot_say(Protocol::responses, "answer that its client began",
                          conversation.turns.back().where);
    for (const auto& turn : conversation.turns) {
        if (turn.role == Role::user) continue;
        for (const auto& part : turn.parts)
            if (const auto* image = std::get_if<Image>(&part))
                return cannot_say(Protocol::responses, "images but in the user's turns", image->where);
    }
    return {};
}

class InputWriter {
public:
    explicit InputWriter(Writer& json) : json_(json) {}

    void write(const Turn& turn) {
        role_ = turn.role;
        for (const auto& part : turn.parts) std::visit([this](const auto& said) { write(said); }, part);
        end_message();
    }

private:
    void write(const Text& text) { pending_.emplace_back(&text); }
    void write(const Image& image) { pending_.emplace_back(&image); }
    void write(const Refusal& refusal) { pending_.emplace_back(&refusal); }
    void write(const Thinking&) {}
    void write(const RedactedThinking&) {}
    void write(const ToolCall& call);
    void write(const ToolResult& result);

    // The texts, images and refusals since the last item, as a message.
    void end_message();

    using Piece = std::variant<const Text*, const Image*, const Refusal*>;
    Writer& json_;
    Role role_ = Role::user;
    std::vector<Piece> pending_;
    std::set<std::string, std::less<>> custom_calls_;
};

std::string_view word_of(Role role) {
    switch (role) {
        case Role::system:
            return "system";
        case Role::user:
            return "user";
        case Role::assistant:
            return "assistant";
    }
    return "";
}

void write_text(Writer& json, std::string_view type, std::string_view text) {
    json.open_object().member("type", type).member("text", text).close_object();
}

void write_image(Writer& json, const Image& image) {
    json.open_object().member("type", "input_image").member("image_url", image.url);
    json.member("detail", image.detail.empty() ? "auto" : image.detail).close_object();
}

void InputWriter::end_message() {
    if (pending_.empty()) return;
    const bool is_text = std::ranges::all_of(
        pending_, [](const Piece& piece) { return std::holds_alternative<const Text*>(piece); });
    json_.open_object().member("type", "message").member("role", word_of(role_)).key("content");
    if (is_text && (pending_.size() == 1 || role_ == Role::assistant)) {
        std::string text;
        for (const auto& piece : pending_) text += std::get<const Text*>(piece)->text;
        json_.value(text);
    } else {
        json_.open_array();
        for (const auto& piece : pending_) {
            if (const auto* const* text = std::get_if<const Text*>(&piece))
                write_text(json_, role_ == Role::assistant ? "output_text" : "input_text", (*text)->text);
            else if (const auto* const* image = std::get_if<const Image*>(&piece))
                write_image(json_, **image);
            else
                json_.open_object()
                    .member("type", "refusal")
                    .member("refusal", std::get<const Refusal*>(piece)->text)
                    .close_object();
        }
        json_.close_array();
    }
    json_.close_object();
    pending_.clear();
}

void InputWriter::write(const ToolCall& call) {
    end_message();
    if (call.custom) custom_calls_.insert(call.id);
    json_.open_object().member("type", call.custom ? "custom_tool_call" : "function_call");
    json_.member("call_id", call.id).member("name", call.name);
    json_.member(call.custom ? "input" : "arguments", call.arguments).close_object();
}

void InputWriter::write(const ToolResult& result) {
    end_message();
    const bool custom = custom_calls_.contains(result.call_id);
    json_.open_object().member("type", custom ? "custom_tool_call_output" : "function_call_output");
    json_.member("call_id", result.call_id).key("output");
    // Responses cannot mark a failure.
    const std::string_view prefix = result.is_error ? "Error: " : "";
    const bool has_image = std::ranges::any_of(
        result.content, [](const auto& part) { return std::holds_alternative<Image>(part); });
    if (has_image) {
        json_.open_array();
        if (!prefix.empty()) write_text(json_, "input_text", prefix);
        for (const auto& part : result.content) {
            if (const auto* image = std::get_if<Image>(&part))
                write_image(json_, *image);
            else
                write_text(json_, "input_text", std::get<Text>(part).text);
        }
        json_.close_array();
    } else {
        std::string text(prefix);
        for (const auto& part : result.content) {
            if (&part != result.content.data()) text += '\n';
            text += std::get<Text>(part).text;
        }
        json_.value(text);
    }
    json_.close_object();
}

void write_tools(Writer& json, const Conversation& conversation) {
    if (conversation.tools.empty()) return;
    json.key("tools").open_array();
    for (const auto& tool : conversation.tools) {
        json.open_object().member("type", tool.custom ? "custom" : "function").member("name", tool.name);
        if (!tool.description.empty()) json.member("description", tool.description);
        if (!tool.custom) {
            json.member_raw("parameters", tool.parameters.empty() ? R"({"type":"object","properties":{}})"
                                                                  : tool.parameters);
            // Unlike elsewhere, strict is what Responses takes silence for.
            json.member("strict", tool.strict.value_or(false));
        }
        json.close_object();
    }
    json.close_array();
}

bool is_custom(const Conversation& conversation, std::string_view name) {
    return std::ranges::any_of(conversation.tools,
                               [&](const Tool& tool) { return tool.custom && tool.name == name; });
}

std::string_view word_of(ToolChoice::Kind kind) {
    switch (kind) {
        case ToolChoice::Kind::automatic:
            return "auto";
        case ToolChoice::Kind::required:
            return "required";
        case ToolChoice::Kind::none:
            return "none";
        case ToolChoice::Kind::named:
            break;
    }
    return "";
}

void write_tool_choice(Writer& json, const Conversation& conversation) {
    if (!conversation.tool_choice) return;
    const auto& choice = *conversation.tool_choice;
    if (choice.kind != ToolChoice::Kind::named) {
        json.member("tool_choice", word_of(choice.kind));
        return;
    }
    json.key("tool_choice").open_object();
    json.member("type", is_custom(conversation, choice.name) ? "custom" : "function");
    json.member("name", choice.name).close_object();
}

void write_answer_form(Writer& json, const Conversation& conversation) {
    const auto& format = conversation.format;
    if (format.kind == AnswerFormat::Kind::text && conversation.verbosity.empty()) return;
    json.key("text").open_object();
    if (format.kind == AnswerFormat::Kind::json)
        json.key("format").open_object().member("type", "json_object").close_object();
    if (format.kind == AnswerFormat::Kind::json_schema) {
        json.key("format").open_object().member("type", "json_schema");
        json.member("name", format.name.empty() ? "output" : format.name);
        if (!format.description.empty()) json.member("description", format.description);
        json.member_raw("schema", format.schema);
        if (format.strict) json.member("strict", *format.strict);
        json.close_object();
    }
    if (!conversation.verbosity.empty()) json.member("verbosity", conversation.verbosity);
    json.close_object();
}

}  // namespace

Result<std::string> write_responses_request(const Conversation& conversation,
                                            const TranslateOptions& options) {
    if (auto sayable = check_sayable(conversation); !sayable) return std::unexpected(sayable.error());
    Writer json;
    json.open_object().member("model", options.model).key("input").open_array();
    InputWriter input(json);
    for (const auto& turn : conversation.turns) input.write(turn);
    json.close_array();
    write_tools(json, conversation);
    write_tool_choice(json, conversation);
    if (conversation.parallel_tool_calls)
        json.member("parallel_tool_calls", *conversation.parallel_tool_calls);
    write_answer_form(json, conversation);
    if (const auto effort = effort_of(conversation.reasoning); !effort.empty())
        json.key("reasoning").open_object().member("effort", effort).close_object();
    if (conversation.max_tokens) json.member("max_output_tokens", *conversation.max_tokens);
    if (conversation.temperature) json.member_raw("temperature", *conversation.temperature);
    if (conversation.top_p) json.member_raw("top_p", *conversation.top_p);
    if (conversation.top_logprobs) {
        json.key("include").open_array().value("message.output_text.logprobs").close_array();
        json.member("top_logprobs", *conversation.top_logprobs);
    }
    if (!conversation.user.empty()) json.member("user", conversation.user);
    json.member("store", false);
    if (options.stream) json.member("stream", true);
    json.close_object();
    return json.take();
}

}  // namespace sheaf::protocol

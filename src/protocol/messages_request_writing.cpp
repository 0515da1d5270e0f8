#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "jsonl/document.h"
#include "jsonl/splitter.h"
#include "jsonl/writer.h"
#include "protocol/field_names.h"
#include "protocol/ids.h"
#include "protocol/merged_turns.h"
#include "protocol/messages_reply.h"
#include "protocol/messages_request.h"

namespace sheaf::protocol {
namespace {

using jsonl::Writer;

constexpr std::uint64_t kMaxTokensDefault = 4096;
constexpr std::size_t kUserIdMax = 512;
constexpr std::string_view kBetweenTexts = "\n\n";
constexpr std::array<std::string_view, 4> kImageTypes{"image/jpeg", "image/png", "image/gif", "image/webp"};

std::unexpected<Error> cannot(std::string_view what, std::string path) {
    return cannot_say(Protocol::messages, what, std::move(path));
}

// Takes the system turns from the front.
std::string take_system(std::vector<Turn>& turns) {
    const auto first =
        std::ranges::find_if(turns, [](const Turn& turn) { return turn.role != Role::system; });
    std::string system;
    for (auto turn = turns.begin(); turn != first; ++turn) {
        const auto text = joined_texts(turn->parts, kBetweenTexts);
        if (!system.empty() && !text.empty()) system += kBetweenTexts;
        system += text;
    }
    turns.erase(turns.begin(), first);
    return system;
}

// Messages takes a system turn after a user's one, before an assistant's or at the end; elsewhere its words
// become the user's.
std::vector<Turn> with_system_turns_placed(std::vector<Turn> turns) {
    std::vector<Turn> placed;
    for (std::size_t i = 0; i < turns.size(); ++i) {
        Turn& turn = turns[i];
        const bool is_after_user = !placed.empty() && placed.back().role == Role::user;
        const bool is_before_assistant = i + 1 == turns.size() || turns[i + 1].role == Role::assistant;
        if (turn.role == Role::system && !(is_after_user && is_before_assistant)) turn.role = Role::user;
        placed.push_back(std::move(turn));
    }
    return merged_turns(std::move(placed));
}

Result<> write_image(Writer& json, const Image& image) {
    json.open_object().member("type", "image").key("source").open_object();
    if (!image.url.starts_with("data:")) {
        json.member("type", "url").member("url", image.url).close_object().close_object();
        return {};
    }
    const std::string_view rest = std::string_view(image.url).substr(5);
    const auto comma = rest.find(',');
    const auto head = rest.substr(0, comma);
    const auto media_type = head.substr(0, head.find(';'));
    if (comma == std::string_view::npos || !head.ends_with(";base64") ||
        std::ranges::find(kImageTypes, media_type) == kImageTypes.end())
        return cannot("images but base64 of JPEG, PNG, GIF and WebP", image.where);
    json.member("type", "base64").member("media_type", media_type).member("data", rest.substr(comma + 1));
    json.close_object().close_object();
    return {};
}

void write_text(Writer& json, std::string_view text) {
    if (!text.empty()) json.open_object().member("type", "text").member("text", text).close_object();
}

Result<> write_tool_result(Writer& json, const ToolResult& result) {
    json.open_object().member("type", "tool_result").member("tool_use_id", tool_call_id(result.call_id));
    const auto* text = result.content.size() == 1 ? std::get_if<Text>(result.content.data()) : nullptr;
    if (text != nullptr) {
        json.member("content", text->text);
    } else if (!result.content.empty()) {
        json.key("content").open_array();
        for (const auto& part : result.content) {
            if (const auto* said = std::get_if<Text>(&part)) write_text(json, said->text);
            if (const auto* image = std::get_if<Image>(&part))
                if (auto written = write_image(json, *image); !written) return written;
        }
        json.close_array();
    }
    if (result.is_error) json.member("is_error", true);
    json.close_object();
    return {};
}

// Writes the blocks of one turn.
class BlockWriter {
public:
    BlockWriter(Writer& json, const Turn& turn) : json_(json), turn_(turn) {}

    Result<> operator()(const Text& text) const {
        write_text(json_, text.text);
        return {};
    }
    Result<> operator()(const Refusal& refusal) const {
        write_text(json_, refusal.text);
        return {};
    }
    Result<> operator()(const Image& image) const {
        if (turn_.role != Role::user) return cannot("images outside the user's messages", turn_.where);
        return write_image(json_, image);
    }
    Result<> operator()(const Thinking& thinking) const {
        json_.open_object().member("type", "thinking").member("thinking", thinking.text);
        json_.member("signature", thinking.signature).close_object();
        return {};
    }
    Result<> operator()(const RedactedThinking& thinking) const {
        json_.open_object().member("type", "redacted_thinking").member("data", thinking.data).close_object();
        return {};
    }
    Result<> operator()(const ToolCall& call) const {
        if (call.custom) return cannot("custom tools", turn_.where);
        const std::string input = call.arguments.empty() ? "{}" : call.arguments;
        const auto document = jsonl::Document::parse(input);
        if (!document || !document->root().is_object())
            return cannot("tool calls whose arguments are no JSON object", turn_.where);
        json_.open_object().member("type", "tool_use").member("id", tool_call_id(call.id));
        json_.member("name", call.name).member_raw("input", input).close_object();
        return {};
    }
    Result<> operator()(const ToolResult& result) const { return write_tool_result(json_, result); }

private:
    Writer& json_;
    const Turn& turn_;
};

// Whether a block could say nothing, or what no server takes: thoughts without a signature of its own.
bool is_void(const Part& part) {
    if (const auto* text = std::get_if<Text>(&part)) return text->text.empty();
    if (const auto* refusal = std::get_if<Refusal>(&part)) return refusal->text.empty();
    if (const auto* thinking = std::get_if<Thinking>(&part))
        return thinking->signature.empty() || thinking->signature == kOwnSignature;
    return false;
}

Result<> write_turn(Writer& json, Turn turn) {
    std::erase_if(turn.parts, is_void);
    if (turn.parts.empty()) {
        if (turn.role == Role::user) return cannot("empty messages", turn.where);
        return {};
    }
    constexpr std::array<std::string_view, 3> kRoles{"system", "user", "assistant"};
    json.open_object().member("role", kRoles[static_cast<std::size_t>(turn.role)]).key("content");
    const auto* text = turn.parts.size() == 1 ? std::get_if<Text>(turn.parts.data()) : nullptr;
    if (text != nullptr) {
        json.value(text->text);
    } else {
        json.open_array();
        // Results answer the turn before and come first.
        for (const bool is_result : {true, false}) {
            for (const auto& part : turn.parts) {
                if (std::holds_alternative<ToolResult>(part) != is_result) continue;
                if (auto written = std::visit(BlockWriter(json, turn), part); !written) return written;
            }
        }
        json.close_array();
    }
    json.close_object();
    return {};
}

// Messages wants the type of a tool's parameters said.
std::string input_schema(const std::string& parameters) {
    if (parameters.empty() || parameters == "{}") return R"({"type":"object","properties":{}})";
    bool has_type = false;
    const auto read =
        jsonl::for_each_member(parameters, [&](std::string_view key, std::string_view) -> Result<> {
            has_type = has_type || key == "type";
            return {};
        });
    return has_type || !read ? parameters : R"({"type":"object",)" + parameters.substr(1);
}

Result<> write_tools(Writer& json, const Conversation& conversation) {
    if (conversation.tools.empty()) return {};
    json.key("tools").open_array();
    for (const auto& tool : conversation.tools) {
        if (tool.custom) return cannot("custom tools", tool.where);
        json.open_object().member("name", tool.name);
        if (!tool.description.empty()) json.member("description", tool.description);
        json.member_raw("input_schema", input_schema(tool.parameters));
        if (tool.strict) json.member("strict", *tool.strict);
        json.close_object();
    }
    json.close_array();
    return {};
}

void write_tool_choice(Writer& json, const Conversation& conversation) {
    using Kind = ToolChoice::Kind;
    const bool is_single = conversation.parallel_tool_calls == false && !conversation.tools.empty();
    if (!conversation.tool_choice && !is_single) return;
    const ToolChoice choice = conversation.tool_choice.value_or(ToolChoice{});
    // Servers refuse a choice where there is none to make.
    if (conversation.tools.empty() && (choice.kind == Kind::automatic || choice.kind == Kind::none)) return;
    json.key("tool_choice").open_object();
    switch (choice.kind) {
        case Kind::automatic:
            json.member("type", "auto");
            break;
        case Kind::required:
            json.member("type", "any");
            break;
        case Kind::none:
            json.member("type", "none");
            break;
        case Kind::named:
            json.member("type", "tool").member("name", choice.name);
            break;
    }
    if (is_single && choice.kind != Kind::none) json.member("disable_parallel_tool_use", true);
    json.close_object();
}

Result<> write_answer_form(Writer& json, const Conversation& conversation) {
    const auto& format = conversation.format;
    if (format.kind == AnswerFormat::Kind::json)
        return cannot_say(Protocol::messages, "answers in JSON without a schema", conversation,
                          Field::format);
    const Reasoning& reasoning = conversation.reasoning;
    const bool is_off = reasoning.mode == Reasoning::Mode::off || reasoning.effort == "none";
    if (is_off) {
        json.key("thinking").open_object().member("type", "disabled").close_object();
    } else if (reasoning.budget_tokens) {
        json.key("thinking").open_object().member("type", "enabled");
        json.member("budget_tokens", *reasoning.budget_tokens).close_object();
    } else if (reasoning.mode == Reasoning::Mode::on) {
        json.key("thinking").open_object().member("type", "adaptive").close_object();
    }
    const bool has_effort = !reasoning.effort.empty() && reasoning.effort != "none";
    if (!has_effort && format.kind == AnswerFormat::Kind::text) return {};
    json.key("output_config").open_object();
    // The least effort that Messages has a word for.
    if (has_effort) json.member("effort", reasoning.effort == "minimal" ? "low" : reasoning.effort);
    if (format.kind == AnswerFormat::Kind::json_schema) {
        json.key("format").open_object().member("type", "json_schema");
        json.member_raw("schema", format.schema).close_object();
    }
    json.close_object();
    return {};
}

double to_double(const std::string& number) {
    double value = 0;
    std::from_chars(number.data(), number.data() + number.size(), value);
    return value;
}

// What has no place in a Messages request.
Result<> expect_sayable(const Conversation& conversation) {
    const auto unsayable = [&](std::string_view what, Field field) {
        return cannot_say(Protocol::messages, what, conversation, field);
    };
    const auto is_set = [](const std::optional<std::string>& number) {
        return number && to_double(*number) != 0;
    };
    if (is_set(conversation.frequency_penalty))
        return unsayable("frequency penalty", Field::frequency_penalty);
    if (is_set(conversation.presence_penalty)) return unsayable("presence penalty", Field::presence_penalty);
    if (conversation.seed) return unsayable("seed", Field::seed);
    if (conversation.top_logprobs) return unsayable("log probabilities", Field::logprobs);
    if (conversation.temperature && to_double(*conversation.temperature) > 1)
        return unsayable("temperature above 1", Field::temperature);
    if (!conversation.verbosity.empty() && conversation.verbosity != "medium")
        return unsayable("verbosity", Field::verbosity);
    const auto& turns = conversation.turns;
    if (!turns.empty() && turns.back().role == Role::assistant && !conversation.is_continued)
        return cannot("answer to a last message of the assistant, but continues it", turns.back().where);
    return {};
}

void write_sampling(Writer& json, const Conversation& conversation) {
    if (conversation.temperature) json.member_raw("temperature", *conversation.temperature);
    if (conversation.top_p) json.member_raw("top_p", *conversation.top_p);
    if (conversation.top_k) json.member_raw("top_k", *conversation.top_k);
    if (conversation.stop.empty()) return;
    json.key("stop_sequences").open_array();
    for (const auto& text : conversation.stop) json.value(text);
    json.close_array();
}

}  // namespace

Result<std::string> write_messages_request(Conversation conversation, const TranslateOptions& options) {
    if (auto sayable = expect_sayable(conversation); !sayable) return std::unexpected(sayable.error());
    auto turns = std::move(conversation.turns);
    const auto system = take_system(turns);
    turns = with_system_turns_placed(merged_turns(std::move(turns)));
    if (turns.empty())
        return cannot_say(Protocol::messages, "requests without messages", conversation, Field::turns);

    Writer json;
    json.open_object().member("model", options.model);
    json.member("max_tokens", conversation.max_tokens.value_or(kMaxTokensDefault));
    if (!system.empty()) json.member("system", system);
    json.key("messages").open_array();
    for (auto& turn : turns)
        if (auto written = write_turn(json, std::move(turn)); !written)
            return std::unexpected(written.error());
    json.close_array();
    if (auto written = write_tools(json, conversation); !written) return std::unexpected(written.error());
    write_tool_choice(json, conversation);
    if (auto written = write_answer_form(json, conversation); !written)
        return std::unexpected(written.error());
    write_sampling(json, conversation);
    if (!conversation.user.empty() && conversation.user.size() <= kUserIdMax)
        json.key("metadata").open_object().member("user_id", conversation.user).close_object();
    if (options.stream) json.member("stream", true);
    return json.close_object().take();
}

}  // namespace sheaf::protocol

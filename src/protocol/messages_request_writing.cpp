#include <charconv>
#include <utility>

#include "jsonl/splitter.h"
#include "jsonl/writer.h"
#include "protocol/field_names.h"
#include "protocol/messages_request.h"
#include "protocol/messages_turns.h"

namespace sheaf::protocol {
namespace {

using jsonl::Writer;

constexpr std::uint64_t kMaxTokensDefault = 4096;
constexpr std::size_t kUserIdMax = 512;
std::unexpected<Error> cannot(std::string_view what, std::string path) {
    return cannot_say(Protocol::messages, what, std::move(path));
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
    const auto system = take_leading_system(turns);
    if (turns.empty())
        return cannot_say(Protocol::messages, "requests without messages", conversation, Field::turns);

    Writer json;
    json.open_object().member("model", options.model);
    json.member("max_tokens", conversation.max_tokens.value_or(kMaxTokensDefault));
    if (!system.empty()) json.member("system", system);
    json.key("messages");
    if (auto written = write_messages_turns(json, std::move(turns)); !written)
        return std::unexpected(written.error());
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

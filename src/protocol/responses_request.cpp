#include "protocol/responses_request.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "jsonl/document.h"
#include "protocol/responses_input.h"
#include "protocol/value.h"

namespace sheaf::protocol {
namespace {

constexpr std::uint64_t kTopLogprobsMax = 20;

// A request while it is read; its members come in any order.
struct Request {
    Conversation said;
    std::string instructions;
    std::optional<std::vector<std::string>> allowed_tools;  // nullopt: all
    bool wants_logprobs = false;
    std::optional<std::uint64_t> top_logprobs;
};

Result<> read_input(const Value& input, Request& out) {
    auto& turns = out.said.turns;
    if (input.json().is_string()) {
        turns.push_back({.role = Role::user, .parts = {Text{}}, .where = input.path()});
        return read_text(input, std::get<Text>(turns.back().parts.front()).text);
    }
    const auto wrapped = input.find("messages");
    const auto& items = wrapped ? *wrapped : input;
    if (!items.json().is_array()) return items.refuse("This must be a string or an array of items.");
    if (dom::array(items.json()).size() == 0) return items.refuse("This must hold at least one item.");
    auto read = read_responses_input(items);
    if (!read) return std::unexpected(read.error());
    turns = *std::move(read);
    return {};
}

Result<> refuse(const Value& value, Request& /*out*/) {
    return value.refuse("This is not supported.");
}

constexpr std::array<Member<AnswerFormat>, 4> kSchemaMembers{{
    {"name", [](const Value& value, AnswerFormat& out) { return read_text(value, out.name); }},
    {"description", [](const Value& value, AnswerFormat& out) { return read_text(value, out.description); }},
    {"strict", [](const Value& value, AnswerFormat& out) { return read_flag(value, out.strict); }},
    {"schema", [](const Value& value, AnswerFormat& out) { return read_schema(value, out.schema); }},
}};

Result<> pass(const Value& /*value*/) {
    return {};
}

// The word at `name`, which must be there.
Result<std::string_view> word(const Value& object, std::string_view name) {
    const auto member = object.find(name);
    if (!member) return object.member(name, object.json()).refuse("This is missing.");
    return as_text(*member);
}

Result<> read_format(const Value& format, Conversation& out) {
    const auto type = word(format, "type");
    if (!type) return std::unexpected(type.error());
    if (*type == "text") return {};
    if (*type == "json_object") {
        out.format.kind = AnswerFormat::Kind::json;
        return {};
    }
    if (*type != "json_schema")
        return format.find("type")->refuse(fmt::format("There is no format \"{}\".", *type));
    out.format.kind = AnswerFormat::Kind::json_schema;
    if (auto read = read_object<AnswerFormat>(format, out.format, kSchemaMembers, pass); !read) return read;
    if (out.format.schema.empty()) return format.member("schema", format.json()).refuse("This is missing.");
    return {};
}

constexpr std::array<Member<Conversation>, 2> kTextMembers{{
    {"format", read_format},
    {"verbosity", [](const Value& value, Conversation& out) { return read_text(value, out.verbosity); }},
}};

Result<> read_text_options(const Value& text, Request& out) {
    return read_object<Conversation>(text, out.said, kTextMembers, pass);
}

Result<> read_reasoning(const Value& reasoning, Request& out) {
    if (auto fits = expect_object(reasoning); !fits) return fits;
    const auto effort = reasoning.find("effort");
    if (!effort) return {};
    auto& wanted = out.said.reasoning;
    auto read = read_text(*effort, wanted.effort);
    wanted.mode = wanted.effort == "none" ? Reasoning::Mode::off : Reasoning::Mode::on;
    return read;
}

Result<> read_input_format(const Value& format, Tool& /*tool*/) {
    const auto type = word(format, "type");
    if (!type) return std::unexpected(type.error());
    if (*type != "text") return untranslatable(format, "grammars of custom tools");
    return {};
}

constexpr std::array<Member<Tool>, 5> kToolMembers{{
    {"name", [](const Value& value, Tool& out) { return read_text(value, out.name); }},
    {"description", [](const Value& value, Tool& out) { return read_text(value, out.description); }},
    {"parameters", [](const Value& value, Tool& out) { return read_schema(value, out.parameters); }},
    {"strict", [](const Value& value, Tool& out) { return read_flag(value, out.strict); }},
    {"format", read_input_format},
}};

Result<Tool> read_tool(const Value& outer) {
    const auto type = word(outer, "type");
    if (!type) return std::unexpected(type.error());
    if (*type != "function" && *type != "custom")
        return outer.find("type")->refuse(fmt::format("Tools of type \"{}\" are not supported.", *type));
    Tool tool{.name = {}, .description = {}, .parameters = {}, .strict = {}, .custom = *type == "custom"};
    tool.where = outer.path();
    // Chat Completions puts the rest into an object.
    const auto nested = outer.find(*type);
    const auto& holder = nested ? *nested : outer;
    if (auto read = read_object<Tool>(holder, tool, kToolMembers, pass); !read)
        return std::unexpected(read.error());
    if (tool.name.empty()) return holder.member("name", holder.json()).refuse("This is missing.");
    return tool;
}

Result<> read_tools(const Value& tools, Request& out) {
    return for_each_value(tools, [&](const Value& value) -> Result<> {
        auto tool = read_tool(value);
        if (!tool) return std::unexpected(tool.error());
        out.said.tools.push_back(*std::move(tool));
        return {};
    });
}

std::optional<ToolChoice::Kind> choice_kind(std::string_view text) {
    if (text == "auto") return ToolChoice::Kind::automatic;
    if (text == "required") return ToolChoice::Kind::required;
    if (text == "none") return ToolChoice::Kind::none;
    return std::nullopt;
}

// The name in {"type":"function","name":…}, or in {"type":"function","function":{"name":…}}.
Result<std::string> named_tool(const Value& entry) {
    const auto type = word(entry, "type");
    if (!type) return std::unexpected(type.error());
    if (*type != "function" && *type != "custom")
        return entry.find("type")->refuse(fmt::format("Tools of type \"{}\" are not supported.", *type));
    const auto nested = entry.find(*type);
    const auto name = word(nested ? *nested : entry, "name");
    if (!name) return std::unexpected(name.error());
    return std::string(*name);
}

Result<> read_allowed(const Value& allowed, Request& out) {
    const auto mode = word(allowed, "mode");
    if (!mode) return std::unexpected(mode.error());
    const auto kind = choice_kind(*mode);
    if (!kind) return allowed.find("mode")->refuse(fmt::format("There is no mode \"{}\".", *mode));
    out.said.tool_choice->kind = *kind;
    out.allowed_tools.emplace();
    const auto tools = allowed.find("tools");
    if (!tools) return allowed.member("tools", allowed.json()).refuse("This is missing.");
    return for_each_value(*tools, [&](const Value& entry) -> Result<> {
        auto name = named_tool(entry);
        if (!name) return std::unexpected(name.error());
        out.allowed_tools->push_back(*std::move(name));
        return {};
    });
}

Result<> read_tool_choice(const Value& value, Request& out) {
    auto& choice = out.said.tool_choice.emplace();
    if (value.json().is_string()) {
        const auto text = as_text(value);
        const auto kind = choice_kind(*text);
        if (!kind) return value.refuse(fmt::format("There is no choice \"{}\".", *text));
        choice.kind = *kind;
        return {};
    }
    const auto type = word(value, "type");
    if (!type) return std::unexpected(type.error());
    if (*type == "allowed_tools") {
        const auto nested = value.find(*type);
        return read_allowed(nested ? *nested : value, out);
    }
    auto name = named_tool(value);
    if (!name) return std::unexpected(name.error());
    choice = {.kind = ToolChoice::Kind::named, .name = *std::move(name)};
    return {};
}

Result<> read_include(const Value& include, Request& out) {
    return for_each_value(include, [&](const Value& value) -> Result<> {
        const auto text = as_text(value);
        if (!text) return std::unexpected(text.error());
        out.wants_logprobs |= *text == "message.output_text.logprobs";
        return {};
    });
}

Result<> read_top_logprobs(const Value& value, Request& out) {
    if (auto read = read_count(value, out.top_logprobs); !read) return read;
    if (*out.top_logprobs > kTopLogprobsMax)
        return value.refuse(fmt::format("This must be at most {}.", kTopLogprobsMax));
    out.wants_logprobs |= *out.top_logprobs > 0;
    return {};
}

Result<> read_stop(const Value& stop, Request& out) {
    if (stop.json().is_string()) return read_text(stop, out.said.stop.emplace_back());
    return for_each_value(stop,
                          [&](const Value& value) { return read_text(value, out.said.stop.emplace_back()); });
}

template <std::optional<std::string> Conversation::* number>
Result<> number_into(const Value& value, Request& out) {
    return read_number(value, out.said.*number);
}

constexpr std::array kMembers = std::to_array<Member<Request>>({
    {"instructions", [](const Value& value, Request& out) { return read_text(value, out.instructions); }},
    {"input", read_input},
    {"max_output_tokens",
     [](const Value& value, Request& out) { return read_count(value, out.said.max_tokens); }},
    {"temperature", number_into<&Conversation::temperature>},
    {"top_p", number_into<&Conversation::top_p>},
    {"text", read_text_options},
    {"reasoning", read_reasoning},
    {"tools", read_tools},
    {"tool_choice", read_tool_choice},
    {"parallel_tool_calls",
     [](const Value& value, Request& out) { return read_flag(value, out.said.parallel_tool_calls); }},
    {"include", read_include},
    {"top_logprobs", read_top_logprobs},
    {"user", [](const Value& value, Request& out) { return read_text(value, out.said.user); }},
    // What some model servers take beyond OpenAI's description.
    {"top_k", number_into<&Conversation::top_k>},
    {"frequency_penalty", number_into<&Conversation::frequency_penalty>},
    {"presence_penalty", number_into<&Conversation::presence_penalty>},
    {"seed", number_into<&Conversation::seed>},
    {"stop", read_stop},
    // What needs a server that remembers, or tokens for text.
    {"previous_response_id", refuse},
    {"conversation", refuse},
    {"prompt", refuse},
    {"raw_prompt_tokens", refuse},
});

}  // namespace

Result<Conversation> read_responses_request(std::string_view body) {
    const auto document = jsonl::Document::parse(body);
    if (!document) return std::unexpected(document.error());
    const Value root(document->root(), PathStyle::bracketed);
    Request request;
    if (auto read = read_object<Request>(root, request, kMembers, pass); !read)
        return std::unexpected(read.error());
    auto& said = request.said;
    if (said.turns.empty()) return root.member("input", root.json()).refuse("This is missing.");
    said.source = Protocol::responses;
    if (!request.instructions.empty())
        said.turns.insert(said.turns.begin(), Turn{.role = Role::system,
                                                   .parts = {Text{std::move(request.instructions)}},
                                                   .where = "instructions"});
    // The model can call no other tool, so it need not know them.
    if (request.allowed_tools)
        std::erase_if(said.tools, [&](const Tool& tool) {
            return std::ranges::find(*request.allowed_tools, tool.name) == request.allowed_tools->end();
        });
    if (request.wants_logprobs)
        said.top_logprobs = static_cast<std::uint32_t>(request.top_logprobs.value_or(0));
    return std::move(request.said);
}

}  // namespace sheaf::protocol

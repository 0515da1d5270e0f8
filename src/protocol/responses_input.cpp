#include "protocol/responses_input.h"

#include <initializer_list>

#include <fmt/format.h>

namespace sheaf::protocol {
namespace {

Result<> first_failure(std::initializer_list<Result<>> results) {
    for (const auto& result : results)
        if (!result) return result;
    return {};
}

Result<> need_text(const Value& object, std::string_view name, std::string& target) {
    const auto member = object.find(name);
    if (!member) return object.member(name, object.json()).refuse("This is missing.");
    return read_text(*member, target);
}

Result<> maybe_text(const Value& object, std::string_view name, std::string& target) {
    const auto member = object.find(name);
    return member ? read_text(*member, target) : Result<>();
}

class InputReader {
public:
    Result<> take(const Value& item);
    std::vector<Turn> turns() && { return std::move(turns_); }

private:
    Result<> take_message(const Value& item);
    Result<> take_chat_calls(const Value& item);
    Result<> take_chat_call(const Value& call);
    Result<> take_call(const Value& item, bool custom);
    Result<> take_output(const Value& item, std::string_view content, std::string call_id);
    Result<> take_reasoning(const Value& item);
    Turn& assistant_turn(const Value& item);

    std::vector<Turn> turns_;
    std::string last_function_;  // the id given to the last call of the deprecated kind, which has none
};

bool ends_in_thought(const Turn& turn) {
    return !turn.parts.empty() && (std::holds_alternative<Thinking>(turn.parts.back()) ||
                                   std::holds_alternative<RedactedThinking>(turn.parts.back()));
}

bool holds_results(const Turn& turn) {
    return !turn.parts.empty() && std::holds_alternative<ToolResult>(turn.parts.front());
}

Result<Image> read_image(const Value& part) {
    if (const auto file = part.find("file_id"))
        return file->refuse("Images are given by their URL or as a data URL, not as files.");
    Image image{.url = {}, .detail = {}, .where = part.path()};
    const auto url = part.find("image_url");
    // Chat Completions puts both members into an object.
    const bool is_nested = url && url->json().is_object();
    const auto& holder = is_nested ? *url : part;
    if (auto read = first_failure({need_text(holder, is_nested ? "url" : "image_url", image.url),
                                   maybe_text(holder, "detail", image.detail)});
        !read)
        return std::unexpected(read.error());
    if (image.detail == "original")
        return holder.find("detail")->refuse("The detail \"original\" is not supported.");
    return image;
}

Result<> read_part(const Value& part, std::vector<Part>& parts) {
    std::string type;
    if (auto read = need_text(part, "type", type); !read) return read;
    if (type == "input_text" || type == "output_text" || type == "text") {
        Text text;
        auto read = need_text(part, "text", text.text);
        parts.emplace_back(std::move(text));
        return read;
    }
    if (type == "refusal") {
        Refusal refusal;
        auto read = need_text(part, "refusal", refusal.text);
        parts.emplace_back(std::move(refusal));
        return read;
    }
    if (type == "input_image" || type == "image_url") {
        auto image = read_image(part);
        if (!image) return std::unexpected(image.error());
        parts.emplace_back(*std::move(image));
        return {};
    }
    return part.find("type")->refuse(fmt::format("Parts of type \"{}\" are not supported.", type));
}

// A string or an array of parts; nothing when it is missing.
Result<> read_content(const Value& item, std::string_view name, std::vector<Part>& parts) {
    const auto content = item.find(name);
    if (!content) return {};
    if (content->json().is_string()) {
        Text text;
        auto read = read_text(*content, text.text);
        parts.emplace_back(std::move(text));
        return read;
    }
    if (!content->json().is_array()) return content->refuse("This must be a string or an array of parts.");
    return for_each_value(*content, [&](const Value& part) -> Result<> {
        if (auto fits = expect_object(part); !fits) return fits;
        return read_part(part, parts);
    });
}

Result<> InputReader::take(const Value& item) {
    if (auto fits = expect_object(item); !fits) return fits;
    std::string type = item.find("role") ? "message" : "item_reference";
    if (auto read = maybe_text(item, "type", type); !read) return read;
    if (type == "message") return take_message(item);
    if (type == "function_call" || type == "custom_tool_call")
        return take_call(item, type == "custom_tool_call");
    if (type == "function_call_output" || type == "custom_tool_call_output") {
        std::string call_id;
        if (auto read = need_text(item, "call_id", call_id); !read) return read;
        return take_output(item, "output", std::move(call_id));
    }
    if (type == "reasoning") return take_reasoning(item);
    const auto where = item.member("type", item.json());
    if (type == "item_reference")
        return where.refuse("References to items are not supported: no answer is kept to refer to.");
    return where.refuse(fmt::format("Items of type \"{}\" are not supported.", type));
}

Result<> InputReader::take_message(const Value& item) {
    std::string role;
    if (auto read = need_text(item, "role", role); !read) return read;
    if (role == "function") return take_output(item, "content", last_function_);
    if (role == "tool") {
        std::string call_id;
        if (auto read = need_text(item, "tool_call_id", call_id); !read) return read;
        return take_output(item, "content", std::move(call_id));
    }
    std::vector<Part> parts;
    if (auto read = read_content(item, "content", parts); !read) return read;
    if (role == "user" || role == "system" || role == "developer") {
        turns_.push_back({.role = role == "user" ? Role::user : Role::system,
                          .parts = std::move(parts),
                          .where = item.path()});
        return {};
    }
    if (role != "assistant") return item.find("role")->refuse(fmt::format("There is no role \"{}\".", role));
    if (turns_.empty() || turns_.back().role != Role::assistant || !ends_in_thought(turns_.back()))
        turns_.push_back({.role = Role::assistant, .parts = {}, .where = item.path()});
    auto& said = turns_.back().parts;
    said.insert(said.end(), std::make_move_iterator(parts.begin()), std::make_move_iterator(parts.end()));
    Refusal refusal;
    if (auto read = maybe_text(item, "refusal", refusal.text); !read) return read;
    if (!refusal.text.empty()) said.emplace_back(std::move(refusal));
    return take_chat_calls(item);
}

// The calls of an assistant's message as Chat Completions has them, today's and the deprecated kind.
Result<> InputReader::take_chat_calls(const Value& item) {
    if (const auto calls = item.find("tool_calls")) {
        auto taken = for_each_value(*calls, [&](const Value& call) { return take_chat_call(call); });
        if (!taken) return taken;
    }
    const auto call = item.find("function_call");
    if (!call) return {};
    last_function_ = fmt::format("call_{}", turns_.size());
    ToolCall said{.id = last_function_, .name = {}, .arguments = {}};
    auto read =
        first_failure({need_text(*call, "name", said.name), need_text(*call, "arguments", said.arguments)});
    turns_.back().parts.emplace_back(std::move(said));
    return read;
}

Result<> InputReader::take_chat_call(const Value& call) {
    ToolCall said;
    std::string type = "function";
    if (auto read = first_failure({need_text(call, "id", said.id), maybe_text(call, "type", type)}); !read)
        return read;
    said.custom = type == "custom";
    const auto body = call.find(said.custom ? "custom" : "function");
    if (!body) return call.refuse("A call of a function or of a custom tool is missing.");
    auto read = first_failure({need_text(*body, "name", said.name),
                               need_text(*body, said.custom ? "input" : "arguments", said.arguments)});
    turns_.back().parts.emplace_back(std::move(said));
    return read;
}

Result<> InputReader::take_call(const Value& item, bool custom) {
    ToolCall call{.id = {}, .name = {}, .arguments = {}, .custom = custom};
    auto read = first_failure({need_text(item, "call_id", call.id), need_text(item, "name", call.name),
                               need_text(item, custom ? "input" : "arguments", call.arguments)});
    assistant_turn(item).parts.emplace_back(std::move(call));
    return read;
}

Result<> InputReader::take_output(const Value& item, std::string_view content, std::string call_id) {
    std::vector<Part> parts;
    if (auto read = read_content(item, content, parts); !read) return read;
    ToolResult result{.call_id = std::move(call_id), .content = {}};
    for (auto& part : parts) {
        if (auto* text = std::get_if<Text>(&part))
            result.content.emplace_back(std::move(*text));
        else if (auto* image = std::get_if<Image>(&part))
            result.content.emplace_back(std::move(*image));
        else
            return item.find(content)->refuse("A tool answers with texts and images only.");
    }
    if (turns_.empty() || !holds_results(turns_.back()))
        turns_.push_back({.role = Role::user, .parts = {}, .where = item.path()});
    turns_.back().parts.emplace_back(std::move(result));
    return {};
}

Result<> InputReader::take_reasoning(const Value& item) {
    Thinking thinking;
    for (const std::string_view name : {"content", "summary"}) {
        const auto texts = item.find(name);
        if (!texts || !thinking.text.empty()) continue;
        auto read = for_each_value(*texts, [&](const Value& part) -> Result<> {
            if (!thinking.text.empty()) thinking.text += "\n\n";
            std::string text;
            auto taken = need_text(part, "text", text);
            thinking.text += text;
            return taken;
        });
        if (!read) return read;
    }
    if (auto read = maybe_text(item, "encrypted_content", thinking.signature); !read) return read;
    if (!thinking.text.empty())
        assistant_turn(item).parts.emplace_back(std::move(thinking));
    else if (!thinking.signature.empty())
        assistant_turn(item).parts.emplace_back(RedactedThinking{std::move(thinking.signature)});
    return {};
}

Turn& InputReader::assistant_turn(const Value& item) {
    if (turns_.empty() || turns_.back().role != Role::assistant)
        turns_.push_back({.role = Role::assistant, .parts = {}, .where = item.path()});
    return turns_.back();
}

}  // namespace

Result<std::vector<Turn>> read_responses_input(const Value& items) {
    InputReader reader;
    auto read = for_each_value(items, [&](const Value& item) { return reader.take(item); });
    if (!read) return std::unexpected(read.error());
    return std::move(reader).turns();
}

}  // namespace sheaf::protocol

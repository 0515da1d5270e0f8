#include "cli/result_line.h"

#include <fmt/format.h>

#include "cli/json.h"

namespace sheaf::cli {
namespace {

std::optional<Json> object_member(const Json& object, std::string_view name) {
    const auto found = member(object, name);
    return found && found->is_object() ? found : std::nullopt;
}

// Calls `visit` with each element of a member that is an array.
template <class Visit>
void for_each_in(const Json& object, std::string_view name, Visit visit) {
    const auto found = member(object, name);
    if (!found || !found->is_array()) return;
    for (const Json element : simdjson::dom::array(*found)) visit(element);
}

void append(std::string& text, std::string_view more) {
    if (!text.empty() && !more.empty()) text += '\n';
    text += more;
}

// Arguments are text in OpenAI's protocols and an object in Anthropic's.
void append_call(std::string& text, const Json& call) {
    std::string arguments = string_member(call, "arguments").value_or("");
    if (const auto input = object_member(call, "input")) arguments = simdjson::minify(*input);
    append(text, fmt::format("calls {}({})", string_member(call, "name").value_or("?"), arguments));
}

// {"task_id","custom_id","status","data","error"}
ResultLine from_twelvelabs(const Json& json) {
    ResultLine line{.item = string_member(json, "task_id").value_or(""),
                    .custom_id = string_member(json, "custom_id").value_or(""),
                    .status = string_member(json, "status").value_or("")};
    if (const auto data = object_member(json, "data")) {
        line.text = string_member(*data, "data").value_or("");
        line.truncated = string_member(*data, "finish_reason") == "length";
    }
    if (const auto error = object_member(json, "error"))
        line.error = string_member(*error, "message").value_or("");
    return line;
}

// {"custom_id","result":{"type",…}}
ResultLine from_anthropic(const Json& json, const Json& result) {
    ResultLine line{.custom_id = string_member(json, "custom_id").value_or(""),
                    .status = string_member(result, "type").value_or("")};
    line.item = line.custom_id;
    if (const auto message = object_member(result, "message")) {
        line.status = "ready";
        for_each_in(*message, "content", [&](const Json& block) {
            append(line.text, string_member(block, "text").value_or(""));
            if (string_member(block, "type") == "tool_use") append_call(line.text, block);
        });
        line.truncated = string_member(*message, "stop_reason") == "max_tokens";
    }
    if (const auto error = object_member(result, "error")) {
        line.status = "failed";
        const auto inner = object_member(*error, "error");
        line.error = string_member(inner.value_or(*error), "message").value_or("");
    }
    return line;
}

// The output of a Responses object, and whether it was cut.
void read_response(const Json& response, ResultLine& line) {
    for_each_in(response, "output", [&](const Json& item) {
        for_each_in(item, "content", [&](const Json& part) {
            if (string_member(part, "type") == "output_text")
                append(line.text, string_member(part, "text").value_or(""));
            if (string_member(part, "type") == "refusal")
                append(line.text, string_member(part, "refusal").value_or(""));
        });
        if (string_member(item, "type") == "function_call") append_call(line.text, item);
    });
    line.truncated = object_member(response, "incomplete_details").has_value();
}

void read_chat(const Json& completion, ResultLine& line) {
    bool is_first = true;
    for_each_in(completion, "choices", [&](const Json& choice) {
        if (!std::exchange(is_first, false)) return;
        line.truncated = string_member(choice, "finish_reason") == "length";
        const auto message = object_member(choice, "message");
        if (!message) return;
        append(line.text, string_member(*message, "content").value_or(""));
        append(line.text, string_member(*message, "refusal").value_or(""));
        for_each_in(*message, "tool_calls", [&](const Json& call) {
            if (const auto function = object_member(call, "function")) append_call(line.text, *function);
        });
    });
}

// {"id","custom_id","status",…}, a response object
ResultLine from_sail(const Json& json) {
    ResultLine line{.item = string_member(json, "id").value_or(""),
                    .custom_id = string_member(json, "custom_id").value_or(""),
                    .status = string_member(json, "status").value_or("")};
    if (line.status == "completed") line.status = "ready";
    if (line.status == "cancelled") line.status = "canceled";
    read_response(json, line);
    if (const auto error = object_member(json, "error"))
        line.error = string_member(*error, "message").value_or("");
    return line;
}

// {"id","custom_id","response":{"status_code","body"},"error"}
ResultLine from_openai(const Json& json) {
    ResultLine line{.item = string_member(json, "id").value_or(""),
                    .custom_id = string_member(json, "custom_id").value_or(""),
                    .status = "failed"};
    if (const auto error = object_member(json, "error")) {
        const std::string code = string_member(*error, "code").value_or("");
        if (code == "batch_cancelled") line.status = "canceled";
        if (code == "batch_expired") line.status = "expired";
        line.error = string_member(*error, "message").value_or("");
    }
    const auto response = object_member(json, "response");
    const auto body = response ? object_member(*response, "body") : std::nullopt;
    if (!body) return line;
    if (const auto error = object_member(*body, "error")) {
        // A response object has an error too, which is null when there is none.
        line.error = string_member(*error, "message").value_or("");
        return line;
    }
    line.status = "ready";
    read_response(*body, line);
    read_chat(*body, line);
    std::size_t embeddings = 0;
    for_each_in(*body, "data", [&](const Json&) { ++embeddings; });
    if (embeddings > 0)
        append(line.text, fmt::format("{} embedding{}", embeddings, embeddings == 1 ? "" : "s"));
    return line;
}

Outcome<ResultLine> from_any(const Json& json) {
    if (member(json, "task_id")) return from_twelvelabs(json);
    if (const auto result = object_member(json, "result")) return from_anthropic(json, *result);
    if (string_member(json, "object") == "response") return from_sail(json);
    if (member(json, "response") || member(json, "error")) return from_openai(json);
    return give_up(ExitCode::no_server, "");
}

}  // namespace

Outcome<ResultLine> parse_result_line(std::string_view json) {
    const auto document = jsonl::Document::parse(json);
    auto line = document ? from_any(document->root()) : give_up(ExitCode::no_server, "");
    if (line && !line->item.empty() && !line->status.empty()) return line;
    return give_up(ExitCode::no_server, "The server's answer makes no sense: a result line is malformed.");
}

}  // namespace sheaf::cli

#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "asked_request.h"
#include "schema_check.h"

// The stand-in reads a Responses request as strictly as the published schema allows.
namespace stand_in {

class ResponsesRequestCheck {
public:
    // The first violation, or nullopt and `request` filled.
    Verdict check(std::string_view body, AskedRequest& request) {
        json::value document;
        if (auto wrong = parse_body(body, document)) return wrong;
        for (const auto& member : document.get_object())
            if (auto wrong = check_member(view(member.key()), member.value(), request)) return wrong;
        return check_required(document.get_object(), {"model", "input"});
    }

private:
    Verdict check_member(std::string_view name, const json::value& value, AskedRequest& request) {
        const std::string path(name);
        if (name == "model") {
            if (auto wrong = check_string(value, path)) return wrong;
            request.model = view(value.get_string());
            return std::nullopt;
        }
        if (name == "input") return check_input(value, request);
        if (name == "instructions" || name == "user") return check_string(value, path);
        if (name == "max_output_tokens") return check_count(value, path);
        if (name == "temperature") return check_number(value, path, 0, 2);
        if (name == "top_p") return check_number(value, path, 0, 1);
        if (name == "top_logprobs") return check_number(value, path, 0, 20);
        if (name == "parallel_tool_calls" || name == "store") return check_flag(value, path);
        if (name == "reasoning" || name == "metadata") return check_object(value, path);
        if (name == "include") return value.is_array() ? Verdict() : bad(path, "Must be an array.");
        if (name == "tools") return check_tools(value, request);
        if (name == "tool_choice") return check_tool_choice(value, request);
        if (name == "text") return check_text(value, request);
        if (name == "stream") {
            if (auto wrong = check_flag(value, path)) return wrong;
            request.is_streamed = value.get_bool();
            return std::nullopt;
        }
        return bad(path, fmt::format("Unknown parameter: '{}'.", name));
    }

    Verdict check_input(const json::value& value, AskedRequest& request) {
        if (value.is_string()) {
            if (auto wrong = check_string(value, "input")) return wrong;
            request.parts.push_back({false, std::string(view(value.get_string()))});
            return std::nullopt;
        }
        if (!value.is_array() || value.get_array().empty())
            return bad("input", "Must be a string or an array of items.");
        for (std::size_t i = 0; i < value.get_array().size(); ++i) {
            const auto path = fmt::format("input[{}]", i);
            const auto* item = value.get_array()[i].if_object();
            if (item == nullptr) return bad(path, "Must be an object.");
            if (auto wrong = check_item(*item, path, request)) return wrong;
        }
        return std::nullopt;
    }

    Verdict check_item(const json::object& item, const std::string& path, AskedRequest& request) {
        const auto type = find_text(item, "type").value_or("message");
        if (type == "message") return check_message(item, path, request);
        if (type == "reasoning") return std::nullopt;
        if (type == "function_call") {
            if (auto wrong =
                    check_known(item, path, {"type", "id", "call_id", "name", "arguments", "status"}))
                return wrong;
            const auto arguments = find_text(item, "arguments");
            if (!find_text(item, "call_id") || !find_text(item, "name") || !arguments ||
                !sheaf::jsonl::Document::parse(*arguments))
                return bad(path, "Must have a call_id, a name and arguments in JSON.");
            calls_.insert(std::string(*find_text(item, "call_id")));
            return std::nullopt;
        }
        if (type == "function_call_output") {
            if (auto wrong = check_known(item, path, {"type", "id", "call_id", "output", "status"}))
                return wrong;
            const auto id = find_text(item, "call_id");
            if (!id || !calls_.contains(std::string(*id)))
                return bad(path + ".call_id", "No tool call found for function call output.");
            const auto* output = find(item, "output");
            if (output == nullptr || (!output->is_string() && !output->is_array()))
                return bad(path + ".output", "Must be a string or an array.");
            return std::nullopt;
        }
        return bad(path + ".type", fmt::format("Invalid value: '{}'.", type));
    }

    static Verdict check_message(const json::object& item, const std::string& path, AskedRequest& request) {
        if (auto wrong = check_known(item, path, {"type", "id", "role", "content", "status"})) return wrong;
        const auto role = find_text(item, "role").value_or("");
        if (role != "user" && role != "assistant" && role != "system" && role != "developer")
            return bad(path + ".role", fmt::format("Invalid value: '{}'.", role));
        const auto* content = find(item, "content");
        if (content == nullptr) return bad(path + ".content", "Missing.");
        std::vector<Part> parts;
        if (auto wrong = check_content(*content, path + ".content", role, parts)) return wrong;
        if (role == "assistant") ++request.turns;
        for (const auto& part : parts) request.images += part.is_image ? 1 : 0;
        if (role == "user" && request.parts.empty()) request.parts = std::move(parts);
        return std::nullopt;
    }

    static Verdict check_content(const json::value& content, const std::string& path, std::string_view role,
                                 std::vector<Part>& parts) {
        if (content.is_string()) {
            parts.push_back({false, std::string(view(content.get_string()))});
            return std::nullopt;
        }
        if (!content.is_array() || content.get_array().empty())
            return bad(path, "Must be a string or an array of parts.");
        const std::string_view text_type = role == "assistant" ? "output_text" : "input_text";
        for (std::size_t i = 0; i < content.get_array().size(); ++i) {
            const auto at = fmt::format("{}[{}]", path, i);
            const auto* part = content.get_array()[i].if_object();
            if (part == nullptr) return bad(at, "Must be an object.");
            const auto type = find_text(*part, "type").value_or("");
            if (type == text_type) {
                if (auto wrong = check_known(*part, at, {"type", "text", "annotations", "logprobs"}))
                    return wrong;
                if (!find_text(*part, "text")) return bad(at + ".text", "Must be a string.");
                parts.push_back({false, std::string(*find_text(*part, "text"))});
            } else if (type == "input_image" && role == "user") {
                if (auto wrong = check_known(*part, at, {"type", "image_url", "detail"})) return wrong;
                const auto url = find_text(*part, "image_url");
                if (!url) return bad(at + ".image_url", "Must be a string.");
                if (auto wrong = check_data_url(*url, at + ".image_url")) return wrong;
                parts.push_back({true, std::string(*url)});
            } else if (type == "refusal" && role == "assistant") {
                continue;
            } else {
                return bad(at + ".type", fmt::format("'{}' may not stand here.", type));
            }
        }
        return std::nullopt;
    }

    static Verdict check_tools(const json::value& value, AskedRequest& request) {
        if (!value.is_array()) return bad("tools", "Must be an array.");
        for (std::size_t i = 0; i < value.get_array().size(); ++i) {
            const auto path = fmt::format("tools[{}]", i);
            const auto* tool = value.get_array()[i].if_object();
            if (tool == nullptr || find_text(*tool, "type") != "function")
                return bad(path + ".type", "Only functions are known.");
            if (auto wrong =
                    check_known(*tool, path, {"type", "name", "description", "parameters", "strict"}))
                return wrong;
            const auto name = find_text(*tool, "name");
            const auto* parameters = find(*tool, "parameters");
            if (!name || parameters == nullptr) return bad(path, "Must have a name and parameters.");
            if (parameters->is_object())
                if (auto wrong = check_schema(*parameters, path + ".parameters", false, 0)) return wrong;
            request.tools.push_back({std::string(*name), *parameters});
        }
        return std::nullopt;
    }

    static Verdict check_tool_choice(const json::value& value, AskedRequest& request) {
        if (value == json::value("none") || value == json::value("auto")) return std::nullopt;
        if (value == json::value("required")) {
            request.forced_tool = "";
            return std::nullopt;
        }
        const auto* choice = value.if_object();
        if (choice == nullptr || find_text(*choice, "type") != "function" || !find_text(*choice, "name"))
            return bad("tool_choice", "Must be none, auto, required or a function.");
        request.forced_tool = std::string(*find_text(*choice, "name"));
        return std::nullopt;
    }

    static Verdict check_text(const json::value& value, AskedRequest& request) {
        const auto* text = value.if_object();
        if (text == nullptr) return bad("text", "Must be an object.");
        if (auto wrong = check_known(*text, "text", {"format", "verbosity"})) return wrong;
        const auto* format = find(*text, "format");
        if (format == nullptr) return std::nullopt;
        const auto type = format->is_object() ? find_text(format->get_object(), "type") : std::nullopt;
        if (type == "text" || type == "json_object") return std::nullopt;
        if (type != "json_schema")
            return bad("text.format.type", "Must be text, json_object or json_schema.");
        const auto& rules = format->get_object();
        if (auto wrong =
                check_known(rules, "text.format", {"type", "name", "description", "schema", "strict"}))
            return wrong;
        const auto* schema = find(rules, "schema");
        if (!find_text(rules, "name") || schema == nullptr)
            return bad("text.format", "Must have a name and a schema.");
        request.schema = *schema;
        const auto* strict = find(rules, "strict");
        return check_schema(*schema, "text.format.schema", strict != nullptr && *strict == json::value(true),
                            0);
    }

    std::set<std::string> calls_;  // the ids of those made so far
};

}  // namespace stand_in

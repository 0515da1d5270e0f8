#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "asked_request.h"
#include "schema_check.h"

// The stand-in reads a chat request as strictly as the published schema allows, so that a slip of ours shows.
namespace stand_in {

class ChatRequestCheck {
public:
    // The first violation, or nullopt and `request` filled.
    Verdict check(std::string_view body, AskedRequest& request) {
        json::value document;
        if (auto wrong = parse_body(body, document)) return wrong;
        const auto& object = document.get_object();
        for (const auto& member : object)
            if (auto wrong = check_member(view(member.key()), member.value(), request)) return wrong;
        if (auto wrong = check_required(object, {"model", "messages"})) return wrong;
        if (object.contains("stream_options") && !request.is_streamed)
            return bad("stream_options", "Only allowed when 'stream' is true.");
        if (object.contains("tool_choice") && request.tools.empty())
            return bad("tool_choice", "Only allowed when 'tools' are specified.");
        return std::nullopt;
    }

private:
    Verdict check_member(std::string_view name, const json::value& value, AskedRequest& request) {
        const std::string path(name);
        if (name == "model") {
            if (auto wrong = check_string(value, path)) return wrong;
            request.model = view(value.get_string());
            return std::nullopt;
        }
        if (name == "messages") return check_messages(value, request);
        if (name == "tools") return check_tools(value, request);
        if (name == "tool_choice") return check_tool_choice(value, request);
        if (name == "response_format") return check_format(value, request);
        if (name == "temperature") return check_number(value, path, 0, 2);
        if (name == "top_p") return check_number(value, path, 0, 1);
        if (name == "presence_penalty" || name == "frequency_penalty")
            return check_number(value, path, -2, 2);
        if (name == "seed") return check_number(value, path, -9e18, 9e18);
        if (name == "top_k" || name == "thinking_token_budget") return check_count(value, path);
        if (name == "max_tokens" || name == "max_completion_tokens" || name == "n")
            return check_count(value, path);
        if (name == "parallel_tool_calls") return check_flag(value, path);
        if (name == "user" || name == "reasoning_effort") return check_string(value, path);
        if (name == "stop") return check_stop(value);
        if (name == "chat_template_kwargs" || name == "metadata") return check_object(value, path);
        if (name == "stream") {
            if (auto wrong = check_flag(value, path)) return wrong;
            request.is_streamed = value.get_bool();
            return std::nullopt;
        }
        if (name == "stream_options") {
            if (!value.is_object()) return bad("stream_options", "Must be an object.");
            for (const auto& member : value.get_object()) {
                if (view(member.key()) != "include_usage" || !member.value().is_bool())
                    return bad("stream_options", "Only include_usage, a boolean, is known.");
                request.wants_usage = member.value().get_bool();
            }
            return std::nullopt;
        }
        return bad(path, fmt::format("Unrecognized request argument supplied: {}", name));
    }

    static Verdict check_stop(const json::value& value) {
        if (value.is_string()) return std::nullopt;
        if (!value.is_array() || value.get_array().empty() || value.get_array().size() > 4)
            return bad("stop", "Must be a string or an array of 1 to 4.");
        for (const auto& one : value.get_array())
            if (!one.is_string()) return bad("stop", "Must be a string or an array of 1 to 4.");
        return std::nullopt;
    }

    Verdict check_messages(const json::value& value, AskedRequest& request) {
        if (!value.is_array() || value.get_array().empty())
            return bad("messages", "Must be a non-empty array.");
        std::string_view last_role;
        bool has_user = false;
        for (std::size_t i = 0; i < value.get_array().size(); ++i) {
            const auto path = fmt::format("messages[{}]", i);
            const auto* message = value.get_array()[i].if_object();
            if (message == nullptr) return bad(path, "Must be an object.");
            const auto role = find_text(*message, "role");
            if (!role) return bad(path + ".role", "Must be a string.");
            last_role = *role;
            if (last_role == "system") {
                if (i != 0) return bad(path + ".role", "The system message comes first.");
                if (auto wrong = check_known(*message, path, {"role", "content"})) return wrong;
                if (auto wrong = check_words(*message, path)) return wrong;
            } else if (last_role == "assistant") {
                if (auto wrong = check_assistant(*message, path)) return wrong;
                ++request.turns;
            } else if (last_role == "tool") {
                if (auto wrong = check_tool_result(*message, path)) return wrong;
            } else if (last_role == "user") {
                if (auto wrong = check_known(*message, path, {"role", "content", "name"})) return wrong;
                std::vector<Part> parts;
                const auto* content = find(*message, "content");
                if (content == nullptr) return bad(path + ".content", "Missing.");
                if (auto wrong = check_content(*content, path + ".content", parts)) return wrong;
                for (const auto& part : parts) request.images += part.is_image ? 1 : 0;
                if (!has_user) request.parts = std::move(parts);
                has_user = true;
            } else {
                return bad(path + ".role", fmt::format("Invalid value: '{}'.", last_role));
            }
        }
        if (last_role != "user" && last_role != "tool")
            return bad("messages", "The last message must be the user's or a tool's.");
        return std::nullopt;
    }

    // Content without pictures.
    static Verdict check_words(const json::object& message, const std::string& path) {
        const auto* content = find(message, "content");
        if (content == nullptr) return bad(path + ".content", "Missing.");
        std::vector<Part> parts;
        if (auto wrong = check_content(*content, path + ".content", parts)) return wrong;
        for (const auto& part : parts)
            if (part.is_image) return bad(path + ".content", "Pictures are the user's.");
        return std::nullopt;
    }

    Verdict check_assistant(const json::object& message, const std::string& path) {
        if (auto wrong = check_known(message, path, {"role", "content", "refusal", "tool_calls", "name"}))
            return wrong;
        const auto* calls = find(message, "tool_calls");
        const auto* content = find(message, "content");
        const bool has_words = content != nullptr && !content->is_null();
        if (calls == nullptr && !has_words && !message.contains("refusal"))
            return bad(path, "Must have content or tool_calls.");
        if (has_words)
            if (auto wrong = check_words(message, path)) return wrong;
        if (calls == nullptr) return std::nullopt;
        if (!calls->is_array() || calls->get_array().empty())
            return bad(path + ".tool_calls", "Must be a non-empty array.");
        for (const auto& call : calls->get_array()) {
            const auto* object = call.if_object();
            const auto* function = object == nullptr ? nullptr : find(*object, "function");
            if (function == nullptr || !function->is_object() || find_text(*object, "type") != "function" ||
                !find_text(*object, "id") || object->size() != 3)
                return bad(path + ".tool_calls", "Must have an id, the type function and it.");
            const auto arguments = find_text(function->get_object(), "arguments");
            if (!find_text(function->get_object(), "name") || !arguments ||
                function->get_object().size() != 2)
                return bad(path + ".tool_calls", "A function has a name and arguments.");
            if (!sheaf::jsonl::Document::parse(*arguments))
                return bad(path + ".tool_calls", "The arguments must be JSON.");
            calls_.insert(std::string(*find_text(*object, "id")));
        }
        return std::nullopt;
    }

    Verdict check_tool_result(const json::object& message, const std::string& path) {
        if (auto wrong = check_known(message, path, {"role", "content", "tool_call_id"})) return wrong;
        const auto id = find_text(message, "tool_call_id");
        if (!id || !calls_.contains(std::string(*id)))
            return bad(path + ".tool_call_id", "Must name a call of an earlier message.");
        return check_words(message, path);
    }

    static Verdict check_content(const json::value& content, const std::string& path,
                                 std::vector<Part>& parts) {
        if (content.is_string()) {
            if (content.get_string().empty()) return bad(path, "Must not be empty.");
            parts.push_back({false, std::string(view(content.get_string()))});
            return std::nullopt;
        }
        if (!content.is_array() || content.get_array().empty())
            return bad(path, "Must be a string or an array of parts.");
        for (std::size_t i = 0; i < content.get_array().size(); ++i) {
            const auto at = fmt::format("{}[{}]", path, i);
            const auto* part = content.get_array()[i].if_object();
            if (part == nullptr || part->size() != 2) return bad(at, "Must have a type and its content.");
            const auto type = find_text(*part, "type");
            if (type == "text") {
                const auto text = find_text(*part, "text");
                if (!text || text->empty()) return bad(at + ".text", "Must be a non-empty string.");
                parts.push_back({false, std::string(*text)});
            } else if (type == "image_url") {
                const auto* image = find(*part, "image_url");
                if (image == nullptr || !image->is_object())
                    return bad(at + ".image_url", "Must be an object.");
                if (auto wrong = check_image(image->get_object(), at + ".image_url", parts)) return wrong;
            } else {
                return bad(at + ".type", "Invalid value.");
            }
        }
        return std::nullopt;
    }

    static Verdict check_image(const json::object& image, const std::string& path, std::vector<Part>& parts) {
        if (auto wrong = check_known(image, path, {"url", "detail"})) return wrong;
        const auto url = find_text(image, "url");
        if (!url) return bad(path + ".url", "Must be a string.");
        if (auto wrong = check_data_url(*url, path + ".url")) return wrong;
        parts.push_back({true, std::string(*url)});
        return std::nullopt;
    }

    static Verdict check_tools(const json::value& value, AskedRequest& request) {
        if (!value.is_array() || value.get_array().empty()) return bad("tools", "Must be a non-empty array.");
        for (std::size_t i = 0; i < value.get_array().size(); ++i) {
            const auto path = fmt::format("tools[{}]", i);
            const auto* tool = value.get_array()[i].if_object();
            const auto* function = tool == nullptr ? nullptr : find(*tool, "function");
            if (function == nullptr || !function->is_object() || find_text(*tool, "type") != "function" ||
                tool->size() != 2)
                return bad(path, "Must have the type function and it.");
            if (auto wrong = check_function(function->get_object(), path + ".function", request))
                return wrong;
        }
        return std::nullopt;
    }

    static Verdict check_function(const json::object& function, const std::string& path,
                                  AskedRequest& request) {
        if (auto wrong = check_known(function, path, {"name", "description", "parameters", "strict"}))
            return wrong;
        const auto name = find_text(function, "name");
        if (!name || name->empty()) return bad(path + ".name", "Must be a non-empty string.");
        const auto* parameters = find(function, "parameters");
        if (parameters != nullptr)
            if (auto wrong = check_schema(*parameters, path + ".parameters", false, 0)) return wrong;
        request.tools.push_back(
            {std::string(*name), parameters == nullptr ? json::value(json::object()) : *parameters});
        return std::nullopt;
    }

    static Verdict check_tool_choice(const json::value& value, AskedRequest& request) {
        if (value == json::value("none") || value == json::value("auto")) return std::nullopt;
        if (value == json::value("required")) {
            request.forced_tool = "";
            return std::nullopt;
        }
        const auto* choice = value.if_object();
        const auto* function = choice == nullptr ? nullptr : find(*choice, "function");
        if (function == nullptr || !function->is_object() || find_text(*choice, "type") != "function" ||
            !find_text(function->get_object(), "name"))
            return bad("tool_choice", "Must be none, auto, required or a function.");
        request.forced_tool = std::string(*find_text(function->get_object(), "name"));
        return std::nullopt;
    }

    static Verdict check_format(const json::value& value, AskedRequest& request) {
        const auto* format = value.if_object();
        const auto type = format == nullptr ? std::nullopt : find_text(*format, "type");
        if (!type) return bad("response_format.type", "Must be a string.");
        if (*type == "text" || *type == "json_object") return std::nullopt;
        const auto* body = find(*format, "json_schema");
        if (*type != "json_schema" || body == nullptr || !body->is_object() || format->size() != 2)
            return bad("response_format", "Must be text or json_schema with its json_schema.");
        bool is_strict = false;
        for (const auto& member : body->get_object()) {
            const auto name = view(member.key());
            if (name == "strict" && member.value().is_bool())
                is_strict = member.value().get_bool();
            else if ((name == "name" || name == "description") && member.value().is_string())
                continue;
            else if (name == "schema" && member.value().is_object())
                request.schema = member.value();
            else
                return bad("response_format.json_schema." + std::string(name),
                           "Unknown, or of the wrong type.");
        }
        const auto name = find_text(body->get_object(), "name");
        if (!name || name->empty() || name->size() > 64)
            return bad("response_format.json_schema.name", "Must have 1 to 64 characters.");
        if (!request.schema) return bad("response_format.json_schema.schema", "Missing.");
        const auto root_type = find_text(request.schema->get_object(), "type");
        if (is_strict && root_type != "object")
            return bad("response_format.json_schema.schema", "A strict schema must be of type object.");
        return check_schema(*request.schema, "response_format.json_schema.schema", is_strict, 0);
    }

    std::set<std::string> calls_;  // the ids of those made so far
};

}  // namespace stand_in

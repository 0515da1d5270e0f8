#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "asked_request.h"
#include "schema_check.h"

// The stand-in reads a Messages request as strictly as its vendor does: objects are closed.
namespace stand_in {

class MessagesRequestCheck {
public:
    enum class Asks { answer, count };
    explicit MessagesRequestCheck(Asks asks) : asks_(asks) {}

    // The first violation, or nullopt and `request` filled.
    Verdict check(std::string_view body, AskedRequest& request) {
        json::value document;
        if (auto wrong = parse_body(body, document)) return wrong;
        const auto& object = document.get_object();
        for (const auto& member : object)
            if (auto wrong = check_member(view(member.key()), member.value(), request)) return wrong;
        if (asks_ == Asks::answer)
            if (auto wrong = check_required(object, {"max_tokens"})) return wrong;
        return check_required(object, {"model", "messages"});
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
        if (name == "system") {
            std::vector<Part> parts;
            return check_blocks(value, path, "system", parts);
        }
        if (name == "tools") return check_tools(value, request);
        if (name == "tool_choice") return check_tool_choice(value, request);
        if (name == "thinking" || name == "output_config") return check_object(value, path);
        if (asks_ == Asks::count) return bad(path, "Extra inputs are not permitted");
        if (name == "max_tokens" || name == "top_k") return check_count(value, path);
        if (name == "temperature" || name == "top_p") return check_number(value, path, 0, 1);
        if (name == "metadata") return check_object(value, path);
        if (name == "service_tier") return check_string(value, path);
        if (name == "stop_sequences") {
            if (!value.is_array()) return bad(path, "Must be an array of strings.");
            for (const auto& one : value.get_array())
                if (auto wrong = check_string(one, path)) return wrong;
            return std::nullopt;
        }
        if (name == "stream") {
            if (auto wrong = check_flag(value, path)) return wrong;
            request.is_streamed = value.get_bool();
            return std::nullopt;
        }
        return bad(path, "Extra inputs are not permitted");
    }

    Verdict check_messages(const json::value& value, AskedRequest& request) {
        if (!value.is_array() || value.get_array().empty())
            return bad("messages", "Must be a non-empty array.");
        bool has_user = false;
        for (std::size_t i = 0; i < value.get_array().size(); ++i) {
            const auto path = fmt::format("messages.{}", i);
            const auto* message = value.get_array()[i].if_object();
            const auto role = message == nullptr ? std::nullopt : find_text(*message, "role");
            const auto* content = message == nullptr ? nullptr : find(*message, "content");
            if (!role || content == nullptr || message->size() != 2)
                return bad(path, "Must have a role and content.");
            if (*role != "user" && *role != "assistant") return bad(path + ".role", "Invalid value.");
            std::vector<Part> parts;
            if (auto wrong = check_blocks(*content, path + ".content", *role, parts)) return wrong;
            if (*role == "assistant") ++request.turns;
            for (const auto& part : parts) request.images += part.is_image ? 1 : 0;
            if (*role == "user" && !std::exchange(has_user, has_user || !parts.empty()))
                request.parts = std::move(parts);
        }
        return std::nullopt;
    }

    Verdict check_blocks(const json::value& content, const std::string& path, std::string_view role,
                         std::vector<Part>& parts) {
        if (content.is_string()) {
            if (content.get_string().empty()) return bad(path, "Must not be empty.");
            parts.push_back({false, std::string(view(content.get_string()))});
            return std::nullopt;
        }
        if (!content.is_array() || content.get_array().empty())
            return bad(path, "Must be a string or an array of blocks.");
        for (std::size_t i = 0; i < content.get_array().size(); ++i) {
            const auto at = fmt::format("{}.{}", path, i);
            const auto* block = content.get_array()[i].if_object();
            if (block == nullptr) return bad(at, "Must be an object.");
            if (auto wrong = check_block(*block, at, role, parts)) return wrong;
        }
        return std::nullopt;
    }

    Verdict check_block(const json::object& block, const std::string& path, std::string_view role,
                        std::vector<Part>& parts) {
        const auto type = find_text(block, "type").value_or("");
        if (type == "text") {
            if (auto wrong = check_known(block, path, {"type", "text", "cache_control"})) return wrong;
            const auto text = find_text(block, "text");
            if (!text || text->empty()) return bad(path + ".text", "Must be a non-empty string.");
            parts.push_back({false, std::string(*text)});
            return std::nullopt;
        }
        if (type == "image" && role == "user") return check_image(block, path, parts);
        if (type == "tool_use" && role == "assistant") {
            if (auto wrong = check_known(block, path, {"type", "id", "name", "input", "cache_control"}))
                return wrong;
            const auto* input = find(block, "input");
            if (!find_text(block, "id") || !find_text(block, "name") || input == nullptr ||
                !input->is_object())
                return bad(path, "Must have an id, a name and an input.");
            calls_.insert(std::string(*find_text(block, "id")));
            return std::nullopt;
        }
        if (type == "tool_result" && role == "user") return check_tool_result(block, path, parts);
        if ((type == "thinking" || type == "redacted_thinking") && role == "assistant") return std::nullopt;
        return bad(path + ".type", fmt::format("'{}' may not stand here.", type));
    }

    static Verdict check_image(const json::object& block, const std::string& path, std::vector<Part>& parts) {
        const auto* source = find(block, "source");
        if (source == nullptr || !source->is_object()) return bad(path + ".source", "Must be an object.");
        const auto& from = source->get_object();
        const auto type = find_text(from, "media_type");
        const auto data = find_text(from, "data");
        if (find_text(from, "type") != "base64" || !type || !data || from.size() != 3)
            return bad(path + ".source", "Must be base64 with its media_type and data.");
        auto url = fmt::format("data:{};base64,{}", *type, *data);
        if (auto wrong = check_data_url(url, path + ".source.data")) return wrong;
        parts.push_back({true, std::move(url)});
        return std::nullopt;
    }

    Verdict check_tool_result(const json::object& block, const std::string& path, std::vector<Part>& parts) {
        if (auto wrong =
                check_known(block, path, {"type", "tool_use_id", "content", "is_error", "cache_control"}))
            return wrong;
        const auto id = find_text(block, "tool_use_id");
        if (!id || !calls_.contains(std::string(*id)))
            return bad(path + ".tool_use_id", "Must name a tool_use of an earlier message.");
        const auto* content = find(block, "content");
        if (content == nullptr) return std::nullopt;
        return check_blocks(*content, path + ".content", "user", parts);
    }

    static Verdict check_tools(const json::value& value, AskedRequest& request) {
        if (!value.is_array()) return bad("tools", "Must be an array.");
        for (std::size_t i = 0; i < value.get_array().size(); ++i) {
            const auto path = fmt::format("tools.{}", i);
            const auto* tool = value.get_array()[i].if_object();
            if (tool == nullptr) return bad(path, "Must be an object.");
            if (auto wrong = check_known(
                    *tool, path, {"type", "name", "description", "input_schema", "cache_control", "strict"}))
                return wrong;
            const auto name = find_text(*tool, "name");
            const auto* schema = find(*tool, "input_schema");
            if (!name || schema == nullptr || !schema->is_object())
                return bad(path, "Must have a name and an input_schema.");
            if (find_text(schema->get_object(), "type") != "object")
                return bad(path + ".input_schema.type", "Input should be 'object'");
            if (auto wrong = check_schema(*schema, path + ".input_schema", false, 0)) return wrong;
            request.tools.push_back({std::string(*name), *schema});
        }
        return std::nullopt;
    }

    static Verdict check_tool_choice(const json::value& value, AskedRequest& request) {
        const auto* choice = value.if_object();
        const auto type = choice == nullptr ? std::nullopt : find_text(*choice, "type");
        if (type == "any") request.forced_tool = "";
        if (type == "tool") {
            const auto name = find_text(*choice, "name");
            if (!name) return bad("tool_choice.name", "Field required");
            request.forced_tool = std::string(*name);
        }
        if (type == "any" || type == "tool" || type == "auto" || type == "none") return std::nullopt;
        return bad("tool_choice.type", "Must be auto, any, tool or none.");
    }

    Asks asks_;
    std::set<std::string> calls_;  // the ids of those made so far
};

}  // namespace stand_in

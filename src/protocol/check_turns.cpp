#include "protocol/check_turns.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "protocol/check_blocks.h"
#include "protocol/closed_object.h"

namespace sheaf::protocol {
namespace {

constexpr std::size_t kMessagesMax = 100'000;
constexpr std::array<std::string_view, 3> kRoles{"user", "assistant", "system"};
constexpr std::array kMessage{
    Field{"role", one_of<kRoles>, Need::required},
    Field{"content", anything, Need::required},
};

// One message, its form checked.
struct Message {
    Value value;
    std::string_view role;

    Value content() const {
        return value.member("content", dom::object(value.json()).at_key("content").value_unsafe());
    }
};

Result<Message> check_message(const Value& value) {
    if (auto fits = check_closed(value, kMessage); !fits) return std::unexpected(fits.error());
    const auto role = required_text(value, "role");
    if (!role) return std::unexpected(role.error());
    const Message message{value, *role};
    Place place = Place::user;
    if (*role == "assistant") place = Place::assistant;
    if (*role == "system") place = Place::system;
    if (auto fits = check_messages_content(message.content(), place); !fits)
        return std::unexpected(fits.error());
    return message;
}

bool is_empty(const Value& content) {
    std::string_view text;
    dom::array blocks;
    if (content.json().get(text) == simdjson::SUCCESS) return text.empty();
    return content.json().get(blocks) == simdjson::SUCCESS && blocks.size() == 0;
}

std::string_view text_in(const dom::object& block, std::string_view name) {
    std::string_view text;
    if (block.at_key(name).get(text) != simdjson::SUCCESS) return {};
    return text;
}

// Calls `take` with each block of a content and its type.
template <class Take>
Result<> for_each_block(const Value& content, const Take& take) {
    if (content.json().is_string()) return {};
    return for_each_value(
        content, [&](const Value& block) { return take(block, text_in(dom::object(block.json()), "type")); });
}

bool ends_in_hosted_result(const Value& content) {
    bool ends = false;
    const auto read = for_each_block(content, [&](const Value&, std::string_view type) -> Result<> {
        ends = type != "tool_result" && type.ends_with("tool_result");
        return {};
    });
    return read && ends;
}

// Follows the turns: what each call of the last assistant's turn still waits for.
class ToolPairing {
public:
    Result<> take(const Message& message) {
        if (message.role == "assistant") return take_calls(message);
        if (message.role == "user") return take_results(message);
        return {};
    }

    // The assistant speaks again, or nobody does.
    Result<> end_turn() {
        if (waiting_.empty()) return {};
        std::string ids;
        for (const auto id : waiting_) ids += fmt::format("{}{}", ids.empty() ? "" : ", ", id);
        return fail(
            ErrorCode::invalid,
            fmt::format("`tool_use` ids were found without `tool_result` blocks immediately after: {}. "
                        "Each `tool_use` block must have a corresponding `tool_result` block in the "
                        "next message",
                        ids),
            calls_path_);
    }

private:
    Result<> take_calls(const Message& message) {
        if (in_results_) {
            if (auto ended = end_turn(); !ended) return ended;
            turn_.clear();
            in_results_ = false;
        }
        return for_each_block(message.content(), [&](const Value& block, std::string_view type) -> Result<> {
            if (type != "tool_use") return {};
            const auto id = text_in(dom::object(block.json()), "id");
            if (!known_.insert(id).second)
                return block.member("id", block.json()).refuse("`tool_use` ids must be unique");
            turn_.insert(id);
            waiting_.insert(id);
            calls_path_ = message.value.path();
            return {};
        });
    }

    Result<> take_results(const Message& message) {
        in_results_ = true;
        return for_each_block(message.content(), [&](const Value& block, std::string_view type) -> Result<> {
            if (type != "tool_result") return {};
            const auto id = text_in(dom::object(block.json()), "tool_use_id");
            const Value where = block.member("tool_use_id", block.json());
            if (!turn_.contains(id))
                return where.refuse(fmt::format(
                    "unexpected `tool_use_id` found in `tool_result` blocks: {}. Each `tool_result` "
                    "block must have a corresponding `tool_use` block in the previous message",
                    id));
            if (waiting_.erase(id) == 0)
                return where.refuse(
                    fmt::format("each `tool_use` must have a single result. Found multiple `tool_result` "
                                "blocks with id: {}",
                                id));
            return {};
        });
    }

    std::set<std::string_view> known_;
    std::set<std::string_view> turn_;     // the calls of the last assistant's turn
    std::set<std::string_view> waiting_;  // those of them without a result
    std::string calls_path_;
    bool in_results_ = false;
};

// A system message follows a user's turn, or hosted results, and stands last or before the assistant's turn.
Result<> check_system_places(const std::vector<Message>& messages) {
    for (std::size_t i = 0; i < messages.size(); ++i) {
        if (messages[i].role != "system") continue;
        std::size_t end = i;
        while (end < messages.size() && messages[end].role == "system") ++end;
        const bool follows =
            i > 0 && (messages[i - 1].role == "user" || ends_in_hosted_result(messages[i - 1].content()));
        const bool precedes = end == messages.size() || messages[end].role == "assistant";
        if (!follows || !precedes)
            return messages[i].value.refuse(
                "a system message must directly follow a user turn and be last or followed by an assistant "
                "turn");
        i = end - 1;
    }
    return {};
}

}  // namespace

Result<> check_turns(const Value& value) {
    if (auto fits = expect_array(value); !fits) return fits;
    const auto count = dom::array(value.json()).size();
    if (count == 0) return value.refuse("at least one message is required");
    std::vector<Message> messages;
    const auto read = for_each_value(value, [&](const Value& element) -> Result<> {
        if (messages.size() == kMessagesMax)
            return value.refuse(fmt::format("at most {} messages are allowed", kMessagesMax));
        auto message = check_message(element);
        if (!message) return std::unexpected(message.error());
        messages.push_back(*message);
        return {};
    });
    if (!read) return read;

    for (const auto& message : messages) {
        const bool may_be_empty = &message == &messages.back() && message.role == "assistant";
        if (is_empty(message.content()) && !may_be_empty)
            return message.value.refuse(
                "all messages must have non-empty content except for the optional final assistant message");
    }
    if (auto placed = check_system_places(messages); !placed) return placed;
    ToolPairing pairing;
    for (const auto& message : messages)
        if (auto taken = pairing.take(message); !taken) return taken;
    return pairing.end_turn();
}

}  // namespace sheaf::protocol

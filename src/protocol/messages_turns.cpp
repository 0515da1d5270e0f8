#include "protocol/messages_turns.h"

#include <algorithm>
#include <array>
#include <utility>

#include "jsonl/document.h"
#include "protocol/field_names.h"
#include "protocol/ids.h"
#include "protocol/merged_turns.h"
#include "protocol/messages_reply.h"

namespace sheaf::protocol {
namespace {

using jsonl::Writer;

constexpr std::string_view kBetweenTexts = "\n\n";
constexpr std::array<std::string_view, 4> kImageTypes{"image/jpeg", "image/png", "image/gif", "image/webp"};

std::unexpected<Error> cannot(std::string_view what, std::string path) {
    return cannot_say(Protocol::messages, what, std::move(path));
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
    auto media_type = head.substr(0, head.find(';'));
    // Chat clients write both.
    if (media_type == "image/jpg") media_type = "image/jpeg";
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

}  // namespace

std::string take_leading_system(std::vector<Turn>& turns) {
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

Result<> write_messages_turns(Writer& json, std::vector<Turn> turns) {
    json.open_array();
    for (auto& turn : with_system_turns_placed(merged_turns(std::move(turns))))
        if (auto written = write_turn(json, std::move(turn)); !written) return written;
    json.close_array();
    return {};
}

}  // namespace sheaf::protocol

#include "backend/chat_http/reply.h"

#include <cmath>

#include <boost/json.hpp>

#include "backend/json_text.h"
#include "backend/refusal.h"

namespace sheaf::backend::chat_http {
namespace {

namespace json = boost::json;

constexpr std::size_t kWholeBytesMax = 64U << 20;

std::string_view view(json::string_view text) {
    return {text.data(), text.size()};
}

const json::object* object_member(const json::object& object, std::string_view name) {
    const auto* member = object.if_contains(name);
    return member == nullptr ? nullptr : member->if_object();
}

std::string text_member(const json::object& object, std::string_view name) {
    const auto* member = object.if_contains(name);
    return member != nullptr && member->is_string() ? std::string(view(member->get_string())) : std::string();
}

// A string, or an array of parts whose texts are put together.
std::string content_text(const json::object& message) {
    const auto* content = message.if_contains("content");
    if (content == nullptr || !content->is_array()) return text_member(message, "content");
    std::string text;
    for (const auto& part : content->get_array())
        if (part.is_object()) text += text_member(part.get_object(), "text");
    return text;
}

std::uint64_t count_member(const json::object& object, std::string_view name) {
    const auto* member = object.if_contains(name);
    if (member == nullptr || !member->is_number()) return 0;
    const auto number = member->to_number<double>();
    return number > 0 && number < 1e15 ? static_cast<std::uint64_t>(number) : 0;
}

std::optional<core::Usage> usage_of(const json::object& body) {
    const auto* usage = object_member(body, "usage");
    if (usage == nullptr) return std::nullopt;
    return core::Usage{.input_tokens = count_member(*usage, "prompt_tokens"),
                       .output_tokens = count_member(*usage, "completion_tokens")};
}

Result<json::value> parse_object(std::string_view text) {
    auto document = parse_json(text);
    if (!document) return fail(ErrorCode::invalid, "the model server's answer is not JSON");
    if (!document->is_object()) return fail(ErrorCode::invalid, "the model server's answer is not an object");
    if (const auto* error = document->get_object().if_contains("error");
        error != nullptr && !error->is_null())
        return fail(ErrorCode::invalid, "the model server reported: " + error_message(text));
    return document;
}

// The first choice, or null.
const json::object* first_choice(const json::object& body) {
    const auto* choices = body.if_contains("choices");
    if (choices == nullptr || !choices->is_array() || choices->get_array().empty()) return nullptr;
    return choices->get_array().front().if_object();
}

}  // namespace

Result<Reply> parse_reply(std::string_view body) {
    const auto document = parse_object(body);
    if (!document) return std::unexpected(document.error());
    const auto* choice = first_choice(document->get_object());
    const auto* message = choice == nullptr ? nullptr : object_member(*choice, "message");
    if (message == nullptr) return fail(ErrorCode::invalid, "the model server's answer has no choices");
    return Reply{.text = content_text(*message),
                 .refusal = text_member(*message, "refusal"),
                 .finish = text_member(*choice, "finish_reason"),
                 .usage = usage_of(document->get_object())};
}

Result<> StreamedReply::feed(std::string_view bytes) {
    if (!is_stream_ && !is_whole_) {
        whole_.append(bytes);
        const auto first = whole_.find_first_not_of(" \t\r\n");
        if (first == std::string::npos) return {};
        is_whole_ = whole_[first] == '{';
        is_stream_ = !is_whole_;
        if (is_whole_) return {};
        const auto begun = std::exchange(whole_, {});
        return feed(begun);
    }
    if (is_whole_) {
        if (whole_.size() + bytes.size() > kWholeBytesMax)
            return fail(ErrorCode::too_large, "the answer is too large");
        whole_.append(bytes);
        return {};
    }
    if (auto fed = events_.feed(bytes); !fed) return fed;
    while (const auto event = events_.next())
        if (auto taken = take(event->data); !taken) return taken;
    return {};
}

Result<> StreamedReply::take(const std::string& event) {
    if (is_over_) return {};
    if (event == "[DONE]") {
        is_over_ = true;
        return {};
    }
    const auto document = parse_object(event);
    if (!document) return std::unexpected(document.error());
    const auto& body = document->get_object();
    if (auto usage = usage_of(body)) reply_.usage = usage;
    const auto* choice = first_choice(body);
    if (choice == nullptr) return {};
    if (auto finish = text_member(*choice, "finish_reason"); !finish.empty())
        reply_.finish = std::move(finish);
    const auto* delta = object_member(*choice, "delta");
    if (delta == nullptr) return {};
    reply_.refusal += text_member(*delta, "refusal");
    const auto fragment = content_text(*delta);
    if (fragment.empty()) return {};
    if (reply_.text.size() + fragment.size() > kWholeBytesMax)
        return fail(ErrorCode::too_large, "the answer is too large");
    reply_.text += fragment;
    on_text_(fragment);
    return {};
}

Result<Reply> StreamedReply::finish() {
    if (is_whole_) {
        auto reply = parse_reply(whole_);
        if (reply && !reply->text.empty()) on_text_(reply->text);
        return reply;
    }
    if (!is_over_ && reply_.finish.empty())
        return fail(ErrorCode::invalid, "the model server's answer ended before it was complete");
    return reply_;
}

}  // namespace sheaf::backend::chat_http

#include "backend/refusal.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <ctime>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "backend/json_text.h"

namespace sheaf::backend {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMessageBytesMax = 2000;
constexpr std::size_t kErrorBytesMax = 16 * 1024;
constexpr std::chrono::milliseconds kRetryAfterMax = 1h;

std::string_view view(boost::json::string_view text) {
    return {text.data(), text.size()};
}

std::string on_one_line(std::string text) {
    std::ranges::replace_if(text, [](unsigned char c) { return c < 0x20 || c == 0x7F; }, ' ');
    if (text.size() <= kMessageBytesMax) return text;
    auto end = kMessageBytesMax;
    // Not in the middle of a character.
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    return text.substr(0, end) + "…";
}

void take_out(std::string& text, std::string_view word) {
    for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + 3))
        text.replace(at, word.size(), "***");
}

// Without the key, as it is and as it stands in JSON.
std::string without(std::string text, const Secret& key) {
    if (key.empty()) return text;
    take_out(text, key.reveal());
    const auto quoted = json_text(boost::json::value(key.reveal()));
    take_out(text, std::string_view(quoted).substr(1, quoted.size() - 2));
    return text;
}

// The error object of an answer, or an empty one: the value of "error", or, from older servers, the answer
// itself.
boost::json::object error_object(std::string_view body) {
    auto document = parse_json(body);
    if (!document || !document->is_object()) return {};
    auto& answer = document->get_object();
    if (auto* error = answer.if_contains("error"))
        return error->is_object() ? std::move(error->get_object()) : boost::json::object();
    const auto* object = answer.if_contains("object");
    if (object == nullptr || *object != boost::json::value("error")) return {};
    answer.stable_erase("object");
    return std::move(answer);
}

std::string text_member(const boost::json::object& object, std::string_view name) {
    const auto* member = object.if_contains(name);
    return member != nullptr && member->is_string() ? std::string(view(member->get_string())) : std::string();
}

std::string in_lower_case(std::string_view text) {
    std::string lower(text.substr(0, 16 * 1024));
    std::ranges::transform(lower, lower.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return lower;
}

// The object as JSON, or nothing where it is empty or too much to keep.
std::string kept(const boost::json::object& error, const Secret& key) {
    if (error.empty()) return {};
    auto text = without(json_text(error), key);
    return text.size() <= kErrorBytesMax ? text : std::string();
}

std::string words_of(const http::ClientResponse& response, const Secret& key) {
    // Before it is shortened, or a part of the key could stay.
    return without(error_message(without(response.body, key)), key);
}

std::optional<std::chrono::sys_seconds> parse_http_date(std::string_view text) {
    std::tm parts{};
    const std::string terminated(text);
    const char* end = ::strptime(terminated.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    if (end == nullptr || *end != '\0') return std::nullopt;
    return std::chrono::sys_seconds(std::chrono::seconds(::timegm(&parts)));
}

// It is asked for less, or for later.
bool is_load(int status) {
    return status == 408 || status == 425 || status == 429 || status == 503 || status == 529;
}

core::Outcome broken(std::string message) {
    return core::Broken{{"analysis_failed", std::move(message)}};
}

bool speaks_of_model(int status, const boost::json::object& error, std::string_view words) {
    return text_member(error, "code") == "model_not_found" ||
           (status == 404 && in_lower_case(words).contains("model"));
}

}  // namespace

bool speaks_of_context(std::string_view body) {
    const auto lower = in_lower_case(body);
    static constexpr std::array kSigns{
        "context length",       "context_length",  "context size",
        "context window",       "context_size",    "max_model_len",
        "maximum model length", "too many tokens", "prompt is too long",
        "input is too long",    "token limit",     "exceeds the maximum number of tokens"};
    return std::ranges::any_of(kSigns, [&](const char* sign) { return lower.contains(sign); });
}

std::string error_message(std::string_view body) {
    const auto document = parse_json(body);
    if (!document) return on_one_line(std::string(body.substr(0, 2 * kMessageBytesMax)));
    const boost::json::value* at = &*document;
    for (const auto* name : {"error", "detail", "message"})
        if (at->is_object())
            if (const auto* member = at->get_object().if_contains(name);
                member != nullptr && !member->is_null())
                at = member;
    return on_one_line(at->is_string() ? std::string(view(at->get_string())) : json_text(*at));
}

std::optional<std::chrono::milliseconds> retry_after(const http::Headers& headers, Timestamp now) {
    const auto text = headers.find("retry-after");
    if (!text) return std::nullopt;
    double seconds = 0;
    const auto [end, error] =
        std::from_chars(text->data(), text->data() + text->size(), seconds, std::chars_format::fixed);
    if (error == std::errc() && end == text->data() + text->size()) {
        const auto wait = std::clamp(seconds * 1000, 0.0, static_cast<double>(kRetryAfterMax.count()));
        return std::chrono::milliseconds(static_cast<std::int64_t>(wait));
    }
    const auto until = parse_http_date(*text);
    if (!until) return std::nullopt;
    Timestamp from = now;
    // Against the server's own clock, which need not be ours.
    if (const auto date = headers.find("date"))
        if (const auto sent = parse_http_date(*date)) from = *sent;
    return std::clamp(std::chrono::duration_cast<std::chrono::milliseconds>(*until - from), 0ms,
                      kRetryAfterMax);
}

std::string status_message(const http::ClientResponse& response, const Secret& key) {
    const auto said = words_of(response, key);
    return fmt::format("the model server answered {}{}{}", response.status, said.empty() ? "" : ": ", said);
}

core::Outcome outcome_of_status(const http::ClientResponse& response, const Secret& key, Timestamp now) {
    const int status = response.status;
    // Neither its words, which may hold parts of the key, nor a status that a client would take for its own.
    if (status == 401 || status == 403)
        return broken(
            fmt::format("the model server refused our key ({}); the operator must set a valid one", status));
    const auto error = error_object(response.body);
    const auto message = status_message(response, key);
    core::Failure failure{
        .code = "analysis_failed", .message = message, .status = status, .error = kept(error, key)};
    const bool is_out_of_quota = status == 429 && text_member(error, "code") == "insufficient_quota";
    if (is_load(status) && !is_out_of_quota)
        return core::Overloaded{message, retry_after(response.headers, now), status, failure.error};
    if (is_out_of_quota || status == 409 || status >= 500 || status < 400)
        return core::Broken{std::move(failure)};
    const auto words = words_of(response, key);
    if (!words.empty()) failure.message = words;
    failure.field = text_member(error, "param");
    failure.code = speaks_of_model(status, error, words) ? "model_not_found" : "invalid_request";
    return core::Refused{std::move(failure)};
}

core::Outcome outcome_of_error(const Error& error, std::chrono::milliseconds answer_time, const Secret& key) {
    if (error.code == ErrorCode::timed_out)
        return core::Broken{{"timed_out", fmt::format("the model server did not answer within {} s",
                                                      std::chrono::duration<double>(answer_time).count())}};
    return broken(on_one_line(without(error.message, key)));
}

}  // namespace sheaf::backend

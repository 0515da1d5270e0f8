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

constexpr std::size_t kMessageBytesMax = 300;
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

std::string without(std::string text, const Secret& key) {
    if (key.empty()) return text;
    for (auto at = text.find(key.reveal()); at != std::string::npos; at = text.find(key.reveal(), at + 3))
        text.replace(at, key.reveal().size(), "***");
    return text;
}

std::string error_code(std::string_view body) {
    const auto document = parse_json(body);
    if (!document || !document->is_object()) return {};
    const auto* error = document->get_object().if_contains("error");
    if (error == nullptr || !error->is_object()) return {};
    const auto* code = error->get_object().if_contains("code");
    return code != nullptr && code->is_string() ? std::string(view(code->get_string())) : std::string();
}

bool speaks_of_context(std::string_view body) {
    std::string lower(body.substr(0, 16 * 1024));
    std::ranges::transform(lower, lower.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    static constexpr std::array kSigns{
        "context length",       "context_length",  "context size",
        "context window",       "context_size",    "max_model_len",
        "maximum model length", "too many tokens", "prompt is too long",
        "input is too long",    "token limit",     "exceeds the maximum number of tokens"};
    return std::ranges::any_of(kSigns,
                               [&](const char* sign) { return lower.find(sign) != std::string::npos; });
}

std::optional<std::chrono::sys_seconds> parse_http_date(std::string_view text) {
    std::tm parts{};
    const std::string terminated(text);
    const char* end = ::strptime(terminated.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    if (end == nullptr || *end != '\0') return std::nullopt;
    return std::chrono::sys_seconds(std::chrono::seconds(::timegm(&parts)));
}

core::Outcome broken(std::string message) {
    return core::Broken{{"analysis_failed", std::move(message)}};
}

}  // namespace

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

core::Outcome outcome_of_status(const http::ClientResponse& response, const Secret& key, Timestamp now) {
    const int status = response.status;
    // Before it is shortened, or a part of the key could stay.
    const auto said = without(error_message(without(response.body, key)), key);
    const auto message =
        fmt::format("the model server answered {}{}{}", status, said.empty() ? "" : ": ", said);
    if (status == 401 || status == 403)
        return broken(
            fmt::format("the model server refused our key ({}); the operator must set a valid one", status));
    if (status == 429 && error_code(response.body) == "insufficient_quota") return broken(message);
    if (status == 429 || status == 503 || status == 529)
        return core::Overloaded{message, retry_after(response.headers, now)};
    if (status == 408 || status == 409 || status == 425 || status >= 500 || status < 400)
        return broken(message);
    if (speaks_of_context(response.body)) return core::Refused{{"token_limit_exceeded", message}};
    return core::Refused{{"analysis_failed", message}};
}

core::Outcome outcome_of_error(const Error& error, std::chrono::milliseconds answer_time, const Secret& key) {
    if (error.code == ErrorCode::timed_out)
        return broken(fmt::format("the model server did not answer within {} s",
                                  std::chrono::duration<double>(answer_time).count()));
    return broken(on_one_line(without(error.message, key)));
}

}  // namespace sheaf::backend

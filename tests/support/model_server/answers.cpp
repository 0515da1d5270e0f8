#include "answers.h"

#include <charconv>

#include <fmt/format.h>

namespace model_server {
namespace {

constexpr std::string_view kJson = "application/json";

void add_number(std::uint64_t number, std::string& out) {
    char digits[20];  // NOLINT(*-avoid-c-arrays): what std::to_chars writes to
    out.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

void add_text(const Answer& answer, std::string& out) {
    out += answer.id.empty() ? "This is an answer" : "This is an answer to ";
    out += answer.id;
}

void add_chat(const Answer& answer, std::string& out) {
    out += R"({"id":"chatcmpl-0","object":"chat.completion","created":1700000000,"model":"stand-in",)"
           R"("choices":[{"index":0,"message":{"role":"assistant","content":")";
    add_text(answer, out);
    out += R"("},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":)";
    add_number(answer.prompt_tokens, out);
    out += R"(,"completion_tokens":)";
    add_number(answer.completion_tokens, out);
    out += R"(,"total_tokens":)";
    add_number(answer.prompt_tokens + answer.completion_tokens, out);
    out += R"(,"prompt_tokens_details":{"cached_tokens":)";
    add_number(answer.cached_tokens, out);
    out += "}}}";
}

void add_messages(const Answer& answer, std::string& out) {
    out +=
        R"({"id":"msg_0","type":"message","role":"assistant","model":"stand-in","content":[{"type":"text",)"
        R"("text":")";
    add_text(answer, out);
    out += R"("}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":)";
    add_number(answer.prompt_tokens - answer.cached_tokens, out);
    out += R"(,"cache_read_input_tokens":)";
    add_number(answer.cached_tokens, out);
    out += R"(,"output_tokens":)";
    add_number(answer.completion_tokens, out);
    out += "}}";
}

void add_responses(const Answer& answer, std::string& out) {
    out +=
        R"({"id":"resp_0","object":"response","created_at":1700000000,"status":"completed","model":"stand-in",)"
        R"("output":[{"type":"message","id":"msg_0","status":"completed","role":"assistant","content":[)"
        R"({"type":"output_text","annotations":[],"text":")";
    add_text(answer, out);
    out += R"("}]}],"usage":{"input_tokens":)";
    add_number(answer.prompt_tokens, out);
    out += R"(,"input_tokens_details":{"cached_tokens":)";
    add_number(answer.cached_tokens, out);
    out += R"(},"output_tokens":)";
    add_number(answer.completion_tokens, out);
    out += R"(,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":)";
    add_number(answer.prompt_tokens + answer.completion_tokens, out);
    out += "}}";
}

std::string_view phrase(int status) {
    return status == 200 ? "OK" : status == 429 ? "Too Many Requests" : "Error";
}

}  // namespace

void add_answer(Protocol protocol, const Answer& answer, std::string& out) {
    out += "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ";
    const auto length_at = out.size();
    out += "     \r\n\r\n";
    const auto body_at = out.size();
    switch (protocol) {
        case Protocol::chat_completions:
            add_chat(answer, out);
            break;
        case Protocol::messages:
            add_messages(answer, out);
            break;
        case Protocol::responses:
            add_responses(answer, out);
            break;
    }
    // Blanks behind the number may stand.
    std::to_chars(out.data() + length_at, out.data() + length_at + 5, out.size() - body_at);
}

void add_error(int status, unsigned retry_after_s, std::string& out) {
    const std::string body =
        R"({"type":"error","error":{"message":"as it was told","type":"told","param":null,"code":"told"}})";
    const auto retry = retry_after_s > 0 ? fmt::format("Retry-After: {}\r\n", retry_after_s) : std::string();
    out += fmt::format("HTTP/1.1 {} {}\r\nContent-Type: {}\r\n{}Content-Length: {}\r\n\r\n{}", status,
                       phrase(status), kJson, retry, body.size(), body);
}

void add_response(int status, std::string_view type, std::string_view body, std::string& out) {
    out += fmt::format("HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n", status,
                       phrase(status), type, body.size());
    out += body;
}

}  // namespace model_server

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace model_server {

enum class Protocol { chat_completions, messages, responses };

struct Answer {
    std::string_view id;  // what the request calls itself, told in the text
    std::uint32_t prompt_tokens = 0;
    std::uint32_t cached_tokens = 0;
    std::uint32_t completion_tokens = 0;
};

// Whole HTTP answers, head and body, added to `out`.
void add_answer(Protocol protocol, const Answer& answer, std::string& out);
void add_error(int status, unsigned retry_after_s, std::string& out);  // 0 seconds: tells none
void add_response(int status, std::string_view type, std::string_view body, std::string& out);

}  // namespace model_server

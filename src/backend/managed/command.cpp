#include "backend/managed/command.h"

#include <string_view>

#include "backend/backends.h"

namespace sheaf::backend {

Result<std::vector<std::string>> split_command(std::string_view text) {
    std::vector<std::string> words;
    bool is_in_word = false;
    char quote = 0;
    for (const char c : text) {
        if (quote != 0) {
            if (c == quote)
                quote = 0;
            else
                words.back() += c;
            continue;
        }
        const bool is_blank = c == ' ' || c == '\t' || c == '\n';
        if (!is_blank && !is_in_word) words.emplace_back();
        is_in_word = !is_blank;
        if (c == '"' || c == '\'')
            quote = c;
        else if (!is_blank)
            words.back() += c;
    }
    if (quote != 0) return fail(ErrorCode::invalid, "a quote in the command does not end");
    if (words.empty() || words.front().empty()) return fail(ErrorCode::invalid, "the command is empty");
    return words;
}

namespace managed {

std::vector<std::string> with_port(std::vector<std::string> command, std::uint16_t port) {
    constexpr std::string_view kPlace = "{port}";
    const auto number = std::to_string(port);
    for (auto& word : command)
        for (auto at = word.find(kPlace); at != std::string::npos; at = word.find(kPlace, at + number.size()))
            word.replace(at, kPlace.size(), number);
    return command;
}

std::vector<std::string> without_our_settings(const char* const* environment) {
    std::vector<std::string> kept;
    for (; *environment != nullptr; ++environment)
        if (const std::string_view entry = *environment; !entry.starts_with("SHEAF_"))
            kept.emplace_back(entry);
    return kept;
}

}  // namespace managed

}  // namespace sheaf::backend

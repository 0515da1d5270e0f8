#include "backend/scripted/script.h"

#include <algorithm>
#include <charconv>

namespace sheaf::backend {
namespace {

constexpr std::uint32_t kCountMax = 1'000'000;

std::string_view trim(std::string_view text) {
    constexpr std::string_view kBlank = " \t\r";
    const auto first = text.find_first_not_of(kBlank);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

std::optional<std::uint32_t> parse_count(std::string_view text) {
    if (text.empty()) return 1;
    std::uint32_t count = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return std::min(count, kCountMax);
}

void follow(Script& script, std::string_view line) {
    constexpr std::string_view kMark = "sheaf:";
    if (!line.starts_with(kMark)) return;
    line.remove_prefix(kMark.size());
    const auto space = line.find_first_of(" \t");
    const auto verb = line.substr(0, space);
    const auto rest = space == std::string_view::npos ? std::string_view{} : trim(line.substr(space));
    if (verb == "answer") script.answer = std::string(rest);
    if (verb == "fail") script.fails = true;
    if (verb == "length") script.is_cut = true;
    const auto count = parse_count(rest);
    if (!count) return;
    if (verb == "broken") script.broken = *count;
    if (verb == "overload") script.overloads = *count;
    if (verb == "delay") script.delay = std::chrono::milliseconds(*count);
}

}  // namespace

Script parse_script(std::string_view prompt) {
    Script script;
    while (!prompt.empty()) {
        const auto end = prompt.find('\n');
        follow(script, trim(prompt.substr(0, end)));
        prompt.remove_prefix(end == std::string_view::npos ? prompt.size() : end + 1);
    }
    return script;
}

std::string scripted_words(const core::VideoAnalysis& analysis) {
    std::string words = analysis.prompt.text;
    if (const auto* segments = std::get_if<core::SegmentsOutput>(&analysis.output))
        for (const auto& definition : segments->definitions) words += "\n" + definition.description;
    return words;
}

}  // namespace sheaf::backend

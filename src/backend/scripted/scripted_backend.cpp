#include <algorithm>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "async/timer.h"
#include "backend/backends.h"
#include "backend/invented.h"
#include "backend/json_answer.h"
#include "backend/json_text.h"
#include "backend/scripted/script.h"
#include "backend/segments_answer.h"
#include "backend/window.h"
#include "base/hash.h"

namespace sheaf::backend {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kItemsKnownMax = 100'000;
constexpr milliseconds kOverloadWait{100};
constexpr Bounds kNoVideo{0, 60};

std::string replace_all(std::string text, std::string_view what, std::string_view with) {
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
        text.replace(at, what.size(), with);
    return text;
}

// Uniform in [0, 1), the same for the same words.
double draw(std::uint64_t seed, std::string_view purpose, std::string_view item, std::uint32_t attempt,
            std::uint32_t overloads) {
    const auto digest = sha256(fmt::format("{}\n{}\n{}\n{}\n{}", seed, purpose, attempt, overloads, item));
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < 8; ++i) bits = bits << 8 | digest[i];
    return static_cast<double>(bits >> 11) / static_cast<double>(std::uint64_t{1} << 53);
}

core::Outcome output_invalid(std::string message) {
    return core::Refused{{"output_invalid", std::move(message)}};
}

// Ends of the words of `text`, blanks included.
std::vector<std::string_view> words_of(std::string_view text) {
    std::vector<std::string_view> words;
    while (!text.empty()) {
        const auto space = text.find(' ');
        const auto count = space == std::string_view::npos ? text.size() : space + 1;
        words.push_back(text.substr(0, count));
        text.remove_prefix(count);
    }
    return words;
}

std::string first_half(const std::string& text) {
    auto end = text.size() / 2;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    return text.substr(0, end);
}

class ScriptedBackend final : public Backend {
public:
    explicit ScriptedBackend(ScriptedOptions options) : options_(std::move(options)) {}

    async::Task<core::Outcome> run(Job job) override {
        const auto& analysis = std::get<core::VideoAnalysis>(job.inference);
        const std::string words = scripted_words(analysis);
        const Script script = parse_script(words);
        const std::string item = job.custom_id.value_or("") + "\n" + words;
        const auto known = overloads_.find(item);
        const std::uint32_t overloads = known == overloads_.end() ? 0 : known->second;
        const auto chance = [&](std::string_view purpose) {
            return draw(options_.seed, purpose, item, purpose == "fail" ? 0 : job.attempt, overloads);
        };

        milliseconds wait = script.delay.value_or(options_.delay);
        if (!script.delay && options_.delay_spread.count() > 0)
            wait += milliseconds(static_cast<std::int64_t>(
                static_cast<double>(options_.delay_spread.count()) * chance("delay")));
        const bool is_streamed = static_cast<bool>(job.on_text);
        if (wait.count() > 0) co_await async::sleep_for(is_streamed ? wait / 2 : wait);

        if (overloads < script.overloads ||
            (script.overloads == 0 && chance("overload") < options_.overload_rate)) {
            if (overloads_.size() >= kItemsKnownMax) overloads_.clear();
            overloads_[item] = overloads + 1;
            co_return core::Overloaded{"scripted overload", kOverloadWait};
        }
        if (job.attempt <= script.broken || (script.broken == 0 && chance("broken") < options_.broken_rate))
            co_return core::Broken{{"analysis_failed", "scripted fault"}};
        overloads_.erase(item);
        if (script.fails || chance("fail") < options_.fail_rate)
            co_return core::Refused{{"analysis_failed", "scripted failure"}};

        auto outcome = answer(job, analysis, script);
        if (const auto* good = std::get_if<core::Answer>(&outcome); good != nullptr && is_streamed) {
            const auto parts = words_of(good->text);
            const auto pause =
                parts.empty() ? milliseconds{0} : wait / 2 / static_cast<std::int64_t>(parts.size());
            for (const auto part : parts) {
                if (pause.count() > 0) co_await async::sleep_for(pause);
                job.on_text(part);
            }
        }
        co_return outcome;
    }

private:
    core::Outcome answer(const Job& job, const core::VideoAnalysis& analysis, const Script& script) const {
        std::string text;
        if (const auto* json = std::get_if<core::JsonOutput>(&analysis.output)) {
            auto settled = json_document(*json, job, script);
            if (!settled) return output_invalid(settled.error().message);
            text = *std::move(settled);
        } else if (const auto* segments = std::get_if<core::SegmentsOutput>(&analysis.output)) {
            if (script.is_cut)
                return output_invalid("the answer was cut before it was complete (sheaf:length)");
            Result<Bounds> window = kNoVideo;
            if (job.video) window = analysis_window(analysis, job.video->info());
            if (!window) return core::Refused{{"analysis_failed", window.error().message}};
            auto settled = settle_segments_answer(
                *segments, *window,
                script.answer ? *script.answer : json_text(invented_segments(*segments, *window)));
            if (!settled) return output_invalid(settled.error().message);
            text = *std::move(settled);
        } else {
            text = filled(script.answer.value_or(options_.answer), job, analysis);
        }
        core::Answer made{
            .text = std::move(text), .finish = core::FinishReason::stop, .truncation = {}, .usage = {}};
        if (script.is_cut) {
            made.text = first_half(made.text);
            made.finish = core::FinishReason::length;
            made.truncation = "the answer was cut by its prompt (sheaf:length)";
        }
        made.usage = {.input_tokens = scripted_words(analysis).size() / 4 + 1,
                      .output_tokens = made.text.size() / 4 + 1};
        return made;
    }

    Result<std::string> json_document(const core::JsonOutput& output, const Job& job,
                                      const Script& script) const {
        const auto rules = JsonAnswer::make(output.schema);
        if (!rules) return std::unexpected(rules.error());
        if (script.answer) return rules->settle(*script.answer);
        const auto& analysis = std::get<core::VideoAnalysis>(job.inference);
        // The configured answer serves where it happens to fit.
        if (auto settled = rules->settle(filled(options_.answer, job, analysis))) return settled;
        return rules->settle(json_text(invented_document(rules->schema_for_model())));
    }

    static std::string filled(std::string text, const Job& job, const core::VideoAnalysis& analysis) {
        text = replace_all(std::move(text), "{custom_id}", job.custom_id.value_or(""));
        text = replace_all(std::move(text), "{attempt}", std::to_string(job.attempt));
        return replace_all(std::move(text), "{prompt}", analysis.prompt.text);
    }

    ScriptedOptions options_;
    // How often each item was told to slow down: attempts do not count those.
    std::unordered_map<std::string, std::uint32_t> overloads_;
};

}  // namespace

std::unique_ptr<Backend> make_scripted_backend(ScriptedOptions options) {
    return std::make_unique<ScriptedBackend>(std::move(options));
}

}  // namespace sheaf::backend

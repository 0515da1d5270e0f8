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
#include "backend/scripted/scripted_chat.h"
#include "backend/scripted/scripted_embeddings.h"
#include "backend/segments_answer.h"
#include "backend/token_estimate.h"
#include "backend/window.h"
#include "base/hash.h"
#include "protocol/ids.h"
#include "protocol/translation.h"

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

std::string first_half(const std::string& text) {
    auto end = text.size() / 2;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    return text.substr(0, end);
}

core::Outcome refused(std::string code, std::string message) {
    return core::Refused{{std::move(code), std::move(message)}};
}

core::Outcome refused_request(const Error& error) {
    return core::Refused{{.code = "invalid_request", .message = error.message, .field = error.field}};
}

core::Answer answer_of(protocol::Reply reply) {
    return {.text = {},
            .finish = core::FinishReason::stop,
            .truncation = {},
            .reply = std::move(reply.body),
            .usage = reply.usage};
}

// What a job says, in whatever form.
struct Asked {
    std::string words;   // in which directives are looked for
    std::string prompt;  // for {prompt}
    // Of a model request.
    std::optional<ChatRequest> chat;
    std::optional<EmbeddingsRequest> embeddings;
};

Result<Asked> read_asked(const core::Inference& inference) {
    if (const auto* analysis = std::get_if<core::VideoAnalysis>(&inference))
        return Asked{.words = scripted_words(*analysis), .prompt = analysis->prompt.text};
    const auto& request = std::get<core::ModelRequest>(inference);
    if (request.protocol == core::Protocol::embeddings) {
        auto embeddings = read_embeddings_request(request.body);
        if (!embeddings) return std::unexpected(embeddings.error());
        std::string words;
        for (const auto& input : embeddings->inputs) words += input + "\n";
        return Asked{.words = words, .prompt = words, .embeddings = *std::move(embeddings)};
    }
    auto chat = read_chat_request(request);
    if (!chat) return std::unexpected(chat.error());
    return Asked{.words = chat->prompt, .prompt = chat->prompt, .chat = *std::move(chat)};
}

bool streams(const Job& job) {
    const auto* request = std::get_if<core::ModelRequest>(&job.inference);
    const bool in_one_piece =
        request != nullptr && (request->counts_tokens || request->protocol == core::Protocol::embeddings);
    return job.on_text && !in_one_piece;
}

class ScriptedBackend final : public Backend {
public:
    explicit ScriptedBackend(ScriptedOptions options) : options_(std::move(options)) {}

    async::Task<core::Outcome> run(Job job) override {
        const auto asked = read_asked(job.inference);
        if (!asked) co_return refused_request(asked.error());
        const Script script = parse_script(asked->words);
        const std::string item = job.custom_id.value_or("") + "\n" + asked->words;
        const auto known = overloads_.find(item);
        const std::uint32_t overloads = known == overloads_.end() ? 0 : known->second;
        const auto chance = [&](std::string_view purpose) {
            return draw(options_.seed, purpose, item, purpose == "fail" ? 0 : job.attempt, overloads);
        };

        milliseconds wait = script.delay.value_or(options_.delay);
        if (!script.delay && options_.delay_spread.count() > 0)
            wait += milliseconds(static_cast<std::int64_t>(
                static_cast<double>(options_.delay_spread.count()) * chance("delay")));
        // Of a stream, half passes before the first word.
        const auto silence = streams(job) ? wait / 2 : wait;
        if (silence.count() > 0) co_await async::sleep_for(silence);

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
            co_return refused("analysis_failed", "scripted failure");
        if (std::holds_alternative<core::VideoAnalysis>(job.inference))
            co_return co_await analyse(job, script, wait / 2);
        co_return co_await reply(job, *asked, script, wait / 2);
    }

private:
    // `time` is what a stream takes from its first word to its last.
    async::Task<core::Outcome> analyse(const Job& job, const Script& script, milliseconds time) const {
        auto outcome = answer(job, std::get<core::VideoAnalysis>(job.inference), script);
        if (const auto* good = std::get_if<core::Answer>(&outcome); good != nullptr && job.on_text) {
            const auto words = words_of(good->text);
            for (const auto word : words) {
                co_await pause(time, words.size());
                job.on_text(word);
            }
        }
        co_return outcome;
    }

    async::Task<core::Outcome> reply(const Job& job, const Asked& asked, const Script& script,
                                     milliseconds time) const {
        const auto& request = std::get<core::ModelRequest>(job.inference);
        const auto tokens = estimated_request_tokens(request.body);
        if (request.counts_tokens)
            co_return answer_of({.body = fmt::format(R"({{"input_tokens":{}}})", tokens), .usage = {}});
        if (asked.embeddings)
            co_return translated(core::Protocol::embeddings, request,
                                 embeddings_list(*asked.embeddings, request.model, tokens));
        const auto made = chat_reply(job, asked, script, tokens);
        if (!streams(job))
            co_return translated(core::Protocol::chat_completions, request, chat_completion(made));
        const auto translator = protocol::make_stream_translator(
            core::Protocol::chat_completions, request.protocol, request.body, request.model);
        const auto events = chat_events(made);
        for (const auto& event : events) {
            co_await pause(time, events.size());
            const auto fed = translator->feed(event);
            if (!fed) co_return core::Broken{{"analysis_failed", fed.error().message}};
            if (!fed->empty()) job.on_text(*fed);
        }
        auto end = translator->finish();
        if (!end) co_return core::Broken{{"analysis_failed", end.error().message}};
        if (!end->events.empty()) job.on_text(end->events);
        co_return answer_of(std::move(end->reply));
    }

    static core::Outcome translated(core::Protocol from, const core::ModelRequest& request,
                                    std::string_view reply) {
        auto whole = protocol::translate_reply(from, request.protocol, reply, request.body, request.model);
        if (!whole) return core::Broken{{"analysis_failed", whole.error().message}};
        return answer_of(*std::move(whole));
    }

    static async::Task<void> pause(milliseconds time, std::size_t parts) {
        const auto part = time / static_cast<std::int64_t>(std::max<std::size_t>(parts, 1));
        if (part.count() > 0) co_await async::sleep_for(part);
    }

    ChatReply chat_reply(const Job& job, const Asked& asked, const Script& script,
                         std::uint64_t input_tokens) const {
        ChatReply made{.id = protocol::make_id("chatcmpl-"),
                       .model = core::model_of(job.inference),
                       .text = filled(script.answer.value_or(options_.answer), job, asked.prompt),
                       .called = asked.chat->forced_tool,
                       .is_cut = script.is_cut,
                       .usage = {}};
        if (asked.chat->wants_json && !script.answer)
            made.text = asked.chat->schema ? json_text(invented_document(*asked.chat->schema)) : "{}";
        if (script.is_cut) made.text = first_half(made.text);
        made.usage = {.input_tokens = input_tokens, .output_tokens = made.text.size() / 4 + 1};
        return made;
    }

    core::Outcome answer(const Job& job, const core::VideoAnalysis& analysis, const Script& script) const {
        std::string text;
        if (const auto* json = std::get_if<core::JsonOutput>(&analysis.output)) {
            auto settled = json_document(*json, job, script);
            if (!settled) return refused("output_invalid", settled.error().message);
            text = *std::move(settled);
        } else if (const auto* segments = std::get_if<core::SegmentsOutput>(&analysis.output)) {
            if (script.is_cut)
                return refused("output_invalid", "the answer was cut before it was complete (sheaf:length)");
            Result<Bounds> window = kNoVideo;
            if (job.video) window = analysis_window(analysis, job.video->info());
            if (!window) return refused("analysis_failed", window.error().message);
            auto settled = settle_segments_answer(
                *segments, *window,
                script.answer ? *script.answer : json_text(invented_segments(*segments, *window)));
            if (!settled) return refused("output_invalid", settled.error().message);
            text = *std::move(settled);
        } else {
            text = filled(script.answer.value_or(options_.answer), job, analysis.prompt.text);
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
        if (auto settled = rules->settle(filled(options_.answer, job, analysis.prompt.text))) return settled;
        return rules->settle(json_text(invented_document(rules->schema_for_model())));
    }

    static std::string filled(std::string text, const Job& job, const std::string& prompt) {
        text = replace_all(std::move(text), "{custom_id}", job.custom_id.value_or(""));
        text = replace_all(std::move(text), "{attempt}", std::to_string(job.attempt));
        return replace_all(std::move(text), "{prompt}", prompt);
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

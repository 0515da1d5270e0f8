#include "backend/chat_http/video_analyst.h"

#include <algorithm>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "backend/chat_http/prompt.h"
#include "backend/chat_http/reply.h"
#include "backend/refusal.h"
#include "backend/segments_answer.h"
#include "backend/window.h"
#include "jsonl/writer.h"

namespace sheaf::backend::chat_http {
namespace {

// Below this there is no use in asking: nothing could be said.
constexpr std::uint64_t kAnswerTokensMin = 64;

core::Outcome refused(std::string code, std::string message) {
    return core::Refused{{std::move(code), std::move(message)}};
}

core::Outcome outcome_of_media_error(const Error& error) {
    switch (error.code) {
        case ErrorCode::invalid:
        case ErrorCode::corrupt:
            return refused("video_file_broken", error.message);
        case ErrorCode::timed_out:
        case ErrorCode::too_large:
        case ErrorCode::denied:
        case ErrorCode::not_found:
            return refused("analysis_failed", error.message);
        case ErrorCode::conflict:
        case ErrorCode::exhausted:
        case ErrorCode::no_space:
        case ErrorCode::unavailable:
        case ErrorCode::canceled:
        case ErrorCode::internal:
            break;
    }
    return core::Broken{{"analysis_failed", error.message}};
}

bool is_json(const http::Headers& headers) {
    const auto type = headers.find("content-type");
    // Without a type the body speaks for itself.
    return !type || type->find("json") != std::string_view::npos;
}

bool is_event_stream(const http::Headers& headers) {
    const auto type = headers.find("content-type");
    return !type || type->starts_with("text/event-stream") || is_json(headers);
}

class VideoAnalyst final : public Backend {
public:
    VideoAnalyst(Servers& servers, std::string model, SamplingOptions sampling)
        : servers_(&servers), model_(std::move(model)), sampling_(sampling) {}

    async::Task<core::Outcome> run(Job job) override {
        const auto& analysis = std::get<core::VideoAnalysis>(job.inference);
        if (!job.video) co_return refused("video_file_broken", "there is no video to look at");
        const auto& info = job.video->info();
        const auto window = analysis_window(analysis, info);
        if (!window) co_return refused("analysis_failed", window.error().message);

        std::optional<JsonAnswer> json;
        if (const auto* output = std::get_if<core::JsonOutput>(&analysis.output)) {
            auto made = JsonAnswer::make(output->schema);
            if (!made) co_return refused("output_invalid", made.error().message);
            json = *std::move(made);
        }

        const auto frames = co_await job.video->frames(sampling(analysis));
        if (!frames) co_return outcome_of_media_error(frames.error());
        if ((*frames)->frames.empty())
            co_return refused("analysis_failed", "the window to analyse holds no picture");

        const Question question{analysis, info, **frames, job.images, *window, json ? &*json : nullptr};
        const auto answer_tokens = tokens_for_answer(question);
        if (!answer_tokens) co_return refused("token_limit_exceeded", answer_tokens.error().message);
        Request request{.messages = chat_http::messages(question),
                        .response_format = chat_http::response_format(analysis.output, question.json),
                        .temperature = analysis.temperature,
                        .max_tokens = *answer_tokens,
                        .prefix = job.prefix};
        if (std::holds_alternative<core::TextOutput>(analysis.output)) {
            co_return co_await run_text(question, request, job.on_text);
        }
        auto outcome = co_await run_checked(question, std::move(request));
        // A document is not known to be right before its end, so it comes in one piece.
        if (const auto* answer = std::get_if<core::Answer>(&outcome); answer != nullptr && job.on_text)
            job.on_text(answer->text);
        co_return outcome;
    }

private:
    struct Request {
        std::string messages;
        std::string response_format;
        double temperature = 0;
        std::uint64_t max_tokens = 0;
        std::uint64_t prefix = 0;
    };
    using Sent = std::variant<Reply, core::Outcome>;

    media::FrameRequest sampling(const core::VideoAnalysis& analysis) const {
        media::FrameRequest request;
        request.start = analysis.start_time;
        request.end = analysis.end_time;
        request.frames_per_second = sampling_.frames_per_second;
        request.count_max = sampling_.frames_max;
        request.long_edge_max = sampling_.long_edge_max;
        return request;
    }

    // What is left of the model's context, where it is known; a client's limit is often far above it.
    Result<std::uint64_t> tokens_for_answer(const Question& question) const {
        const std::uint64_t asked = question.analysis.max_tokens;
        if (sampling_.context_tokens == 0) return asked;
        const auto input = estimated_input_tokens(question);
        if (input + kAnswerTokensMin > sampling_.context_tokens)
            return fail(ErrorCode::too_large,
                        fmt::format("the video and the words take about {} tokens, and the model "
                                    "has room for {}",
                                    input, sampling_.context_tokens));
        return std::min<std::uint64_t>(asked, sampling_.context_tokens - input);
    }

    std::string body_of(const Request& request, bool is_streamed) const {
        jsonl::Writer json;
        json.open_object().member("model", model_).member_raw("messages", "[" + request.messages + "]");
        json.member("temperature", request.temperature).member("max_tokens", request.max_tokens);
        if (!request.response_format.empty()) json.member_raw("response_format", request.response_format);
        if (is_streamed)
            json.member("stream", true).member_raw("stream_options", R"({"include_usage":true})");
        return json.close_object().take();
    }

    ServerCall call(const Request& request, bool is_streamed) const {
        return {.path = "/chat/completions",
                .headers = {},
                .body = body_of(request, is_streamed),
                .prefix = request.prefix};
    }

    // We wrote the request, so what is wrong with it is not the client's to mend, but for its size.
    core::Outcome outcome_without_reply(const http::ClientResponse& response) const {
        auto outcome = servers_->outcome_of(response);
        if (std::holds_alternative<core::Refused>(outcome))
            return refused(speaks_of_context(response.body) ? "token_limit_exceeded" : "analysis_failed",
                           status_message(response, servers_->options().key));
        return outcome;
    }

    core::Outcome broken(const Error& error) const { return servers_->outcome_of(error); }

    async::Task<Sent> send(const Request& request) {
        auto response = co_await servers_->send(call(request, false));
        if (!response) co_return broken(response.error());
        if (response->status != 200) co_return outcome_without_reply(*response);
        if (!is_json(response->headers))
            co_return broken(
                Error{ErrorCode::invalid, "the model server answered with something that is not JSON", {}});
        auto reply = parse_reply(response->body);
        if (!reply) co_return broken(reply.error());
        co_return *std::move(reply);
    }

    async::Task<Sent> send_streaming(const Request& request,
                                     const std::function<void(std::string_view)>& on_text) {
        StreamedReply streamed(on_text);
        std::optional<Error> fault;
        auto response = co_await servers_->send_streaming(call(request, true), [&](std::string_view bytes) {
            auto fed = streamed.feed(bytes);
            if (!fed) fault = fed.error();
            return fed.has_value();
        });
        if (fault) co_return broken(*fault);
        if (!response) co_return broken(response.error());
        if (response->status != 200) co_return outcome_without_reply(*response);
        if (!is_event_stream(response->headers))
            co_return broken(
                Error{ErrorCode::invalid, "the model server answered with something that is no stream", {}});
        auto reply = streamed.finish();
        if (!reply) co_return broken(reply.error());
        co_return *std::move(reply);
    }

    static core::Usage usage_of(const Question& question, const Reply& reply) {
        if (reply.usage) return *reply.usage;
        return {.input_tokens = estimated_input_tokens(question),
                .output_tokens = estimated_tokens(reply.text)};
    }

    // What is no text at all, whatever was asked for.
    static std::optional<core::Outcome> outcome_without_text(const Reply& reply) {
        if (!reply.refusal.empty())
            return refused("analysis_failed", "the model refused: " + error_message(reply.refusal));
        if (reply.finish == "content_filter")
            return refused("analysis_failed", "the model server's content filter withheld the answer");
        if (reply.text.empty() && reply.finish != "length")
            return core::Broken{{"analysis_failed", "the model server's answer is empty"}};
        return std::nullopt;
    }

    static core::Answer answer_of(std::string text, const Reply& reply, core::Usage usage,
                                  std::uint64_t max_tokens) {
        core::Answer answer{
            .text = std::move(text), .finish = core::FinishReason::stop, .truncation = {}, .usage = usage};
        if (reply.finish == "length") {
            answer.finish = core::FinishReason::length;
            answer.truncation = fmt::format("the answer reached the limit of {} tokens", max_tokens);
        }
        return answer;
    }

    async::Task<core::Outcome> run_text(const Question& question, const Request& request,
                                        const std::function<void(std::string_view)>& on_text) {
        Sent sent = on_text ? co_await send_streaming(request, on_text) : co_await send(request);
        if (auto* outcome = std::get_if<core::Outcome>(&sent)) co_return std::move(*outcome);
        auto& reply = std::get<Reply>(sent);
        if (auto outcome = outcome_without_text(reply)) co_return *std::move(outcome);
        const auto usage = usage_of(question, reply);
        co_return answer_of(std::move(reply.text), reply, usage, request.max_tokens);
    }

    static Result<std::string> settle(const Question& question, std::string_view text) {
        if (const auto* segments = std::get_if<core::SegmentsOutput>(&question.analysis.output))
            return settle_segments_answer(*segments, question.window, text);
        return question.json->settle(text);
    }

    // Asks, checks, and asks once more with the reasons when the answer will not do.
    async::Task<core::Outcome> run_checked(const Question& question, Request request) {
        const bool is_segments = std::holds_alternative<core::SegmentsOutput>(question.analysis.output);
        core::Usage usage;
        std::string reason;
        for (int turn = 0; turn < 2; ++turn) {
            Sent sent = co_await send(request);
            if (auto* outcome = std::get_if<core::Outcome>(&sent)) {
                // The longer conversation may be refused where the first was not: then the first reason
                // stands.
                if (turn > 0 && std::holds_alternative<core::Refused>(*outcome)) break;
                co_return std::move(*outcome);
            }
            auto& reply = std::get<Reply>(sent);
            if (auto outcome = outcome_without_text(reply)) co_return *std::move(outcome);
            const auto spent = usage_of(question, reply);
            usage.input_tokens += spent.input_tokens;
            usage.output_tokens += spent.output_tokens;
            auto settled = settle(question, reply.text);
            if (settled) co_return answer_of(*std::move(settled), reply, usage, request.max_tokens);
            if (reply.finish == "length") {
                if (!is_segments)
                    co_return answer_of(std::move(reply.text), reply, usage, request.max_tokens);
                co_return refused("output_invalid",
                                  fmt::format("the answer reached the limit of {} tokens before it was "
                                              "complete",
                                              request.max_tokens));
            }
            reason = settled.error().message;
            request.messages += repair_turns(reply.text, reason);
        }
        co_return refused("output_invalid", "the model's answer does not follow the asked format: " + reason);
    }

    Servers* servers_;
    std::string model_;
    SamplingOptions sampling_;
};

}  // namespace

std::unique_ptr<Backend> make_video_analyst(Servers& servers, std::string model, SamplingOptions sampling) {
    return std::make_unique<VideoAnalyst>(servers, std::move(model), sampling);
}

}  // namespace sheaf::backend::chat_http

#include "dialect/openai/failures.h"

#include <fmt/format.h>

#include "dialect/openai/errors.h"
#include "jsonl/document.h"
#include "jsonl/splitter.h"
#include "jsonl/writer.h"

namespace sheaf::dialect::openai {
namespace {

namespace dom = simdjson::dom;

constexpr int kRetryAfterSeconds = 5;

std::string_view type_of(int status) {
    return status >= 500 ? type::kServer : type::kInvalidRequest;
}

// Our own words as an answer; nullopt for those that stand for none.
std::optional<Problem> to_problem(const core::Failure& failure) {
    if (failure.code == "invalid_request")
        return Problem{400, std::string(type::kInvalidRequest), message_of(failure), failure.field};
    if (failure.code == "model_not_found")
        return Problem{404, std::string(type::kInvalidRequest), message_of(failure), "model",
                       std::string(code::kModelNotFound)};
    if (failure.code == "overloaded")
        return Problem{503, std::string(type::kServer), message_of(failure), {}, {}, kRetryAfterSeconds};
    return std::nullopt;
}

// The error object of a model server with the keys that it left out; empty when it is none of ours.
std::string complete_error(const core::Failure& failure) {
    if (failure.error.empty()) return {};
    const auto document = jsonl::Document::parse(failure.error);
    dom::object error;
    std::string_view message;
    if (!document || document->root().get(error) != simdjson::SUCCESS ||
        error["message"].get(message) != simdjson::SUCCESS)
        return {};
    jsonl::Writer json;
    json.open_object();
    for (const auto& [key, value] : error) json.member_raw(key, simdjson::minify(value));
    const auto has = [&](std::string_view key) { return error.at_key(key).error() == simdjson::SUCCESS; };
    if (!has("type")) json.member("type", type_of(failure.status));
    if (!has("param")) json.member_null("param");
    if (!has("code")) json.member_null("code");
    json.close_object();
    return json.take();
}

std::string wrap(std::string_view error) {
    jsonl::Writer json;
    return json.open_object().member_raw("error", error).close_object().take();
}

Problem to_unanswered(const core::Ending& ending) {
    const auto* const failed = std::get_if<core::Failed>(&ending);
    if (failed == nullptr) return {503, std::string(type::kServer), "The call was canceled; try again."};
    const int status = failed->failure.code == "timed_out" ? 504 : 500;
    return {status, std::string(type::kServer), message_of(failed->failure)};
}

}  // namespace

std::optional<FailedAnswer> to_answer(const core::Failure& failure) {
    if (failure.status >= 400 && failure.status <= 599) {
        if (const std::string error = complete_error(failure); !error.empty())
            return FailedAnswer{failure.status, wrap(error)};
        const Problem problem{failure.status, std::string(type_of(failure.status)), message_of(failure),
                              failure.field};
        return FailedAnswer{failure.status, render_problem(problem)};
    }
    const auto problem = to_problem(failure);
    if (!problem) return std::nullopt;
    return FailedAnswer{problem->status, render_problem(*problem)};
}

http::Response to_response(const core::Ending& ending) {
    const auto* const failed = std::get_if<core::Failed>(&ending);
    const auto answer = failed != nullptr ? to_answer(failed->failure) : std::nullopt;
    if (!answer) return to_response(to_unanswered(ending));
    http::Response response = json_response(answer->body);
    response.status = answer->status;
    if (answer->status == 429 || answer->status == 503)
        response.headers.add("Retry-After", std::to_string(kRetryAfterSeconds));
    return response;
}

std::string to_event(const core::Ending& ending) {
    const auto* const failed = std::get_if<core::Failed>(&ending);
    const auto answer = failed != nullptr ? to_answer(failed->failure) : std::nullopt;
    return fmt::format("data: {}\n\n", answer ? answer->body : render_problem(to_unanswered(ending)));
}

std::string message_of(const core::Failure& failure) {
    return failure.message.empty() ? "The request failed." : failure.message;
}

}  // namespace sheaf::dialect::openai

#include "dialect/sail/errors.h"

#include <fmt/format.h>

#include "dialect/sail/members.h"

namespace sheaf::dialect::sail {
namespace {

constexpr std::string_view kInvalidRequest = "invalid_request_error";
constexpr std::string_view kServerError = "server_error";
constexpr int kOverloadedRetrySeconds = 10;

// A code may be a number, too.
std::string word_in(const Members& members, std::string_view name, std::string otherwise) {
    const auto text = members.find(name);
    if (!text) return otherwise;
    if (auto word = string_in(*text)) return *word;
    return text->starts_with('{') || text->starts_with('[') ? otherwise : std::string(*text);
}

int status_of(const core::Failure& failure) {
    if (failure.code == "invalid_request" || failure.code == "model_not_found") return 400;
    if (failure.code == "overloaded") return 503;
    if (failure.code == "timed_out") return 504;
    if (failure.code == "internal_server_error") return 500;
    return 502;
}

}  // namespace

std::unexpected<ErrorObject> refuse(std::string_view code, std::string param, std::string message) {
    return std::unexpected(ErrorObject{.status = 400,
                                       .type = std::string(kInvalidRequest),
                                       .message = std::move(message),
                                       .code = std::string(code),
                                       .param = std::move(param)});
}

std::unexpected<ErrorObject> refuse_missing(std::string param) {
    std::string message = fmt::format("Missing required parameter: '{}'.", param);
    return refuse(code::kMissing, std::move(param), std::move(message));
}

std::unexpected<ErrorObject> refuse(const Error& error) {
    return std::unexpected(to_problem(error));
}

std::unexpected<ErrorObject> refuse_unknown() {
    return std::unexpected(ErrorObject{
        .status = 404, .type = "not_found_error", .message = "The batch or request was not found."});
}

ErrorObject to_problem(const Error& error) {
    if (error.code == ErrorCode::not_found) return refuse_unknown().error();
    return to_error_object(error);
}

ErrorObject to_problem(const core::Ending& ending) {
    const auto* const failed = std::get_if<core::Failed>(&ending);
    if (failed == nullptr) return to_error_object({ErrorCode::unavailable, "The call was stopped.", {}});
    ErrorObject problem = to_item_error(failed->failure);
    problem.status = status_of(failed->failure);
    if (problem.status == 503) problem.retry_after_s = kOverloadedRetrySeconds;
    return problem;
}

ErrorObject to_item_error(const core::Failure& failure) {
    const bool is_callers = failure.code == "invalid_request" || failure.code == "model_not_found";
    ErrorObject error{.type = std::string(is_callers ? kInvalidRequest : kServerError),
                      .message = failure.message.empty() ? "The request failed." : failure.message,
                      .code = is_callers ? failure.code : std::string(kServerError),
                      .param = failure.field};
    const auto theirs = Members::of(failure.error);
    if (!theirs) return error;
    error.type = word_in(*theirs, "type", error.type);
    error.message = word_in(*theirs, "message", error.message);
    error.code = word_in(*theirs, "code", error.code);
    error.param = word_in(*theirs, "param", error.param);
    return error;
}

}  // namespace sheaf::dialect::sail

#include "dialect/openai/gate.h"

#include <gtest/gtest.h>

#include "dialect/openai/testing_world.h"

namespace sheaf::dialect::openai {
namespace {

class OpenAiGate : public OpenAiWorld {
protected:
    int status_with(std::string bearer, std::string other_header_key) {
        http::Headers headers;
        if (!bearer.empty()) headers.add("Authorization", std::move(bearer));
        return call({.target = "/models", .headers = std::move(headers), .key = std::move(other_header_key)})
            .status;
    }
};

TEST_F(OpenAiGate, TakesABearerTokenBeforeAnyOtherKey) {
    EXPECT_EQ(status_with("Bearer " + key, "none"), 200);
    EXPECT_EQ(status_with("bearer  " + key, "none"), 200);
    EXPECT_EQ(status_with("Bearer nonsense", key), 401);
    EXPECT_EQ(status_with("Bearer " + key, "nonsense"), 200);
    EXPECT_EQ(status_with("", key), 200);
    EXPECT_EQ(status_with("", "none"), 401);
}

TEST_F(OpenAiGate, ReadsNoBodyBeforeTheKeyIsKnown) {
    const Answered answered =
        call({.method = "POST", .target = "/chat/completions", .body = "{", .key = "none"});
    EXPECT_EQ(answered.status, 401);
    EXPECT_FALSE(answered.body_was_read);
}

TEST_F(OpenAiGate, GivesEveryAnswerAnIdOfItsOwn) {
    EXPECT_NE(get("/models").headers.find("x-request-id"), get("/models").headers.find("x-request-id"));
}

std::string shown(const Error& error) {
    const http::Response response = to_response(to_problem(error));
    const std::string body = std::get<std::string>(response.body);
    return fmt::format("{} {} {} {} retry {}/{}", response.status, text_at(body, "/error/type"),
                       text_at(body, "/error/param"), text_at(body, "/error/code"),
                       response.headers.find("x-should-retry").value_or("-"),
                       response.headers.find("Retry-After").value_or("-"));
}

TEST(OpenAiErrors, HaveTheirStatusAndWords) {
    EXPECT_EQ(shown({ErrorCode::invalid, "", "a.b"}), "400 invalid_request_error a.b null retry -/-");
    EXPECT_EQ(shown({ErrorCode::not_found, "", ""}), "404 invalid_request_error null null retry -/-");
    EXPECT_EQ(shown({ErrorCode::conflict, "", ""}), "409 invalid_request_error null null retry false/-");
    EXPECT_EQ(shown({ErrorCode::too_large, "", ""}), "413 invalid_request_error null null retry -/-");
    EXPECT_EQ(shown({ErrorCode::denied, "", ""}), "403 invalid_request_error null null retry -/-");
    EXPECT_EQ(shown({ErrorCode::exhausted, "", ""}), "429 requests null rate_limit_exceeded retry -/5");
    EXPECT_EQ(shown({ErrorCode::unavailable, "", ""}), "503 server_error null null retry -/5");
    EXPECT_EQ(shown({ErrorCode::no_space, "", ""}), "503 server_error null null retry -/5");
    EXPECT_EQ(shown({ErrorCode::timed_out, "", ""}), "408 invalid_request_error null null retry -/-");
    EXPECT_EQ(shown({ErrorCode::canceled, "", ""}), "408 invalid_request_error null null retry -/-");
    EXPECT_EQ(shown({ErrorCode::internal, "secret", "secret"}), "500 server_error null null retry -/-");
}

TEST(OpenAiErrors, AskForNoLongerWaitThanClientsObey) {
    Problem problem{.status = 503, .message = "later"};
    problem.retry_after_s = 300;
    EXPECT_EQ(to_response(problem).headers.find("Retry-After"), "60");
}

}  // namespace
}  // namespace sheaf::dialect::openai

#include "backend/refusal.h"

#include <gtest/gtest.h>

namespace sheaf::backend {
namespace {

using namespace std::chrono_literals;

constexpr Timestamp kNow{std::chrono::sys_days{std::chrono::year{2026} / 6 / 18} + 10h};

http::Headers headers(std::initializer_list<std::pair<std::string, std::string>> fields) {
    http::Headers made;
    for (const auto& [name, value] : fields) made.add(name, value);
    return made;
}

std::string told(int status, std::string body = "", http::Headers fields = {}) {
    const auto outcome =
        outcome_of_status({status, std::move(fields), std::move(body)}, Secret("sk-hidden"), kNow);
    if (const auto* refused = std::get_if<core::Refused>(&outcome))
        return "refused " + refused->failure.code + ": " + refused->failure.message;
    if (const auto* broken = std::get_if<core::Broken>(&outcome))
        return "broken " + broken->failure.code + ": " + broken->failure.message;
    const auto& overloaded = std::get<core::Overloaded>(outcome);
    return "overloaded " + (overloaded.retry_after ? std::to_string(overloaded.retry_after->count()) : "") +
           ": " + overloaded.message;
}

TEST(Refusal, SortsStatuses) {
    for (const int status : {300, 302, 401, 403, 409, 500, 502, 504})
        EXPECT_TRUE(told(status).starts_with("broken analysis_failed: ")) << status;
    for (const int status : {400, 404, 405, 413, 415, 422})
        EXPECT_TRUE(told(status).starts_with("refused invalid_request: ")) << status;
    for (const int status : {408, 425, 429, 503, 529})
        EXPECT_TRUE(told(status).starts_with("overloaded : ")) << status;
}

TEST(Refusal, TellsAnUnknownModelFromAnUnknownPath) {
    for (const auto* body :
         {R"({"object":"error","message":"The model `x` does not exist.","type":"NotFoundError","code":404})",
          R"({"error":{"message":"model 'x' not found","type":"not_found_error"}})",
          R"({"error":{"message":"no","code":"model_not_found"}})"})
        EXPECT_TRUE(told(404, body).starts_with("refused model_not_found: ")) << body;
    EXPECT_EQ(told(404, R"({"detail":"Not Found"})"), "refused invalid_request: Not Found");
    EXPECT_EQ(told(400, R"({"error":{"message":"no","code":"model_not_found"}})"),
              "refused model_not_found: no");
}

TEST(Refusal, KnowsWhenTheContextIsTooSmall) {
    for (
        const auto* body :
        {R"({"error":{"message":"This model's maximum context length is 4096 tokens. However, you requested 5000"}})",
         R"({"error":{"code":400,"message":"the request exceeds the available context size","type":"exceed_context_size_error"}})",
         R"({"object":"error","message":"The prompt (total length 9000) is too long; max_model_len is 8192"})"})
        EXPECT_TRUE(speaks_of_context(body)) << body;
    EXPECT_FALSE(speaks_of_context(R"({"error":{"message":"max_tokens must be an integer"}})"));
}

TEST(Refusal, QuotesTheServerInAnyForm) {
    EXPECT_EQ(told(400, R"({"error":{"message":"bad\nrequest"}})"), "refused invalid_request: bad request");
    EXPECT_EQ(told(400, R"({"error":"odd"})"), "refused invalid_request: odd");
    EXPECT_EQ(told(422, R"({"detail":[{"loc":["body"]}]})"),
              R"(refused invalid_request: [{"loc":["body"]}])");
    EXPECT_EQ(told(400), "refused invalid_request: the model server answered 400");
    EXPECT_EQ(told(500, "<html>"), "broken analysis_failed: the model server answered 500: <html>");
    EXPECT_EQ(told(500), "broken analysis_failed: the model server answered 500");
    EXPECT_LT(told(400, std::string(100'000, 'x')).size(), 2100U);
}

core::Failure failure_of(int status, std::string body) {
    const auto outcome = outcome_of_status({status, {}, std::move(body)}, Secret("sk-hidden"), kNow);
    if (const auto* refused = std::get_if<core::Refused>(&outcome)) return refused->failure;
    if (const auto* broken = std::get_if<core::Broken>(&outcome)) return broken->failure;
    const auto& overloaded = std::get<core::Overloaded>(outcome);
    return {.code = "overloaded", .message = {}, .status = overloaded.status, .error = overloaded.error};
}

TEST(Refusal, KeepsTheStatusAndTheErrorObject) {
    const std::string error = R"({"message":"no","type":"t","param":"messages[0].role","code":null})";
    for (const int status : {400, 422, 429, 503, 500}) {
        const auto failure = failure_of(status, R"({"error":)" + error + "}");
        EXPECT_EQ(failure.status, status);
        EXPECT_EQ(failure.error, error) << status;
        EXPECT_EQ(failure.field, status < 429 ? "messages[0].role" : "") << status;
    }
    EXPECT_EQ(failure_of(400, R"({"object":"error","message":"no","code":400})").error,
              R"({"message":"no","code":400})");
    EXPECT_EQ(failure_of(400, R"({"error":"odd"})").error, "") << "no object";
    EXPECT_EQ(failure_of(500, "<html>").error, "");
    EXPECT_EQ(failure_of(400, R"({"error":{"message":")" + std::string(20'000, 'x') + R"("}})").error, "");
}

TEST(Refusal, ARefusedKeyIsNoBusinessOfClients) {
    for (const int status : {401, 403}) {
        const auto failure = failure_of(status, R"({"error":{"message":"Incorrect API key: sk-h***en"}})");
        EXPECT_EQ(failure.code, "analysis_failed");
        EXPECT_EQ(failure.status, 0);
        EXPECT_EQ(failure.error, "");
        EXPECT_EQ(failure.message.find("sk-"), std::string::npos) << failure.message;
    }
}

TEST(Refusal, NeverShowsTheKey) {
    for (const int status : {400, 401, 403, 429, 500}) {
        const auto text = told(status, R"({"error":{"message":"Incorrect key sk-hidden, sk-hidden"}})");
        EXPECT_EQ(text.find("sk-hidden"), std::string::npos) << text;
        EXPECT_EQ(
            failure_of(status, R"({"error":{"message":"k","key":"sk-hidden"}})").error.find("sk-hidden"),
            std::string::npos);
    }
    const auto outcome = outcome_of_error({ErrorCode::unavailable, "sk-hidden", {}}, 1s, Secret("sk-hidden"));
    EXPECT_EQ(std::get<core::Broken>(outcome).failure.message, "***");
}

TEST(Refusal, NeverShowsAKeyThatIsCutInTheMessage) {
    const auto text = told(400, std::string(1995, 'x') + "sk-hidden");
    EXPECT_EQ(text.find("sk-h"), std::string::npos) << text;
}

TEST(Refusal, AServerThatDoesNotAnswerInTimeIsToldApart) {
    const auto outcome = outcome_of_error({ErrorCode::timed_out, "late", {}}, 1500ms, Secret());
    EXPECT_EQ(std::get<core::Broken>(outcome).failure.code, "timed_out");
    EXPECT_EQ(std::get<core::Broken>(outcome).failure.message,
              "the model server did not answer within 1.5 s");
}

TEST(Refusal, ReadsRetryAfter) {
    EXPECT_TRUE(told(429, "", headers({{"Retry-After", "2"}})).starts_with("overloaded 2000"));
    EXPECT_TRUE(told(503, "", headers({{"retry-after", "0.5"}})).starts_with("overloaded 500"));
    EXPECT_EQ(retry_after(headers({{"Retry-After", "Thu, 18 Jun 2026 10:00:30 GMT"}}), kNow), 30s);
    EXPECT_EQ(retry_after(headers({{"Retry-After", "Thu, 18 Jun 2026 10:00:30 GMT"},
                                   {"Date", "Thu, 18 Jun 2026 10:00:25 GMT"}}),
                          kNow),
              5s);
    EXPECT_EQ(retry_after(headers({{"Retry-After", "Thu, 18 Jun 2026 09:00:00 GMT"}}), kNow), 0s);
    EXPECT_EQ(retry_after(headers({{"Retry-After", "999999999"}}), kNow), 1h);
    EXPECT_EQ(retry_after(headers({{"Retry-After", "-1"}}), kNow), 0s);
    EXPECT_EQ(retry_after(headers({{"Retry-After", "soon"}}), kNow), std::nullopt);
    EXPECT_EQ(retry_after(headers({}), kNow), std::nullopt);
}

TEST(Refusal, DoesNotWaitForAQuotaToComeBack) {
    EXPECT_TRUE(
        told(429, R"({"error":{"code":"insufficient_quota","message":"pay"}})").starts_with("broken"));
}

}  // namespace
}  // namespace sheaf::backend

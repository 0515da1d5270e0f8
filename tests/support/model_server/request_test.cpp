#include <gtest/gtest.h>

#include "body_scan.h"
#include "faults.h"
#include "http_parse.h"
#include "latency.h"

namespace model_server {
namespace {

TEST(ParseRequest, ReadsTheFirstOfSeveral) {
    const std::string input =
        "POST /v1/messages?x=1 HTTP/1.1\r\nhost: a\r\ncontent-LENGTH: 4\r\n\r\nbodyGET /health "
        "HTTP/1.1\r\n\r\n";
    HttpRequest request;
    ASSERT_EQ(parse_request(input, request), ParseState::whole);
    EXPECT_EQ(request.method, "POST");
    EXPECT_EQ(request.path, "/v1/messages");
    EXPECT_EQ(request.body, "body");
    ASSERT_EQ(parse_request(std::string_view(input).substr(request.bytes), request), ParseState::whole);
    EXPECT_EQ(request.path, "/health");
}

TEST(ParseRequest, EveryBeginningIsPartial) {
    const std::string input = "POST / HTTP/1.1\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody";
    HttpRequest request;
    for (std::size_t length = 0; length < input.size(); ++length)
        EXPECT_EQ(parse_request(input.substr(0, length), request), ParseState::partial) << length;
    ASSERT_EQ(parse_request(input, request), ParseState::whole);
    EXPECT_TRUE(request.closes);
}

TEST(ParseRequest, ChunksAndNonsenseAreMalformed) {
    HttpRequest request;
    EXPECT_EQ(parse_request("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", request),
              ParseState::malformed);
    EXPECT_EQ(parse_request("nonsense\r\n\r\n", request), ParseState::malformed);
    EXPECT_EQ(parse_request("POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", request), ParseState::malformed);
}

TEST(BodyScan, FindsWhatARequestSaysOfItself) {
    const std::string_view body =
        R"({"model":"m","max_tokens": 77,"messages":[{"role":"user","content":"custom_id=no id=item-7 cost_ms=120."}]})";
    EXPECT_EQ(find_member_number(body, "max_tokens"), 77U);
    EXPECT_EQ(find_member_number(body, "slots"), std::nullopt);
    EXPECT_EQ(find_hint_id(body), "item-7");
    EXPECT_EQ(find_hint_number(body, "cost_ms"), 120U);
}

TEST(BodyScan, ThePromptIsSystemFirstThenTheTextsInOrder) {
    EXPECT_EQ(
        prompt_of(
            R"({"messages":[{"role":"user","content":"b \"q\" "},{"content":[{"type":"text","text":"c"}]}],)"
            R"("system":"a "})"),
        R"(a b \"q\" c)");
}

TEST(Faults, MeetTheShareOfRequestsThatIsAsked) {
    const std::vector<Fault> faults{*parse_fault("429:0.05"), *parse_fault("hang:0.01@10-20")};
    int refused = 0, hung = 0, hung_early = 0;
    for (std::uint64_t request = 0; request < 100'000; ++request) {
        const auto* fault = find_fault(faults, request, 15);
        if (fault != nullptr) ++(fault->kind == FaultKind::hang ? hung : refused);
        fault = find_fault(faults, request, 5);
        if (fault != nullptr && fault->kind == FaultKind::hang) ++hung_early;
    }
    EXPECT_NEAR(refused, 5000, 300);
    EXPECT_NEAR(hung, 1000, 150);
    EXPECT_EQ(hung_early, 0);
}

TEST(Faults, NonsenseIsRefused) {
    for (const auto* text : {"", "429", "200:0.1", "hang:2", "cut:x", "cut:0.1@5"})
        EXPECT_FALSE(parse_fault(text)) << text;
}

TEST(Latency, DrawsHaveTheMeanAndTheCap) {
    const auto latency = parse_latency("lognormal:140,0.8,6000");
    ASSERT_TRUE(latency);
    double sum = 0;
    for (int i = 0; i < 50'000; ++i) {
        const auto body = "request " + std::to_string(i);
        const auto drawn = latency->of(body);
        EXPECT_EQ(drawn, latency->of(body));
        EXPECT_LE(drawn, 6'000'000);
        sum += static_cast<double>(drawn);
    }
    EXPECT_NEAR(sum / 50'000 / 1000, 140, 5);
    EXPECT_EQ(latency->of("cost_ms=9"), 9000);
    EXPECT_FALSE(parse_latency("lognormal:140,0.8"));
}

}  // namespace
}  // namespace model_server

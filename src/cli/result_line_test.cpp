#include "cli/result_line.h"

#include <gtest/gtest.h>

namespace sheaf::cli {
namespace {

ResultLine parsed(std::string_view json) {
    const auto line = parse_result_line(json);
    EXPECT_TRUE(line) << json;
    return line.value_or(ResultLine{});
}

TEST(ResultLineOf, TwelveLabs) {
    const ResultLine ready = parsed(
        R"({"task_id":"t","custom_id":"c","status":"ready","data":{"data":"Hi","finish_reason":"length"}})");
    EXPECT_EQ(ready.item, "t");
    EXPECT_EQ(ready.custom_id, "c");
    EXPECT_EQ(ready.text, "Hi");
    EXPECT_TRUE(ready.truncated);
    EXPECT_EQ(parsed(R"({"task_id":"t","custom_id":null,"status":"canceled"})").status, "canceled");
}

TEST(ResultLineOf, Anthropic) {
    const ResultLine ready = parsed(
        R"({"custom_id":"c","result":{"type":"succeeded","message":{"content":[{"type":"text","text":"Hi"},)"
        R"({"type":"tool_use","name":"f","input":{"a":1}}],"stop_reason":"max_tokens"}}})");
    EXPECT_EQ(ready.item, "c");
    EXPECT_EQ(ready.status, "ready");
    EXPECT_EQ(ready.text, "Hi\ncalls f({\"a\":1})");
    EXPECT_TRUE(ready.truncated);
    const ResultLine failed = parsed(
        R"({"custom_id":"c","result":{"type":"errored","error":{"type":"error","error":{"type":"x","message":"Bad."}}}})");
    EXPECT_EQ(failed.status, "failed");
    EXPECT_EQ(failed.error, "Bad.");
    EXPECT_EQ(parsed(R"({"custom_id":"c","result":{"type":"expired"}})").status, "expired");
}

TEST(ResultLineOf, Sail) {
    const ResultLine ready = parsed(
        R"({"id":"resp_1","object":"response","custom_id":"c","status":"completed","error":null,)"
        R"("output":[{"type":"reasoning","summary":[]},{"type":"message","content":[{"type":"output_text","text":"Hi"}]},)"
        R"({"type":"function_call","name":"f","arguments":"{}"}],"incomplete_details":null})");
    EXPECT_EQ(ready.item, "resp_1");
    EXPECT_EQ(ready.custom_id, "c");
    EXPECT_EQ(ready.status, "ready");
    EXPECT_EQ(ready.text, "Hi\ncalls f({})");
    EXPECT_FALSE(ready.truncated);
    const ResultLine failed = parsed(
        R"({"id":"resp_1","object":"response","status":"failed","error":{"message":"Bad."},"output":[]})");
    EXPECT_EQ(failed.error, "Bad.");
    EXPECT_EQ(parsed(R"({"id":"r","object":"response","status":"cancelled"})").status, "canceled");
}

TEST(ResultLineOf, OpenAi) {
    const auto line_of = [](const std::string& body) {
        return R"({"id":"batch_req_1","custom_id":"c","response":{"status_code":200,"request_id":"r","body":)" +
               body + R"(},"error":null})";
    };
    const ResultLine chat = parsed(line_of(
        R"({"object":"chat.completion","choices":[{"finish_reason":"length","message":{"content":"Hi","tool_calls":null}}]})"));
    EXPECT_EQ(chat.item, "batch_req_1");
    EXPECT_EQ(chat.text, "Hi");
    EXPECT_TRUE(chat.truncated);
    const ResultLine response = parsed(line_of(
        R"({"object":"response","error":null,"output":[{"content":[{"type":"output_text","text":"Hi"}]}]})"));
    EXPECT_EQ(response.text, "Hi");
    EXPECT_EQ(response.status, "ready");
    EXPECT_EQ(parsed(line_of(R"({"object":"list","data":[{"embedding":[1]},{"embedding":[2]}]})")).text,
              "2 embeddings");
    const ResultLine refused = parsed(line_of(R"({"error":{"message":"Bad.","type":"x"}})"));
    EXPECT_EQ(refused.status, "failed");
    EXPECT_EQ(refused.error, "Bad.");
    const std::string none = R"({"id":"batch_req_1","custom_id":"c","response":null,"error":{"code":")";
    EXPECT_EQ(parsed(none + R"(batch_expired","message":"Late."}})").status, "expired");
    EXPECT_EQ(parsed(none + R"(batch_cancelled","message":"No."}})").status, "canceled");
    EXPECT_EQ(parsed(none + R"(server_error","message":"Oops."}})").status, "failed");
}

TEST(ResultLineOf, NobodyIsMalformed) {
    for (const char* const text :
         {"", "{}", "[]", "nonsense", R"({"task_id":"t"})", R"({"custom_id":"c","result":{}})",
          R"({"object":"response"})", R"({"response":null})"})
        EXPECT_FALSE(parse_result_line(text)) << text;
}

}  // namespace
}  // namespace sheaf::cli

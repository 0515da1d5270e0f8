#include "protocol/messages_reply.h"

#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "protocol/chat_reply.h"
#include "protocol/testing_json.h"

namespace sheaf::protocol {
namespace {

constexpr std::string_view kThinks = R"({"model":"m","thinking":{"type":"enabled","budget_tokens":1024}})";
constexpr std::string_view kUsage =
    R"({"input_tokens":3,"cache_creation_input_tokens":0,"cache_read_input_tokens":7,"cache_creation":null,"output_tokens":4,"output_tokens_details":{"thinking_tokens":2},"server_tool_use":null,"service_tier":"standard","inference_geo":null,"speed":null})";

std::string written(const Completion& completion, std::string_view request = "{}") {
    const auto json = write_messages_reply(completion, request, "m");
    EXPECT_TRUE(json);
    return json.value_or("");
}

// The answer of a chat server, told to a client of Messages.
std::string of_chat(std::string_view message, std::string_view finish = R"("stop")",
                    std::string_view rest = "", std::string_view request = "{}") {
    const auto completion = read_chat_reply(fmt::format(
        R"({{"id":"chatcmpl-1a","choices":[{{"message":{},"finish_reason":{}{}}}],"usage":{{"prompt_tokens":10,"completion_tokens":4,"prompt_tokens_details":{{"cached_tokens":7}},"completion_tokens_details":{{"reasoning_tokens":2}}}}}})",
        message, finish, rest));
    EXPECT_TRUE(completion) << message;
    return completion ? written(*completion, request) : "";
}

TEST(MessagesReply, IsWrittenWithEveryField) {
    Completion completion{.id = "chatcmpl-1a", .parts = {Text{"Hi"}}};
    completion.usage =
        core::Usage{.input_tokens = 10, .output_tokens = 4, .cached_tokens = 7, .reasoning_tokens = 2};
    EXPECT_EQ(
        written(completion),
        fmt::format(
            R"({{"id":"msg_1a","type":"message","role":"assistant","model":"m","content":[{{"type":"text","text":"Hi","citations":null}}],"stop_reason":"end_turn","stop_sequence":null,"stop_details":null,"container":null,"diagnostics":null,"usage":{}}})",
            kUsage));
}

TEST(MessagesReply, HasZerosWhereTheServerCountedNothing) {
    const auto json = written({});
    EXPECT_EQ(member_of(json, "/usage/input_tokens"), "0");
    EXPECT_EQ(member_of(json, "/usage/output_tokens"), "0");
    EXPECT_EQ(member_of(json, "/usage/output_tokens_details"), "null");
}

TEST(MessagesReply, GetsAnIdOfItsForm) {
    EXPECT_EQ(member_of(written({.id = "msg_01X"}), "/id"), R"("msg_01X")");
    EXPECT_EQ(member_of(written({.id = "a-1"}), "/id"), R"("msg_a-1")");
    const auto first = member_of(written({.id = ""}), "/id");
    EXPECT_TRUE(first.starts_with("\"msg_"));
    EXPECT_NE(first, member_of(written({.id = ""}), "/id"));
    EXPECT_EQ(member_of(written({.id = "a b"}), "/id").find(' '), std::string::npos);
}

TEST(MessagesReply, TellsNothingAsAnEmptyText) {
    const std::string_view empty = R"([{"type":"text","text":"","citations":null}])";
    EXPECT_EQ(member_of(of_chat(R"({"content":null})"), "/content"), empty);
    EXPECT_EQ(member_of(of_chat(R"({"content":"","reasoning_content":"hm"})"), "/content"), empty);
}

TEST(MessagesReply, ShowsThoughtsToWhomAskedForThem) {
    const auto* message = R"({"content":"a","reasoning_content":"hm"})";
    const std::string_view shown =
        R"([{"type":"thinking","thinking":"hm","signature":"c2hlYWY="},{"type":"text","text":"a","citations":null}])";
    const std::string_view hidden = R"([{"type":"text","text":"a","citations":null}])";
    const auto content = [&](std::string_view request) {
        return member_of(of_chat(message, R"("stop")", "", request), "/content");
    };
    EXPECT_EQ(content(kThinks), shown);
    EXPECT_EQ(content(R"({"thinking":{"type":"adaptive","display":"summarized"}})"), shown);
    EXPECT_EQ(content(R"({"thinking":{"type":"adaptive","display":"omitted"}})"), hidden);
    EXPECT_EQ(content(R"({"thinking":{"type":"disabled"}})"), hidden);
    EXPECT_EQ(content(R"({"thinking":null})"), hidden);
    EXPECT_EQ(content("{}"), hidden);
    EXPECT_EQ(content("no JSON"), hidden);
}

TEST(MessagesReply, TellsToolCallsAsToolUse) {
    const auto json = of_chat(
        R"({"content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"b\": 1, \"a\": [2]}"}},{"id":"call.2","type":"function","function":{"name":"g","arguments":""}}]})",
        R"("stop")");
    EXPECT_EQ(
        member_of(json, "/content/0"),
        R"({"type":"tool_use","id":"call_1","name":"f","input":{"b":1,"a":[2]},"caller":{"type":"direct"}})");
    EXPECT_EQ(member_of(json, "/content/1/input"), "{}");
    EXPECT_TRUE(member_of(json, "/content/1/id").starts_with("\"toolu_"));
    EXPECT_EQ(member_of(json, "/stop_reason"), R"("tool_use")");
}

TEST(MessagesReply, RefusesArgumentsThatAreNoObject) {
    for (const auto* arguments : {"{", "[1]", "1", "nonsense"}) {
        const auto json = write_messages_reply({.parts = {ToolCall{"1", "f", arguments}}}, "{}", "m");
        ASSERT_FALSE(json) << arguments;
        EXPECT_EQ(json.error().code, ErrorCode::invalid);
    }
}

TEST(MessagesReply, TellsWhyTheServerStopped) {
    const auto* text = R"({"content":"a"})";
    const auto* call =
        R"({"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]})";
    EXPECT_EQ(member_of(of_chat(text), "/stop_reason"), R"("end_turn")");
    EXPECT_EQ(member_of(of_chat(text, R"("length")"), "/stop_reason"), R"("max_tokens")");
    for (const auto* finish : {R"("stop")", R"("length")", R"("tool_calls")", R"("content_filter")"})
        EXPECT_EQ(member_of(of_chat(call, finish), "/stop_reason"), R"("tool_use")") << finish;
    const auto stopped = of_chat(text, R"("stop")", R"(,"stop_reason":"END")");
    EXPECT_EQ(member_of(stopped, "/stop_reason"), R"("stop_sequence")");
    EXPECT_EQ(member_of(stopped, "/stop_sequence"), R"("END")");
    const auto filtered = of_chat(text, R"("content_filter")");
    EXPECT_EQ(member_of(filtered, "/stop_reason"), R"("refusal")");
    EXPECT_EQ(member_of(filtered, "/stop_details"),
              R"({"type":"refusal","category":null,"explanation":null})");
    EXPECT_EQ(member_of(written({.stop = StopReason::context_length}), "/stop_reason"),
              R"("model_context_window_exceeded")");
    EXPECT_EQ(member_of(written({.stop = StopReason::stop_sequence}), "/stop_reason"), R"("end_turn")");
}

TEST(MessagesReply, TellsARefusalAsTextAndReason) {
    const auto json = of_chat(R"({"content":null,"refusal":"No."})");
    EXPECT_EQ(member_of(json, "/content"), R"([{"type":"text","text":"No.","citations":null}])");
    EXPECT_EQ(member_of(json, "/stop_reason"), R"("refusal")");
    EXPECT_EQ(member_of(json, "/stop_details/explanation"), R"("No.")");
}

TEST(MessagesReply, IsReadWhole) {
    const auto completion = read_messages_reply(
        R"({"id":"msg_1","model":"s","content":[{"type":"thinking","thinking":"hm","signature":"x"},{"type":"redacted_thinking","data":"d"},{"type":"text","text":"a"},{"type":"server_tool_use","id":"s"},{"type":"tool_use","id":"t","name":"f","input":{"b":1,"a":2}}],"stop_reason":"stop_sequence","stop_sequence":"END","usage":{"input_tokens":1,"cache_creation_input_tokens":2,"cache_read_input_tokens":3,"output_tokens":4,"output_tokens_details":{"thinking_tokens":1}}})");
    ASSERT_TRUE(completion);
    EXPECT_EQ(completion->id, "msg_1");
    ASSERT_EQ(completion->parts.size(), 4U);
    EXPECT_EQ(std::get<Thinking>(completion->parts[0]).signature, "x");
    EXPECT_EQ(std::get<RedactedThinking>(completion->parts[1]).data, "d");
    EXPECT_EQ(std::get<Text>(completion->parts[2]).text, "a");
    EXPECT_EQ(std::get<ToolCall>(completion->parts[3]).arguments, R"({"b":1,"a":2})");
    EXPECT_EQ(completion->stop, StopReason::stop_sequence);
    EXPECT_EQ(completion->stop_sequence, "END");
    EXPECT_EQ(
        completion->usage,
        (core::Usage{.input_tokens = 6, .output_tokens = 4, .cached_tokens = 3, .reasoning_tokens = 1}));
}

TEST(MessagesReply, TellsWhyItEnded) {
    const auto stop = [](std::string_view word, std::string_view content = "") {
        const auto completion =
            read_messages_reply(fmt::format(R"({{"content":[{}],"stop_reason":{}}})", content, word));
        EXPECT_TRUE(completion);
        return completion ? completion->stop : StopReason::refusal;
    };
    EXPECT_EQ(stop(R"("end_turn")"), StopReason::end);
    EXPECT_EQ(stop(R"("pause_turn")"), StopReason::end);
    EXPECT_EQ(stop(R"("max_tokens")"), StopReason::length);
    EXPECT_EQ(stop(R"("model_context_window_exceeded")"), StopReason::context_length);
    EXPECT_EQ(stop(R"("tool_use")"), StopReason::tool_use);
    EXPECT_EQ(stop(R"("refusal")"), StopReason::refusal);
    EXPECT_EQ(stop("null"), StopReason::end);
    EXPECT_EQ(stop("null", R"({"type":"tool_use","id":"t","name":"f","input":{}})"), StopReason::tool_use);
}

TEST(MessagesReply, RefusesWhatIsNoAnswer) {
    for (const std::string& reply :
         {std::string(""), std::string("x"), std::string("[]"), std::string("{}"),
          std::string(R"({"content":"a"})"), std::string(100'000, '{'),
          std::string(R"({"type":"error","error":{"type":"api_error","message":"no memory"}})")}) {
        EXPECT_EQ(error_of(read_messages_reply(reply)).code, ErrorCode::invalid) << reply;
        EXPECT_EQ(error_of(complete_messages_reply(reply, "m")).code, ErrorCode::invalid) << reply;
    }
}

TEST(MessagesReplyMadeWhole, KeepsWhatTheServerSent) {
    const std::string body = fmt::format(
        R"({{"id":"msg_1","type":"message","role":"assistant","model":"server","content":[{{"type":"text","text":"Hi","citations":[{{"a":1}}]}},{{"type":"server_tool_use","id":"s","extra":[1.5]}}],"stop_reason":"compaction","stop_sequence":null,"stop_details":null,"container":{{"id":"c"}},"diagnostics":null,"usage":{},"extra":{{"b":null}}}})",
        kUsage);
    const auto whole = complete_messages_reply(body, "client");
    ASSERT_TRUE(whole);
    std::string expected = body;
    expected.replace(expected.find("server"), 6, "client");
    EXPECT_EQ(whole->body, expected);
    EXPECT_EQ(
        whole->usage,
        (core::Usage{.input_tokens = 10, .output_tokens = 4, .cached_tokens = 7, .reasoning_tokens = 2}));
}

TEST(MessagesReplyMadeWhole, FillsInWhatIsMissing) {
    const auto whole = complete_messages_reply(
        "{\"id\":\"chatcmpl-77\",\n\"content\":[{\"type\":\"text\",\"text\":\"Hi\"},{\"type\":\"thinking\","
        "\"thinking\":\"hm\"},{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{}}],\"stop_"
        "reason\":null,\"usage\":{\"input_tokens\":3,\"output_tokens\":2,\"service_tier\":null}}",
        "m");
    ASSERT_TRUE(whole);
    EXPECT_EQ(
        whole->body,
        R"({"id":"msg_77","content":[{"type":"text","text":"Hi","citations":null},{"type":"thinking","thinking":"hm","signature":"c2hlYWY="},{"type":"tool_use","id":"t","name":"f","input":{},"caller":{"type":"direct"}}],"stop_reason":"tool_use","usage":{"input_tokens":3,"output_tokens":2,"service_tier":"standard","cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":null,"output_tokens_details":null,"server_tool_use":null,"inference_geo":null,"speed":null},"type":"message","role":"assistant","model":"m","stop_sequence":null,"stop_details":null,"container":null,"diagnostics":null})");
}

TEST(MessagesReplyMadeWhole, SaysTheStandardTierWhateverTheServerSays) {
    const auto whole = complete_messages_reply(R"({"content":[],"usage":{"service_tier":"priority"}})", "m");
    ASSERT_TRUE(whole);
    EXPECT_EQ(member_of(whole->body, "/usage/service_tier"), R"("standard")");
    EXPECT_EQ(member_of(whole->body, "/content"), "[]");
}

}  // namespace
}  // namespace sheaf::protocol

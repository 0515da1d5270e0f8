#include "protocol/chat_reply.h"

#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "protocol/messages_reply.h"
#include "protocol/testing_json.h"

namespace sheaf::protocol {
namespace {

// A chat.completion object with one choice.
std::string chat(std::string_view message, std::string_view finish = R"("stop")",
                 std::string_view rest = "") {
    return fmt::format(
        R"({{"id":"chatcmpl-1a","object":"chat.completion","created":5,"model":"s","choices":[{{"index":0,"message":{},"finish_reason":{}{}}}],"usage":{{"prompt_tokens":10,"completion_tokens":4,"total_tokens":14,"prompt_tokens_details":{{"cached_tokens":7}},"completion_tokens_details":{{"reasoning_tokens":2}}}}}})",
        message, finish, rest);
}

Completion read(std::string_view reply) {
    auto completion = read_chat_reply(reply);
    EXPECT_TRUE(completion) << reply;
    return completion.value_or(Completion{});
}

std::string_view text_of(const Completion& completion) {
    return completion.parts.size() == 1 ? std::get<Text>(completion.parts[0]).text : std::string_view("?");
}

TEST(ChatReply, IsReadWhole) {
    const auto completion = read(chat(R"({"role":"assistant","content":"Hi","refusal":null})"));
    EXPECT_EQ(completion.id, "chatcmpl-1a");
    EXPECT_EQ(completion.model, "s");
    EXPECT_EQ(text_of(completion), "Hi");
    EXPECT_EQ(completion.stop, StopReason::end);
    EXPECT_EQ(
        completion.usage,
        (core::Usage{.input_tokens = 10, .output_tokens = 4, .cached_tokens = 7, .reasoning_tokens = 2}));
}

TEST(ChatReply, TellsWhyItEnded) {
    const auto* call =
        R"({"content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":""}}]})";
    const auto* text = R"({"content":"a"})";
    EXPECT_EQ(read(chat(text, R"("length")")).stop, StopReason::length);
    EXPECT_EQ(read(chat(text, R"("content_filter")")).stop, StopReason::refusal);
    EXPECT_EQ(read(chat(call, R"("tool_calls")")).stop, StopReason::tool_use);
    EXPECT_EQ(read(chat(call, R"("function_call")")).stop, StopReason::tool_use);
    EXPECT_EQ(read(chat(call, R"("stop")")).stop, StopReason::tool_use);
}

TEST(ChatReply, TellsTheStopStringThatMatched) {
    const auto* text = R"({"content":"a"})";
    for (const auto* member : {R"(,"stop_reason":"END")", R"(,"matched_stop":"END")"}) {
        const auto completion = read(chat(text, R"("stop")", member));
        EXPECT_EQ(completion.stop, StopReason::stop_sequence);
        EXPECT_EQ(completion.stop_sequence, "END");
    }
    for (const auto* member : {R"(,"stop_reason":2)", R"(,"matched_stop":null)", ""}) {
        const auto completion = read(chat(text, R"("stop")", member));
        EXPECT_EQ(completion.stop, StopReason::end);
        EXPECT_FALSE(completion.stop_sequence);
    }
}

TEST(ChatReply, ReadsThoughtsUnderEitherName) {
    for (const auto* name : {"reasoning_content", "reasoning"}) {
        const auto completion = read(chat(fmt::format(R"({{"content":"a","{}":"hm"}})", name)));
        ASSERT_EQ(completion.parts.size(), 2U);
        EXPECT_EQ(std::get<Thinking>(completion.parts[0]).text, "hm");
        EXPECT_EQ(std::get<Text>(completion.parts[1]).text, "a");
    }
}

TEST(ChatReply, ReadsPartsRefusalsAndCustomTools) {
    const auto completion = read(chat(
        R"({"content":[{"type":"text","text":"a"},{"type":"other"}],"refusal":"No","tool_calls":[{"id":"1","type":"custom","custom":{"name":"g","input":"free"}},{"id":"2","function":{"name":"f","arguments":{"x":1}}}]})"));
    ASSERT_EQ(completion.parts.size(), 4U);
    EXPECT_EQ(std::get<Text>(completion.parts[0]).text, "a");
    EXPECT_EQ(std::get<Refusal>(completion.parts[1]).text, "No");
    EXPECT_TRUE(std::get<ToolCall>(completion.parts[2]).custom);
    EXPECT_EQ(std::get<ToolCall>(completion.parts[2]).arguments, "free");
    EXPECT_EQ(std::get<ToolCall>(completion.parts[3]).arguments, R"({"x":1})");
}

TEST(ChatReply, RefusesWhatIsNoFinishedAnswer) {
    for (const std::string& reply :
         {std::string(""), std::string("x"), std::string("[]"), std::string("{}"),
          std::string(R"({"choices":[]})"), std::string(R"({"choices":[1]})"),
          std::string(R"({"choices":[{"finish_reason":"stop"}]})"), std::string(100'000, '['),
          chat(R"({"content":"a"})", "null"), chat(R"({"content":"a"})", R"("abort")"),
          chat(R"({"content":"a"})", R"("error")"), chat(R"({"content":"a"})", R"("never_heard")"),
          std::string(R"({"error":{"message":"no memory"}})")}) {
        for (const bool is_completed : {false, true}) {
            const auto error =
                is_completed ? error_of(complete_chat_reply(reply, "m")) : error_of(read_chat_reply(reply));
            EXPECT_EQ(error.code, ErrorCode::invalid) << reply;
            EXPECT_TRUE(error.message.starts_with("The model server")) << error.message;
        }
    }
    EXPECT_EQ(read_chat_reply(R"({"error":{"message":"no memory"}})").error().message,
              "The model server reported: no memory");
}

TEST(ChatReply, IsWrittenWithEveryField) {
    Completion completion{.id = "msg_01AB", .model = "s"};
    completion.parts = {Thinking{"hm", "sig"}, Text{"a"}, Text{"b"}, ToolCall{"t1", "f", R"({"x":1})"},
                        ToolCall{"t2", "g", "free", true}};
    completion.stop = StopReason::tool_use;
    completion.logprobs = R"([{"token":"a","logprob":-0.5,"bytes":null,"top_logprobs":[]}])";
    completion.usage =
        core::Usage{.input_tokens = 10, .output_tokens = 4, .cached_tokens = 7, .reasoning_tokens = 2};
    const auto json = write_chat_reply(completion, "m");
    EXPECT_EQ(member_of(json, "/id"), R"("chatcmpl-01AB")");
    EXPECT_EQ(member_of(json, "/object"), R"("chat.completion")");
    EXPECT_GT(std::stoll(member_of(json, "/created")), 1'700'000'000);
    EXPECT_EQ(member_of(json, "/model"), R"("m")");
    EXPECT_EQ(
        member_of(json, "/choices"),
        R"([{"index":0,"message":{"role":"assistant","content":"ab","refusal":null,"reasoning_content":"hm","tool_calls":[{"id":"t1","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}},{"id":"t2","type":"custom","custom":{"name":"g","input":"free"}}]},"logprobs":{"content":[{"token":"a","logprob":-0.5,"bytes":null,"top_logprobs":[]}],"refusal":null},"finish_reason":"tool_calls"}])");
    EXPECT_EQ(
        member_of(json, "/usage"),
        R"({"prompt_tokens":10,"completion_tokens":4,"total_tokens":14,"prompt_tokens_details":{"cached_tokens":7,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":2,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}})");
}

TEST(ChatReply, HasNoContentBesideACallOrARefusal) {
    Completion completion{.parts = {ToolCall{"1", "f", "{}"}}};
    EXPECT_EQ(member_of(write_chat_reply(completion, "m"), "/choices/0/message/content"), "null");
    completion.parts = {Refusal{"No"}};
    const auto json = write_chat_reply(completion, "m");
    EXPECT_EQ(member_of(json, "/choices/0/message/content"), "null");
    EXPECT_EQ(member_of(json, "/choices/0/message/refusal"), R"("No")");
    completion.parts.clear();
    EXPECT_EQ(member_of(write_chat_reply(completion, "m"), "/choices/0/message/content"), R"("")");
}

TEST(ChatReply, TellsEveryStopInItsWords) {
    for (const auto& [stop, word] :
         {std::pair{StopReason::end, "stop"}, std::pair{StopReason::stop_sequence, "stop"},
          std::pair{StopReason::length, "length"}, std::pair{StopReason::context_length, "length"},
          std::pair{StopReason::tool_use, "tool_calls"}, std::pair{StopReason::refusal, "content_filter"}})
        EXPECT_EQ(member_of(write_chat_reply({.stop = stop}, "m"), "/choices/0/finish_reason"),
                  fmt::format("\"{}\"", word));
}

TEST(ChatReply, OfAMessagesServerTellsTheSame) {
    const auto completion = read_messages_reply(
        R"({"id":"msg_9","type":"message","role":"assistant","model":"s","content":[{"type":"thinking","thinking":"hm","signature":"x"},{"type":"text","text":"a","citations":null},{"type":"tool_use","id":"t","name":"f","input":{"b":1,"a":2}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":1,"cache_creation_input_tokens":2,"cache_read_input_tokens":3,"output_tokens":4}})");
    ASSERT_TRUE(completion);
    const auto json = write_chat_reply(*completion, "m");
    EXPECT_EQ(
        member_of(json, "/choices/0/message"),
        R"({"role":"assistant","content":"a","refusal":null,"reasoning_content":"hm","tool_calls":[{"id":"t","type":"function","function":{"name":"f","arguments":"{\"b\":1,\"a\":2}"}}]})");
    EXPECT_EQ(member_of(json, "/usage/prompt_tokens"), "6");
    EXPECT_EQ(member_of(json, "/usage/prompt_tokens_details/cached_tokens"), "3");
}

TEST(ChatReplyMadeWhole, KeepsWhatTheServerSent) {
    const std::string_view reply =
        R"({"id":"chatcmpl-9","object":"chat.completion","created":5,"model":"server/name","choices":[{"index":0,"message":{"role":"assistant","content":"Hi","refusal":null,"annotations":[],"extra":[1,{"a":null}]},"logprobs":{"content":[{"token":"Hi","logprob":-0.125}],"refusal":null},"finish_reason":"stop","stop_reason":null}],"usage":{"prompt_tokens":10,"completion_tokens":4,"total_tokens":14,"prompt_tokens_details":{"cached_tokens":7},"completion_tokens_details":{"reasoning_tokens":2}},"system_fingerprint":"fp","kv_transfer_params":null})";
    const auto whole = complete_chat_reply(reply, "client");
    ASSERT_TRUE(whole);
    std::string expected(reply);
    expected.replace(expected.find("server/name"), 11, "client");
    EXPECT_EQ(whole->body, expected);
    EXPECT_EQ(
        whole->usage,
        (core::Usage{.input_tokens = 10, .output_tokens = 4, .cached_tokens = 7, .reasoning_tokens = 2}));
}

TEST(ChatReplyMadeWhole, FillsInWhatIsMissing) {
    const auto whole = complete_chat_reply(
        "{\"choices\":[{\"message\":{\"content\":\"a\"},\"finish_reason\":\"stop\"},\n{\"message\":{"
        "\"content\":\"b\"},\"finish_reason\":\"length\"}]}",
        "m");
    ASSERT_TRUE(whole);
    EXPECT_EQ(whole->body.find('\n'), std::string::npos);
    EXPECT_EQ(
        member_of(whole->body, "/choices"),
        R"([{"message":{"content":"a","role":"assistant","refusal":null},"finish_reason":"stop","index":0,"logprobs":null},{"message":{"content":"b","role":"assistant","refusal":null},"finish_reason":"length","index":1,"logprobs":null}])");
    EXPECT_TRUE(member_of(whole->body, "/id").starts_with("\"chatcmpl-"));
    EXPECT_EQ(member_of(whole->body, "/object"), R"("chat.completion")");
    EXPECT_EQ(member_of(whole->body, "/model"), R"("m")");
    EXPECT_NE(member_of(whole->body, "/created"), "absent");
    EXPECT_EQ(member_of(whole->body, "/usage/total_tokens"), "0");
    EXPECT_EQ(member_of(whole->body, "/usage/prompt_tokens_details/cached_tokens"), "0");
}

TEST(ChatReplyMadeWhole, FillsInTheDetailsOfUsage) {
    const auto whole = complete_chat_reply(
        R"({"choices":[{"message":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"prompt_tokens_details":null}})",
        "m");
    ASSERT_TRUE(whole);
    EXPECT_EQ(
        member_of(whole->body, "/usage"),
        R"({"prompt_tokens":3,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"total_tokens":5,"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}})");
}

}  // namespace
}  // namespace sheaf::protocol

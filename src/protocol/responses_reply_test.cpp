#include "protocol/responses_reply.h"

#include <regex>

#include <gtest/gtest.h>

namespace sheaf::protocol {
namespace {

// The times that the clock gave as 0.
std::string timeless(const std::string& text) {
    return std::regex_replace(text, std::regex(R"re("(created_at|completed_at)":\d+)re"), R"("$1":0)");
}

Completion read(std::string_view reply) {
    auto completion = read_responses_reply(reply);
    if (!completion) {
        ADD_FAILURE() << completion.error().message;
        return {};
    }
    return *std::move(completion);
}

std::string refusal(std::string_view reply) {
    const auto completion = read_responses_reply(reply);
    return completion ? "none" : completion.error().message;
}

std::string completed(std::string_view reply, std::string_view request) {
    const auto whole = complete_responses_reply(reply, request, "mine");
    return whole ? timeless(whole->body) : whole.error().message;
}

bool contains(const std::string& text, std::string_view piece) {
    return text.find(piece) != std::string::npos;
}

TEST(ResponsesReply, IsWrittenWithEveryField) {
    const Completion completion{
        .id = "chatcmpl-1",
        .model = "theirs",
        .parts = {Text{"Hi"}},
        .stop_sequence = {},
        .logprobs = {},
        .usage =
            core::Usage{.input_tokens = 5, .output_tokens = 7, .cached_tokens = 2, .reasoning_tokens = 3}};
    EXPECT_EQ(
        timeless(write_responses_reply(completion, R"({"model":"mine","input":"x"})", "mine")),
        R"({"id":"resp_1","object":"response","created_at":0,"status":"completed","background":false,)"
        R"("completed_at":0,"error":null,"incomplete_details":null,"instructions":null,)"
        R"("max_output_tokens":null,"max_tool_calls":null,"model":"mine","output":[{"type":"message",)"
        R"("id":"msg_100","role":"assistant","status":"completed","content":[{"type":"output_text",)"
        R"("text":"Hi","annotations":[],"logprobs":[]}]}],"parallel_tool_calls":true,)"
        R"("previous_response_id":null,"reasoning":{"effort":null,"summary":null},"service_tier":"default",)"
        R"("store":true,"temperature":1.0,"text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[],)"
        R"("top_logprobs":0,"top_p":1.0,"truncation":"disabled","usage":{"input_tokens":5,)"
        R"("input_tokens_details":{"cached_tokens":2,"cache_write_tokens":0},"output_tokens":7,)"
        R"("output_tokens_details":{"reasoning_tokens":3},"total_tokens":12},"user":null,"metadata":{}})");
}

TEST(ResponsesReply, RepeatsWhatTheRequestSet) {
    const auto body = write_responses_reply(
        {.id = "1", .model = {}, .parts = {}, .stop_sequence = {}, .logprobs = {}, .usage = {}},
        R"({"input":"x","instructions":"i","max_output_tokens":9,"max_tool_calls":2,"parallel_tool_calls":false,
        "reasoning":{"effort":"low","summary":"auto"},"store":false,"temperature":0.7,"tool_choice":"none",
        "text":{"verbosity":"low"},"tools":[{"type":"function","name":"f"}],"top_logprobs":4,"top_p":0.5,
        "truncation":"auto","user":"u","metadata":{"b":"1","a":"2"}})",
        "m");
    for (const std::string_view piece :
         {R"("instructions":"i","max_output_tokens":9,"max_tool_calls":2)", R"("parallel_tool_calls":false)",
          R"("reasoning":{"effort":"low","summary":null})",
          R"("store":false,"temperature":0.7,"text":{"format":{"type":"text"},"verbosity":"low"})",
          R"("tool_choice":"none","tools":[{"type":"function","name":"f"}],"top_logprobs":4,"top_p":0.5)",
          R"("truncation":"auto")", R"("user":"u","metadata":{"b":"1","a":"2"}})"})
        EXPECT_TRUE(contains(body, piece)) << piece << "\n" << body;
}

TEST(ResponsesReply, PartsBecomeItemsAndTextsNextToEachOtherOneMessage) {
    const Completion completion{
        .id = "1",
        .model = {},
        .parts = {Thinking{"hm", "sig"}, RedactedThinking{"xx"}, Text{"a"}, Refusal{"no"},
                  ToolCall{"c1", "f", R"({"q":1})"}, ToolCall{"c2", "g", "free", true}},
        .stop = StopReason::tool_use,
        .stop_sequence = {},
        .logprobs = R"([{"token":"a","logprob":-0.5,"bytes":null,"top_logprobs":[)"
                    R"({"token":"a","logprob":-0.5,"bytes":null}]}])",
        .usage = {}};
    const auto body = write_responses_reply(completion, "{}", "m");
    EXPECT_TRUE(contains(
        body,
        R"("output":[{"type":"reasoning","id":"rs_100","summary":[],"content":[{"type":"reasoning_text",)"
        R"("text":"hm"}],"encrypted_content":"sig"},)"
        R"({"type":"reasoning","id":"rs_101","summary":[],"encrypted_content":"xx"},)"
        R"({"type":"message","id":"msg_102","role":"assistant","status":"completed","content":[)"
        R"({"type":"output_text","text":"a","annotations":[],"logprobs":[{"token":"a","logprob":-0.5,)"
        R"("bytes":[],"top_logprobs":[{"token":"a","logprob":-0.5,"bytes":[]}]}]},)"
        R"({"type":"refusal","refusal":"no"}]},)"
        R"({"type":"function_call","id":"fc_103","call_id":"c1","name":"f","arguments":"{\"q\":1}",)"
        R"("status":"completed"},)"
        R"({"type":"custom_tool_call","id":"ctc_104","call_id":"c2","name":"g","input":"free",)"
        R"("status":"completed"}],)"))
        << body;
}

TEST(ResponsesReply, WhatWasCutOffIsIncompleteAndSoIsItsLastItem) {
    Completion completion{.id = "1",
                          .model = {},
                          .parts = {Text{"a"}, ToolCall{"c1", "f", "{"}},
                          .stop = StopReason::length,
                          .stop_sequence = {},
                          .logprobs = {},
                          .usage = {}};
    auto body = timeless(write_responses_reply(completion, "{}", "m"));
    EXPECT_TRUE(contains(body, R"("status":"incomplete","background":false,"completed_at":null)")) << body;
    EXPECT_TRUE(contains(body, R"("incomplete_details":{"reason":"max_output_tokens"})")) << body;
    EXPECT_TRUE(contains(body, R"("role":"assistant","status":"completed")")) << body;
    EXPECT_TRUE(contains(body, R"("arguments":"{","status":"incomplete")")) << body;
    completion.stop = StopReason::refusal;
    body = write_responses_reply(completion, "{}", "m");
    EXPECT_TRUE(contains(body, R"("incomplete_details":{"reason":"content_filter"})")) << body;
}

TEST(ResponsesReply, AnAnswerThatSaysNothingHasAnEmptyMessage) {
    const Completion completion{.id = "1",
                                .model = {},
                                .parts = {Thinking{"hm", ""}},
                                .stop = StopReason::length,
                                .stop_sequence = {},
                                .logprobs = {},
                                .usage = {}};
    const auto body = write_responses_reply(completion, "{}", "m");
    EXPECT_TRUE(contains(body,
                         R"({"type":"message","id":"msg_101","role":"assistant","status":"incomplete",)"
                         R"("content":[{"type":"output_text","text":"","annotations":[],"logprobs":[]}]}])"))
        << body;
}

TEST(ResponsesReply, WhatIsWrittenReadsTheSame) {
    const Completion completion{
        .id = "7",
        .model = {},
        .parts = {Thinking{"hm", "sig"}, RedactedThinking{"xx"}, Text{"a"}, Refusal{"no"},
                  ToolCall{"c1", "f", "{}"}, ToolCall{"c2", "g", "free", true}},
        .stop = StopReason::tool_use,
        .stop_sequence = {},
        .logprobs = R"([{"token":"a","logprob":-0.5,"bytes":[97],"top_logprobs":[]}])",
        .usage = core::Usage{5, 7, 2, 3}};
    const auto once = write_responses_reply(completion, "{}", "m");
    const auto back = read(once);
    EXPECT_EQ(back.id, "resp_7");
    EXPECT_EQ(back.model, "m");
    EXPECT_EQ(back.parts.size(), 6);
    EXPECT_EQ(back.stop, StopReason::tool_use);
    EXPECT_EQ(back.usage, completion.usage);
    EXPECT_EQ(back.logprobs, completion.logprobs);
    EXPECT_EQ(timeless(write_responses_reply(back, "{}", "m")), timeless(once));
}

TEST(ResponsesReply, SummariesStandInForThoughtsThatAreNotTold) {
    const auto completion = read(R"({"output":[{"type":"reasoning","summary":[
        {"type":"summary_text","text":"a"},{"type":"summary_text","text":"b"}]}]})");
    ASSERT_EQ(completion.parts.size(), 1);
    EXPECT_EQ(std::get<Thinking>(completion.parts[0]).text, "a\n\nb");
    EXPECT_EQ(completion.stop, StopReason::end);
    EXPECT_EQ(completion.usage, std::nullopt);
}

TEST(ResponsesReply, TellsWhyAnAnswerWasCutOff) {
    EXPECT_EQ(
        read(R"({"output":[],"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"}})")
            .stop,
        StopReason::length);
    EXPECT_EQ(
        read(R"({"output":[],"status":"incomplete","incomplete_details":{"reason":"content_filter"}})").stop,
        StopReason::refusal);
    EXPECT_EQ(read(R"({"output":[],"status":"incomplete"})").stop, StopReason::length);
}

TEST(ResponsesReply, WhatIsNoFinishedAnswerIsRefused) {
    EXPECT_EQ(refusal("<html>"), "The model server's answer is not JSON.");
    EXPECT_EQ(refusal("[]"), "The model server's answer is not an object.");
    EXPECT_EQ(refusal(R"({"choices":[]})"), "The model server's answer has no output.");
    EXPECT_EQ(refusal(R"({"output":[],"status":"in_progress"})"),
              "The model server's answer is \"in_progress\".");
    EXPECT_EQ(refusal(R"({"output":[],"status":"failed","error":{"code":"server_error","message":"boom"}})"),
              "The model server reported: boom");
}

TEST(ResponsesReply, AServersOwnReplyKeepsEveryMemberAndGetsWhatItLacks) {
    EXPECT_EQ(
        completed(
            R"({"id":"resp_9","model":"theirs","vendor":{"x":1.0},"usage":{"input_tokens":1,"output_tokens":2,
            "output_tokens_details":{"reasoning_tokens":1,"tool_output_tokens":4}},"temperature":null,"error":null,
            "output":[{"type":"message","content":[{"type":"output_text","text":"Hi","logprobs":null}]},
            {"type":"reasoning"},{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},
            {"type":"odd","x":1}],"status":"completed","created_at":3})",
            R"({"input":"x","user":"u"})"),
        R"({"id":"resp_9","model":"mine","vendor":{"x":1.0},"usage":{"input_tokens":1,"output_tokens":2,)"
        R"("output_tokens_details":{"reasoning_tokens":1,"tool_output_tokens":4},)"
        R"("input_tokens_details":{"cached_tokens":0,"cache_write_tokens":0},"total_tokens":3},)"
        R"("temperature":1.0,"error":null,"output":[{"type":"message","content":[{"type":"output_text",)"
        R"("text":"Hi","logprobs":[],"annotations":[]}],"id":"msg_900","role":"assistant",)"
        R"("status":"completed"},{"type":"reasoning","id":"rs_901","summary":[]},{"type":"function_call",)"
        R"("call_id":"c","name":"f","arguments":"{}","id":"fc_902","status":"completed"},)"
        R"({"type":"odd","x":1}],"status":"completed","created_at":0,"object":"response","background":false,)"
        R"("completed_at":0,"incomplete_details":null,"instructions":null,"max_output_tokens":null,)"
        R"("max_tool_calls":null,"parallel_tool_calls":true,"previous_response_id":null,)"
        R"("reasoning":{"effort":null,"summary":null},"service_tier":"default","store":true,)"
        R"("text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[],"top_logprobs":0,"top_p":1.0,)"
        R"("truncation":"disabled","user":"u","metadata":{}})");
}

TEST(ResponsesReply, AServersOwnReplyWithoutUsageCountsNothing) {
    const auto whole = complete_responses_reply(R"({"output":[],"usage":null})", "{}", "m");
    ASSERT_TRUE(whole);
    EXPECT_EQ(whole->usage, core::Usage());
    EXPECT_TRUE(
        contains(whole->body, R"("usage":{"input_tokens":0,"input_tokens_details":{"cached_tokens":0)"))
        << whole->body;
    EXPECT_FALSE(complete_responses_reply(R"({"output":[],"error":{"message":"x"}})", "{}", "m"));
}

}  // namespace
}  // namespace sheaf::protocol

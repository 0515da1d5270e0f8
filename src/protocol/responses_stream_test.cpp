#include "protocol/responses_stream.h"

#include <gtest/gtest.h>

#include "protocol/shown_deltas_test.h"

namespace sheaf::protocol {
namespace {

std::string shown(std::initializer_list<std::string_view> events) {
    const auto reader = make_responses_stream_reader();
    return shown_deltas(*reader, events);
}

const std::string kEnd = fmt::format("stopped {} -|ended", static_cast<int>(StopReason::end));
const std::string kToolEnd = fmt::format("stopped {} -|ended", static_cast<int>(StopReason::tool_use));

constexpr std::string_view kCallDone =
    R"({"type":"response.output_item.done","output_index":1,"item":{"type":"function_call","call_id":"c",
    "name":"f","arguments":"{\"a\":1}"}})";

TEST(ResponsesStreamReader, WhatIsRepeatedAtTheEndIsTakenOnce) {
    EXPECT_EQ(
        shown(
            {R"({"type":"response.created","response":{"id":"resp_1","model":"m"}})",
             R"({"type":"response.in_progress","response":{"id":"resp_1","model":"m"}})",
             R"({"type":"response.output_item.added","output_index":0,"item":{"type":"message","content":[]}})",
             R"({"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"Hal"})",
             R"({"type":"response.output_text.done","output_index":0,"content_index":0,"text":"Hallo"})",
             R"({"type":"response.output_item.done","output_index":0,"item":{"type":"message","content":[
               {"type":"output_text","text":"Hallo"}]}})",
             R"({"type":"response.output_item.added","output_index":1,"item":{"type":"function_call",
               "call_id":"c","name":"f","arguments":""}})",
             R"({"type":"response.function_call_arguments.delta","output_index":1,"delta":"{\"a\":"})",
             kCallDone,
             R"({"type":"response.completed","response":{"id":"resp_1","status":"completed","output":[
               {"type":"message","content":[{"type":"output_text","text":"Hallo"}]},{"type":"function_call",
               "call_id":"c","name":"f","arguments":"{\"a\":1}"}],
               "usage":{"input_tokens":1,"output_tokens":2}}})"}),
        "started resp_1 m|text Hal|text lo|text |call 1 c f|1: {\"a\":|1: 1}|1 ends|usage 1 2 0 0|" +
            kToolEnd);
}

TEST(ResponsesStreamReader, WhatNoDeltaToldComesFromTheItems) {
    EXPECT_EQ(shown({kCallDone}), "call 1 c f|1: {\"a\":1}|1 ends");
    EXPECT_EQ(shown({R"({"type":"response.completed","response":{"id":"resp_1","model":"m","output":[
               {"type":"reasoning","summary":[{"type":"summary_text","text":"Hm"}],"encrypted_content":"e"},
               {"type":"reasoning","summary":[],"encrypted_content":"r"},
               {"type":"message","content":[{"type":"output_text","text":"a"},{"type":"refusal","refusal":"no"}]},
               {"type":"web_search_call"}]}})"}),
              "started resp_1 m|thinking Hm|signed e|redacted r|text a|refusal no|" + kEnd);
}

TEST(ResponsesStreamReader, SummariesAreTakenOnlyWhereThoughtsAreNotTold) {
    EXPECT_EQ(
        shown(
            {R"({"type":"response.reasoning_text.delta","output_index":0,"content_index":0,"delta":"a"})",
             R"({"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,"delta":"s"})",
             R"({"type":"response.reasoning_summary_text.delta","output_index":1,"summary_index":0,"delta":"t"})",
             R"({"type":"response.reasoning_summary_text.delta","output_index":1,"summary_index":1,"delta":"u"})",
             R"({"type":"response.reasoning_summary_text.delta","output_index":1,"summary_index":1,"delta":"v"})"}),
        "thinking a|thinking t|thinking \n\nu|thinking v");
}

TEST(ResponsesStreamReader, InputsOfCustomToolsAreTakenToo) {
    EXPECT_EQ(
        shown({R"({"type":"response.output_item.added","output_index":0,"item":{"type":"custom_tool_call",
               "call_id":"c","name":"g","input":""}})",
               R"({"type":"response.custom_tool_call_input.delta","output_index":0,"delta":"fr"})",
               R"({"type":"response.output_item.done","output_index":0,"item":{"type":"custom_tool_call",
               "call_id":"c","name":"g","input":"free"}})"}),
        "custom 0 c g|0: fr|0: ee|0 ends");
}

TEST(ResponsesStreamReader, AnIncompleteAnswerIsAnEndAndAFailedOneAFault) {
    EXPECT_EQ(shown({R"({"type":"response.incomplete","response":{"id":"r","status":"incomplete","output":[],
                     "incomplete_details":{"reason":"max_output_tokens"}}})"}),
              fmt::format("started r |stopped {} -|ended", static_cast<int>(StopReason::length)));
    EXPECT_EQ(
        shown({R"({"type":"response.failed","response":{"status":"failed","error":null,"output":[]}})"}),
        "fault: The model server's answer is \"failed\".");
}

TEST(ResponsesStreamReader, KeepsTheAnswerThatTheServerRepeats) {
    const auto reader = make_responses_stream_reader();
    EXPECT_EQ(reader->whole_reply(), "");
    shown_deltas(*reader, {R"({"type":"response.completed","response":{"id":"r","output":[],"x":1}})"});
    EXPECT_EQ(reader->whole_reply(), R"({"id":"r","output":[],"x":1})");
}

}  // namespace
}  // namespace sheaf::protocol

#include "protocol/chat_stream.h"

#include <gtest/gtest.h>

#include "protocol/shown_deltas_test.h"

namespace sheaf::protocol {
namespace {

// What a reader that has seen the beginning makes of the deltas of one choice.
std::string shown(std::initializer_list<std::string_view> deltas) {
    const auto reader = make_chat_stream_reader();
    EXPECT_EQ(shown_deltas(*reader, {R"({"id":"c","model":"m","choices":[]})"}), "started c m");
    std::string text;
    for (const auto delta : deltas) {
        const auto chunk = fmt::format(R"({{"choices":[{{"index":0,"delta":{}}}]}})", delta);
        const auto part = shown_deltas(*reader, {chunk});
        text += (text.empty() || part.empty() ? "" : "|") + part;
    }
    return text;
}

std::string shown_end(std::string_view choice) {
    const auto reader = make_chat_stream_reader();
    const auto chunk = fmt::format(R"({{"choices":[{}]}})", choice);
    return shown_deltas(*reader, {chunk});
}

TEST(ChatStreamReader, TakesThoughtsUnderBothNamesAndContentInParts) {
    EXPECT_EQ(
        shown({R"({"role":"assistant","content":""})", R"({"reasoning":"a"})", R"({"reasoning_content":"b"})",
               R"({"content":[{"type":"text","text":"c"},{"type":"text","text":"d"}]})",
               R"({"refusal":"no","content":null})"}),
        "thinking a|thinking b|text cd|refusal no");
}

TEST(ChatStreamReader, ACallEndsWithItsObject) {
    EXPECT_EQ(shown({R"({"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":""}}]})",
                     R"({"tool_calls":[{"index":0,"function":{"arguments":"{\"x\":\"}\\\""}}]})",
                     R"({"tool_calls":[{"index":0,"function":{"arguments":"{\",\"y\":[{}]"}}]})",
                     R"({"tool_calls":[{"index":0,"function":{"arguments":"}"}}]})"}),
              R"(call 0 a f|0: {"x":"}\"|0: {","y":[{}]|0: }|0 ends)");
}

TEST(ChatStreamReader, CallsAreToldApartWhateverTheServersIndexes) {
    EXPECT_EQ(shown({R"({"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]})",
                     R"({"tool_calls":[{"index":0,"id":"b","function":{"name":"g","arguments":{"z":1}}}]})"}),
              R"(call 0 a f|0: {}|0 ends|call 1 b g|1: {"z":1}|1 ends)");
    EXPECT_EQ(shown({R"({"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{"}}]})",
                     R"({"tool_calls":[{"function":{"arguments":"}"}}]})",
                     R"({"tool_calls":[{"id":"b","function":{"name":"g","arguments":"{}"}}]})"}),
              "call 0 a f|0: {|0: }|0 ends|call 1 b g|1: {}|1 ends");
    EXPECT_EQ(shown({R"({"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}]})",
                     R"({"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"}"}}]})"}),
              "call 0 a f|0: {|0: }|0 ends");
    const auto unnamed = shown({R"({"tool_calls":[{"index":0,"function":{"name":"f","arguments":"{}"}}]})"});
    EXPECT_TRUE(unnamed.starts_with("call 0 call_")) << unnamed;
}

TEST(ChatStreamReader, CallsOfCustomToolsAreTexts) {
    EXPECT_EQ(
        shown(
            {R"({"tool_calls":[{"index":0,"id":"a","type":"custom","custom":{"name":"g","input":"{}"}}]})"}),
        "custom 0 a g|0: {}");
}

TEST(ChatStreamReader, OtherChoicesThanTheFirstAreLeftOut) {
    EXPECT_EQ(shown_end(R"({"index":1,"delta":{"content":"b"}},{"index":0,"delta":{"content":"a"}})"),
              "started  |text a");
    EXPECT_EQ(shown_end(R"({"index":1,"delta":{"content":"b"}})"), "started  ");
}

TEST(ChatStreamReader, TellsWhyTheAnswerStoppedAndAtWhat) {
    EXPECT_EQ(shown_end(R"({"index":0,"delta":{},"finish_reason":"stop"})"),
              fmt::format("started  |stopped {} -", static_cast<int>(StopReason::end)));
    EXPECT_EQ(shown_end(R"({"index":0,"delta":{},"finish_reason":"stop","stop_reason":"END"})"),
              fmt::format("started  |stopped {} END", static_cast<int>(StopReason::stop_sequence)));
    EXPECT_EQ(shown_end(R"({"index":0,"delta":{},"finish_reason":"stop","matched_stop":151645})"),
              fmt::format("started  |stopped {} -", static_cast<int>(StopReason::end)));
    EXPECT_EQ(shown_end(R"({"index":0,"delta":{},"finish_reason":"content_filter"})"),
              fmt::format("started  |stopped {} -", static_cast<int>(StopReason::refusal)));
    EXPECT_EQ(shown_end(R"({"index":0,"delta":{},"finish_reason":"error"})"),
              "fault: The model server's answer ended with \"error\".");
}

TEST(ChatStreamReader, UsageMayComeWithAnyChunk) {
    const auto reader = make_chat_stream_reader();
    EXPECT_EQ(shown_deltas(*reader, {R"({"choices":[],"usage":null})",
                                     R"({"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}})"}),
              "started  |usage 3 4 0 0");
}

TEST(ChatStream, AUsageChunkIsWantedOnlyByThoseWhoSaySo) {
    EXPECT_TRUE(wants_usage_chunk(R"({"stream_options":{"include_usage":true}})"));
    EXPECT_FALSE(wants_usage_chunk(R"({"stream_options":{"include_usage":false}})"));
    EXPECT_FALSE(wants_usage_chunk(R"({"stream_options":null})"));
    EXPECT_FALSE(wants_usage_chunk("{}"));
    EXPECT_FALSE(wants_usage_chunk(""));
}

}  // namespace
}  // namespace sheaf::protocol

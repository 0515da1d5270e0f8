#include "protocol/messages_stream.h"

#include <gtest/gtest.h>

#include "protocol/shown_deltas_test.h"

namespace sheaf::protocol {
namespace {

std::string shown(std::initializer_list<std::string_view> events) {
    const auto reader = make_messages_stream_reader();
    return shown_deltas(*reader, events);
}

TEST(MessagesStreamReader, BlocksMayBeginWithTheirContent) {
    EXPECT_EQ(
        shown(
            {R"({"type":"content_block_start","index":0,"content_block":{"type":"text","text":"a"}})",
             R"({"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t","name":"f",
               "input":{"x":1}}})",
             R"({"type":"content_block_stop","index":1})",
             R"({"type":"content_block_start","index":2,"content_block":{"type":"redacted_thinking","data":"d"}})"}),
        R"(text a|call 1 t f|1: {"x":1}|1 ends|redacted d)");
}

TEST(MessagesStreamReader, ACallWithoutInputHasAnEmptyObject) {
    EXPECT_EQ(
        shown(
            {R"({"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"f",
               "input":{}}})",
             R"({"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":""}})",
             R"({"type":"content_block_stop","index":0})"}),
        "call 0 t f|0: {}|0 ends");
}

TEST(MessagesStreamReader, BlocksOfTheServersOwnToolsAreLeftOut) {
    EXPECT_EQ(
        shown(
            {R"({"type":"content_block_start","index":0,"content_block":{"type":"server_tool_use","id":"s"}})",
             R"({"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{"}})",
             R"({"type":"content_block_stop","index":0})", R"({"type":"ping"})", R"({"type":"new_event"})"}),
        "");
}

TEST(MessagesStreamReader, UsageAddsUpFromTheFirstEventAndTheLast) {
    EXPECT_EQ(shown({R"({"type":"message_start","message":{"id":"msg_1","model":"m","usage":{"input_tokens":5,
               "cache_creation_input_tokens":2,"cache_read_input_tokens":3,"output_tokens":1}}})",
                     R"({"type":"message_delta","delta":{"stop_reason":"stop_sequence","stop_sequence":"END"},
               "usage":{"output_tokens":9}})",
                     R"({"type":"message_stop"})"}),
              fmt::format("usage 10 1 3 0|started msg_1 m|usage 10 9 3 0|stopped {} END|ended",
                          static_cast<int>(StopReason::stop_sequence)));
    EXPECT_EQ(
        shown(
            {R"({"type":"message_start","message":{"id":"1","usage":{"input_tokens":0,"output_tokens":0}}})",
             R"({"type":"message_delta","delta":{},"usage":{"input_tokens":7,"output_tokens":9}})"}),
        "usage 0 0 0 0|started 1 |usage 7 9 0 0");
}

}  // namespace
}  // namespace sheaf::protocol

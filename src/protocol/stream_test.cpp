#include <map>
#include <regex>

#include <gtest/gtest.h>

#include "protocol/translation.h"

namespace sheaf::protocol {
namespace {

constexpr auto kChat = Protocol::chat_completions;
constexpr auto kMessages = Protocol::messages;
constexpr auto kResponses = Protocol::responses;

// The request of a client that wants to see all there is.
constexpr std::string_view kRequest =
    R"({"model":"mine","input":"x","stream":true,"stream_options":{"include_usage":true},)"
    R"("thinking":{"type":"enabled","budget_tokens":1024}})";

struct Told {
    std::string events;
    std::string reply;
    core::Usage usage;
    std::string fault;
};

// Times, which the clock gave, as 0.
std::string timeless(const std::string& text) {
    return std::regex_replace(text, std::regex(R"re("(created|created_at|completed_at)":\d+)re"),
                              R"("$1":0)");
}

Told translated(Protocol from, Protocol to, std::string_view stream, std::size_t piece = 1 << 20,
                std::string_view request = kRequest) {
    const auto translator = make_stream_translator(from, to, request, "mine");
    Told told;
    while (!stream.empty()) {
        auto events = translator->feed(stream.substr(0, piece));
        stream.remove_prefix(std::min(piece, stream.size()));
        if (!events) {
            told.fault = events.error().message;
            return told;
        }
        told.events += *events;
    }
    auto end = translator->finish();
    if (!end) {
        told.fault = end.error().message;
        return told;
    }
    told.events = timeless(told.events + end->events);
    told.reply = timeless(end->reply.body);
    told.usage = end->reply.usage;
    return told;
}

// One answer, as a server of each protocol tells it: a thought, a text, two calls.
constexpr std::string_view kChatStream =
    "data: "
    "{\"id\":\"chatcmpl-7\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"theirs\","
    "\"choices\":"
    "[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n"
    "data: "
    "{\"id\":\"chatcmpl-7\",\"model\":\"theirs\",\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":"
    "\"Hm\"},\"finish_reason\":null}]}\n\n"
    "data: {\"id\":\"chatcmpl-7\",\"model\":\"theirs\",\"choices\":[{\"index\":0,\"delta\":{\"content\":"
    "\"Grü\"},\"finish_reason\":null}]}\n\n"
    "data: {\"id\":\"chatcmpl-7\",\"model\":\"theirs\",\"choices\":[{\"index\":0,\"delta\":{\"content\":"
    "\"ße \\ud83d\\ude00\"},\"finish_reason\":null}]}\n\n"
    "data: {\"id\":\"chatcmpl-7\",\"model\":\"theirs\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{"
    "\"index\":0,\"id\":\"call_a\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]},"
    "\"finish_reason\":null}]}\n\n"
    "data: {\"id\":\"chatcmpl-7\",\"model\":\"theirs\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{"
    "\"index\":0,\"function\":{\"arguments\":\"{\\\"q\\\":\"}}]},\"finish_reason\":null}]}\n\n"
    "data: {\"id\":\"chatcmpl-7\",\"model\":\"theirs\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{"
    "\"index\":0,\"function\":{\"arguments\":\"1}\"}},{\"index\":1,\"id\":\"call_b\",\"type\":\"function\","
    "\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}]},\"finish_reason\":null}]}\n\n"
    "data: "
    "{\"id\":\"chatcmpl-7\",\"model\":\"theirs\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":"
    "\"tool_calls\"}]}\n\n"
    "data: {\"id\":\"chatcmpl-7\",\"model\":\"theirs\",\"choices\":[],\"usage\":{\"prompt_tokens\":11,"
    "\"completion_tokens\":22,\"total_tokens\":33,\"prompt_tokens_details\":{\"cached_tokens\":4},"
    "\"completion_tokens_details\":{\"reasoning_tokens\":5}}}\n\n"
    "data: [DONE]\n\n";

constexpr std::string_view kMessagesStream =
    "event: message_start\ndata: "
    "{\"type\":\"message_start\",\"message\":{\"id\":\"msg_7\",\"type\":\"message\","
    "\"role\":\"assistant\",\"model\":\"theirs\",\"content\":[],\"usage\":{\"input_tokens\":7,"
    "\"cache_read_input_tokens\":4,\"output_tokens\":1}}}\n\n"
    "event: ping\ndata: {\"type\":\"ping\"}\n\n"
    "event: content_block_start\ndata: "
    "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":"
    "\"thinking\",\"thinking\":\"\",\"signature\":\"\"}}\n\n"
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":"
    "\"thinking_delta\",\"thinking\":\"Hm\"}}\n\n"
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":"
    "\"signature_delta\",\"signature\":\"sig\"}}\n\n"
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
    "event: content_block_start\ndata: "
    "{\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":"
    "\"text\",\"text\":\"\"}}\n\n"
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":"
    "\"text_delta\",\"text\":\"Grü\"}}\n\n"
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":"
    "\"text_delta\",\"text\":\"ße 😀\"}}\n\n"
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":1}\n\n"
    "event: content_block_start\ndata: "
    "{\"type\":\"content_block_start\",\"index\":2,\"content_block\":{\"type\":"
    "\"tool_use\",\"id\":\"call_a\",\"name\":\"f\",\"input\":{}}}\n\n"
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":2,\"delta\":{\"type\":"
    "\"input_json_delta\",\"partial_json\":\"{\\\"q\\\":\"}}\n\n"
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":2,\"delta\":{\"type\":"
    "\"input_json_delta\",\"partial_json\":\"1}\"}}\n\n"
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":2}\n\n"
    "event: content_block_start\ndata: "
    "{\"type\":\"content_block_start\",\"index\":3,\"content_block\":{\"type\":"
    "\"tool_use\",\"id\":\"call_b\",\"name\":\"g\",\"input\":{}}}\n\n"
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":3}\n\n"
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\","
    "\"stop_sequence\":null},\"usage\":{\"output_tokens\":22,\"output_tokens_details\":{\"thinking_tokens\":"
    "5}}}\n\n"
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
    "data: [DONE]\n\n";

// The same as our own writer tells it.
std::string responses_stream() {
    return translated(kMessages, kResponses, kMessagesStream).events;
}

constexpr core::Usage kUsage{
    .input_tokens = 11, .output_tokens = 22, .cached_tokens = 4, .reasoning_tokens = 5};

TEST(Stream, AnAnswerIsToldAsMessages) {
    const auto told = translated(kChat, kMessages, kChatStream);
    ASSERT_EQ(told.fault, "");
    const std::string usage =
        R"("usage":{"input_tokens":7,"cache_creation_input_tokens":0,"cache_read_input_tokens":4,)"
        R"("cache_creation":null,"output_tokens":22,"output_tokens_details":{"thinking_tokens":5},)"
        R"("server_tool_use":null,"service_tier":"standard","inference_geo":null,"speed":null})";
    EXPECT_EQ(
        told.events,
        "event: message_start\n"
        R"(data: {"type":"message_start","message":{"id":"msg_7","type":"message","role":"assistant",)"
        R"("model":"mine","content":[],"stop_reason":null,"stop_sequence":null,"stop_details":null,)"
        R"("container":null,"diagnostics":null,"usage":{"input_tokens":0,"cache_creation_input_tokens":0,)"
        R"("cache_read_input_tokens":0,"cache_creation":null,"output_tokens":0,"output_tokens_details":null,)"
        R"("server_tool_use":null,"service_tier":"standard","inference_geo":null,"speed":null}}})"
        "\n\n"
        "event: content_block_start\n"
        R"(data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"",)"
        R"("signature":""}})"
        "\n\nevent: content_block_delta\n"
        R"(data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm"}})"
        "\n\nevent: content_block_delta\n"
        R"(data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta",)"
        R"("signature":"c2hlYWY="}})"
        "\n\nevent: content_block_stop\n"
        R"(data: {"type":"content_block_stop","index":0})"
        "\n\nevent: content_block_start\n"
        R"(data: {"type":"content_block_start","index":1,"content_block":{"type":"text","text":"",)"
        R"("citations":null}})"
        "\n\nevent: content_block_delta\n"
        R"(data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Grü"}})"
        "\n\nevent: content_block_delta\n"
        R"(data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"ße 😀"}})"
        "\n\nevent: content_block_stop\n"
        R"(data: {"type":"content_block_stop","index":1})"
        "\n\nevent: content_block_start\n"
        R"(data: {"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"call_a",)"
        R"("name":"f","input":{},"caller":{"type":"direct"}}})"
        "\n\nevent: content_block_delta\n"
        R"(data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta",)"
        R"("partial_json":"{\"q\":"}})"
        "\n\nevent: content_block_delta\n"
        R"(data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta",)"
        R"("partial_json":"1}"}})"
        "\n\nevent: content_block_stop\n"
        R"(data: {"type":"content_block_stop","index":2})"
        "\n\nevent: content_block_start\n"
        R"(data: {"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"call_b",)"
        R"("name":"g","input":{},"caller":{"type":"direct"}}})"
        "\n\nevent: content_block_delta\n"
        R"(data: {"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta",)"
        R"("partial_json":"{}"}})"
        "\n\nevent: content_block_stop\n"
        R"(data: {"type":"content_block_stop","index":3})"
        "\n\nevent: message_delta\n"
        R"(data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null,)"
        R"("stop_details":null,"container":null},)" +
            usage +
            "}\n\nevent: message_stop\n"
            R"(data: {"type":"message_stop"})"
            "\n\n");
    EXPECT_EQ(told.usage, kUsage);
    EXPECT_TRUE(told.reply.starts_with(R"({"id":"msg_7","type":"message")")) << told.reply;
    EXPECT_TRUE(told.reply.ends_with(usage + "}")) << told.reply;
}

TEST(Stream, AnAnswerIsToldAsChatCompletions) {
    const auto told = translated(kMessages, kChat, kMessagesStream);
    ASSERT_EQ(told.fault, "");
    const auto chunk = [](std::string_view delta, std::string_view finish = "null") {
        return R"(data: {"id":"chatcmpl-7","object":"chat.completion.chunk","created":0,"model":"mine",)"
               R"("choices":[{"index":0,"delta":)" +
               std::string(delta) + R"(,"logprobs":null,"finish_reason":)" + std::string(finish) +
               "}],\"usage\":null}\n\n";
    };
    EXPECT_EQ(
        told.events,
        chunk(R"({"role":"assistant","content":"","refusal":null})") +
            chunk(R"({"reasoning_content":"Hm"})") + chunk(R"({"content":"Grü"})") +
            chunk(R"({"content":"ße 😀"})") +
            chunk(
                R"({"tool_calls":[{"index":0,"id":"call_a","type":"function","function":{"name":"f","arguments":""}}]})") +
            chunk(R"({"tool_calls":[{"index":0,"function":{"arguments":"{\"q\":"}}]})") +
            chunk(R"({"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]})") +
            chunk(
                R"({"tool_calls":[{"index":1,"id":"call_b","type":"function","function":{"name":"g","arguments":""}}]})") +
            chunk(R"({"tool_calls":[{"index":1,"function":{"arguments":"{}"}}]})") +
            chunk("{}", "\"tool_calls\"") +
            R"(data: {"id":"chatcmpl-7","object":"chat.completion.chunk","created":0,"model":"mine",)"
            R"("choices":[],"usage":{"prompt_tokens":11,"completion_tokens":22,"total_tokens":33,)"
            R"("prompt_tokens_details":{"cached_tokens":4,"audio_tokens":0},"completion_tokens_details":{)"
            R"("reasoning_tokens":5,"audio_tokens":0,"accepted_prediction_tokens":0,)"
            R"("rejected_prediction_tokens":0}}})"
            "\n\ndata: [DONE]\n\n");
    EXPECT_EQ(told.usage, kUsage);
    EXPECT_TRUE(told.reply.starts_with(R"({"id":"chatcmpl-7","object":"chat.completion")")) << told.reply;
}

// The events of a Responses stream in short: the type, and what is particular to it.
std::string outline(const std::string& events) {
    static const std::regex whole(
        R"re(event: (\S+)\ndata: \{"type":"(\S+?)","sequence_number":(\d+),(.*)\}\n)re");
    std::string text;
    std::size_t expected = 0;
    for (auto at = std::sregex_iterator(events.begin(), events.end(), whole); at != std::sregex_iterator();
         ++at) {
        const auto& match = *at;
        EXPECT_EQ(match[1], match[2]);
        EXPECT_EQ(match[3], std::to_string(expected++));
        text += match[1].str().substr(match[1].str().find('.') + 1);
        text += match[4].str().starts_with("\"response\"") ? "" : " " + match[4].str();
        text += "\n";
    }
    return text;
}

TEST(Stream, AnAnswerIsToldAsResponses) {
    const auto told = translated(kChat, kResponses, kChatStream);
    ASSERT_EQ(told.fault, "");
    EXPECT_EQ(outline(told.events), R"events(created
in_progress
output_item.added "output_index":0,"item":{"type":"reasoning","id":"rs_700","summary":[],"content":[]}
content_part.added "item_id":"rs_700","output_index":0,"content_index":0,"part":{"type":"reasoning_text","text":""}
reasoning_text.delta "item_id":"rs_700","output_index":0,"content_index":0,"delta":"Hm"
reasoning_text.done "item_id":"rs_700","output_index":0,"content_index":0,"text":"Hm"
content_part.done "item_id":"rs_700","output_index":0,"content_index":0,"part":{"type":"reasoning_text","text":"Hm"}
output_item.done "output_index":0,"item":{"type":"reasoning","id":"rs_700","summary":[],"content":[{"type":"reasoning_text","text":"Hm"}]}
output_item.added "output_index":1,"item":{"type":"message","id":"msg_701","role":"assistant","status":"in_progress","content":[]}
content_part.added "item_id":"msg_701","output_index":1,"content_index":0,"part":{"type":"output_text","text":"","annotations":[],"logprobs":[]}
output_text.delta "item_id":"msg_701","output_index":1,"content_index":0,"delta":"Grü","logprobs":[]
output_text.delta "item_id":"msg_701","output_index":1,"content_index":0,"delta":"ße 😀","logprobs":[]
output_text.done "item_id":"msg_701","output_index":1,"content_index":0,"text":"Grüße 😀","logprobs":[]
content_part.done "item_id":"msg_701","output_index":1,"content_index":0,"part":{"type":"output_text","text":"Grüße 😀","annotations":[],"logprobs":[]}
output_item.done "output_index":1,"item":{"type":"message","id":"msg_701","role":"assistant","status":"completed","content":[{"type":"output_text","text":"Grüße 😀","annotations":[],"logprobs":[]}]}
output_item.added "output_index":2,"item":{"type":"function_call","id":"fc_702","call_id":"call_a","name":"f","arguments":"","status":"in_progress"}
function_call_arguments.delta "item_id":"fc_702","output_index":2,"delta":"{\"q\":"
function_call_arguments.delta "item_id":"fc_702","output_index":2,"delta":"1}"
function_call_arguments.done "item_id":"fc_702","output_index":2,"name":"f","arguments":"{\"q\":1}"
output_item.done "output_index":2,"item":{"type":"function_call","id":"fc_702","call_id":"call_a","name":"f","arguments":"{\"q\":1}","status":"completed"}
output_item.added "output_index":3,"item":{"type":"function_call","id":"fc_703","call_id":"call_b","name":"g","arguments":"","status":"in_progress"}
function_call_arguments.delta "item_id":"fc_703","output_index":3,"delta":"{}"
function_call_arguments.done "item_id":"fc_703","output_index":3,"name":"g","arguments":"{}"
output_item.done "output_index":3,"item":{"type":"function_call","id":"fc_703","call_id":"call_b","name":"g","arguments":"{}","status":"completed"}
completed
)events");
    EXPECT_EQ(told.usage, kUsage);
    EXPECT_TRUE(told.events.ends_with("\"response\":" + told.reply + "}\n\n"));
    EXPECT_TRUE(
        told.reply.starts_with(R"({"id":"resp_7","object":"response","created_at":0,"status":"completed")"))
        << told.reply;
}

// The content of a reply in every protocol does not depend on the way it came.
TEST(Stream, EveryWayEndsInTheSameAnswer) {
    const auto responses = responses_stream();
    const std::vector<std::pair<Protocol, std::string_view>> streams{
        {kChat, kChatStream}, {kMessages, kMessagesStream}, {kResponses, responses}};
    for (const auto& [from, stream] : streams) {
        for (const auto to : {kChat, kMessages, kResponses}) {
            const auto told = translated(from, to, stream);
            SCOPED_TRACE(std::string(to_string(from)) + " to " + std::string(to_string(to)));
            ASSERT_EQ(told.fault, "");
            EXPECT_EQ(told.usage, kUsage);
            // Chat Completions has no signatures.
            const auto reply =
                std::regex_replace(told.reply, std::regex(R"re(c2hlYWY=|,"encrypted_content":"[^"]*")re"),
                                   told.reply.find("c2hlYWY=") == std::string::npos ? "" : "sig");
            static std::map<Protocol, std::string> first;
            EXPECT_EQ(first.try_emplace(to, reply).first->second, reply);
        }
    }
}

TEST(Stream, TheSameComesOutHoweverTheBytesAreCut) {
    const auto responses = responses_stream();
    const std::vector<std::pair<Protocol, std::string_view>> streams{
        {kChat, kChatStream}, {kMessages, kMessagesStream}, {kResponses, responses}};
    for (const auto& [from, stream] : streams) {
        for (const auto to : {kChat, kMessages, kResponses}) {
            const auto whole = translated(from, to, stream);
            for (const std::size_t piece : {1U, 2U, 3U, 7U, 64U, 1000U}) {
                const auto cut = translated(from, to, stream, piece);
                EXPECT_EQ(cut.events, whole.events);
                EXPECT_EQ(cut.reply, whole.reply);
                EXPECT_EQ(cut.fault, "");
            }
        }
    }
}

TEST(Stream, WhatIsToldAsTheSameProtocolPassesButForTheModelsName) {
    const auto renamed = [](std::string_view stream) {
        return std::regex_replace(std::string(stream), std::regex("theirs"), "mine");
    };
    const auto chat = translated(kChat, kChat, kChatStream);
    EXPECT_EQ(chat.events,
              timeless(std::regex_replace(renamed(kChatStream), std::regex(R"(\\ud83d\\ude00)"), "😀")));
    const auto messages = translated(kMessages, kMessages, kMessagesStream);
    EXPECT_EQ(messages.events + "data: [DONE]\n\n", renamed(kMessagesStream));
    const auto responses = responses_stream();
    EXPECT_EQ(translated(kResponses, kResponses, responses).events, responses);
}

TEST(Stream, UsageChunksAreForThoseWhoAskedForThem) {
    constexpr std::string_view request = R"({"model":"mine","stream":true})";
    for (const auto& told : {translated(kChat, kChat, kChatStream, 1 << 20, request),
                             translated(kMessages, kChat, kMessagesStream, 1 << 20, request)}) {
        EXPECT_EQ(told.events.find("usage"), std::string::npos) << told.events;
        EXPECT_TRUE(told.events.ends_with("data: [DONE]\n\n"));
        EXPECT_EQ(told.usage, kUsage);
    }
}

TEST(Stream, ThoughtsAreHiddenFromMessagesClientsThatDidNotAskForThem) {
    const auto told = translated(kChat, kMessages, kChatStream, 1 << 20, R"({"model":"mine"})");
    EXPECT_EQ(told.events.find("thinking\""), std::string::npos);
    EXPECT_NE(told.events.find(R"("index":0,"content_block":{"type":"text")"), std::string::npos)
        << told.events;
    EXPECT_EQ(told.reply.find("\"thinking\""), std::string::npos);
}

TEST(Stream, CallsThatComeAtTheSameTimeAreToldOneAfterTheOther) {
    const auto chunk = [](std::string_view calls) {
        return R"(data: {"id":"1","choices":[{"index":0,"delta":{"tool_calls":[)" + std::string(calls) +
               "]},\"finish_reason\":null}]}\n\n";
    };
    const auto stream =
        chunk(R"({"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":"}})") +
        chunk(R"({"index":1,"id":"b","function":{"name":"g","arguments":"{\"y\":"}})") +
        chunk(R"({"index":0,"function":{"arguments":"\"}\""}},{"index":1,"function":{"arguments":"2"}})") +
        chunk(R"({"index":1,"function":{"arguments":"}"}})") +
        chunk(R"({"index":0,"function":{"arguments":"}"}})") +
        "data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    const auto told = translated(kChat, kMessages, stream);
    ASSERT_EQ(told.fault, "");
    std::string blocks;
    static const std::regex piece(
        R"re("name":"(f|g)"|"partial_json":"((?:[^"\\]|\\.)*)"|"type":"(content_block_stop)")re");
    for (auto at = std::sregex_iterator(told.events.begin(), told.events.end(), piece);
         at != std::sregex_iterator(); ++at)
        blocks += (*at)[3].matched ? "|" : (*at)[1].str() + (*at)[2].str();
    EXPECT_EQ(blocks, R"(f{\"x\":\"}\"}|g{\"y\":2}|)");
    EXPECT_NE(told.reply.find(R"("input":{"x":"}"})"), std::string::npos) << told.reply;
    EXPECT_NE(told.reply.find(R"("stop_reason":"tool_use")"), std::string::npos) << told.reply;
}

TEST(Stream, ServersWithoutUsageCountNothing) {
    const std::string stream =
        "data: "
        "{\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"},\"finish_reason\":\"length\"}"
        "]}"
        "\n\ndata: [DONE]\n\n";
    const auto told = translated(kChat, kResponses, stream);
    EXPECT_EQ(told.fault, "");
    EXPECT_EQ(told.usage, core::Usage());
    EXPECT_NE(told.events.find("event: response.incomplete\n"), std::string::npos);
    EXPECT_NE(told.events.find(R"("usage":{"input_tokens":0,)"), std::string::npos);
    EXPECT_NE(told.events.find(R"("status":"incomplete","content":[{"type":"output_text","text":"Hi")"),
              std::string::npos);
}

TEST(Stream, AnAnswerThatSaysNothingIsAnEmptyText) {
    const std::string stream =
        "data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    const auto messages = translated(kChat, kMessages, stream);
    EXPECT_NE(messages.events.find(R"("content_block":{"type":"text","text":"","citations":null})"),
              std::string::npos);
    EXPECT_NE(messages.events.find("event: content_block_stop"), std::string::npos);
    const auto responses = translated(kChat, kResponses, stream);
    EXPECT_NE(responses.events.find(R"("status":"completed","content":[{"type":"output_text","text":"",)"),
              std::string::npos);
}

TEST(Stream, LogProbabilitiesGoAlong) {
    const std::string stream =
        R"(data: {"id":"1","choices":[{"index":0,"delta":{"content":"A"},"logprobs":{"content":[)"
        R"({"token":"A","logprob":-0.5,"bytes":null,"top_logprobs":[]}]},"finish_reason":null}]})"
        "\n\n"
        R"(data: {"id":"1","choices":[{"index":0,"delta":{"content":"B"},"logprobs":{"content":[)"
        R"({"token":"B","logprob":-1.5,"bytes":[66],"top_logprobs":[]}]},"finish_reason":"stop"}]})"
        "\n\n";
    const auto told = translated(kChat, kResponses, stream);
    EXPECT_NE(told.events.find(
                  R"("delta":"A","logprobs":[{"token":"A","logprob":-0.5,"bytes":[],"top_logprobs":[]}])"),
              std::string::npos)
        << told.events;
    const std::string both =
        R"("text":"AB","annotations":[],"logprobs":[{"token":"A","logprob":-0.5,"bytes":[],)"
        R"("top_logprobs":[]},{"token":"B","logprob":-1.5,"bytes":[66],"top_logprobs":[]}])";
    EXPECT_NE(told.reply.find(both), std::string::npos) << told.reply;
    const auto back = translated(kResponses, kChat, told.events);
    EXPECT_NE(
        back.events.find(
            R"("delta":{"content":"B"},"logprobs":{"content":[{"token":"B","logprob":-1.5,"bytes":[66],)"),
        std::string::npos)
        << back.events;
}

TEST(Stream, AServerThatAnswersInOnePieceIsUnderstoodToo) {
    const std::string chat =
        R"({"id":"chatcmpl-7","model":"theirs","choices":[{"index":0,"message":{"role":"assistant",)"
        R"("content":"Grüße","reasoning_content":"Hm","tool_calls":[{"id":"a","type":"function",)"
        R"("function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}],)"
        R"("usage":{"prompt_tokens":3,"completion_tokens":4}})";
    for (const std::size_t piece : {1U, 1000U}) {
        const auto told = translated(kChat, kMessages, "\n " + chat, piece);
        ASSERT_EQ(told.fault, "");
        EXPECT_NE(told.events.find(R"({"type":"text_delta","text":"Grüße"})"), std::string::npos);
        EXPECT_NE(told.events.find(R"("partial_json":"{}")"), std::string::npos);
        EXPECT_TRUE(told.events.ends_with("data: {\"type\":\"message_stop\"}\n\n"));
        EXPECT_EQ(told.usage.input_tokens, 3);
    }
    const auto same = translated(kChat, kChat, chat);
    EXPECT_NE(same.events.find(R"("delta":{"reasoning_content":"Hm"})"), std::string::npos) << same.events;
    EXPECT_TRUE(same.events.ends_with("data: [DONE]\n\n"));
    EXPECT_EQ(translated(kChat, kMessages, R"({"error":{"message":"boom"}})").fault,
              "The model server reported: boom");
}

TEST(Stream, AnErrorEventEndsTheStreamWithItsMessage) {
    EXPECT_EQ(translated(kChat, kMessages, "data: {\"error\":{\"message\":\"boom\",\"code\":500}}\n\n").fault,
              "boom");
    EXPECT_EQ(translated(kChat, kChat, "data: {\"error\":\"boom\"}\n\n").fault, "boom");
    EXPECT_EQ(translated(kChat, kChat, "data: {\"object\":\"error\",\"message\":\"boom\"}\n\n").fault,
              "boom");
    EXPECT_EQ(translated(kMessages, kChat,
                         "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\","
                         "\"message\":\"boom\"}}\n\n")
                  .fault,
              "boom");
    EXPECT_EQ(translated(kResponses, kChat,
                         "event: error\ndata: {\"type\":\"error\",\"code\":null,\"message\":\"boom\"}\n\n")
                  .fault,
              "boom");
    EXPECT_EQ(
        translated(kResponses, kResponses,
                   "data: {\"type\":\"response.failed\",\"response\":{\"id\":\"r\",\"status\":\"failed\","
                   "\"error\":{\"code\":\"server_error\",\"message\":\"boom\"},\"output\":[]}}\n\n")
            .fault,
        "boom");
}

TEST(Stream, WhatIsCutShortOrIsNoStreamIsRefused) {
    const std::string early = "The model server's answer ended before it was complete.";
    const auto responses = responses_stream();
    for (const auto to : {kChat, kMessages, kResponses}) {
        EXPECT_EQ(translated(kChat, to, kChatStream.substr(0, kChatStream.find("ße"))).fault, early);
        EXPECT_EQ(
            translated(kMessages, to, kMessagesStream.substr(0, kMessagesStream.find("event: message_d")))
                .fault,
            early);
        EXPECT_EQ(translated(kResponses, to, responses.substr(0, responses.find("event: response.completed")))
                      .fault,
                  early);
        EXPECT_EQ(
            translated(kResponses, to, "data: {\"type\":\"response.created\"}\n\ndata: [DONE]\n\n").fault,
            early);
        EXPECT_EQ(translated(kChat, to, "").fault, early);
    }
    EXPECT_EQ(translated(kChat, kChat, "<html>\n\n").fault, early);
    EXPECT_EQ(translated(kChat, kChat, "data: nonsense\n\n").fault,
              "An event of the model server's answer is not a JSON object.");
    const auto abort = translated(
        kChat, kMessages, "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"abort\"}]}\n\n");
    EXPECT_EQ(abort.fault, "The model server's answer ended with \"abort\".");
}

TEST(Stream, AnEndWithoutItsMarkIsAnEndOnceTheReasonWasTold) {
    const auto chat = translated(kChat, kChat, kChatStream.substr(0, kChatStream.find("data: [DONE]")));
    EXPECT_EQ(chat.fault, "");
    EXPECT_TRUE(chat.events.ends_with("data: [DONE]\n\n"));
    const auto unterminated = kMessagesStream.substr(0, kMessagesStream.find("\n\ndata: [DONE]"));
    const auto messages = translated(kMessages, kMessages, unterminated);
    EXPECT_EQ(messages.fault, "");
    EXPECT_TRUE(messages.events.ends_with("message_stop\"}\n\n"));
}

TEST(Stream, AnEventBeyondTheLimitIsTooLarge) {
    const auto translator = make_stream_translator(kChat, kChat, "{}", "mine");
    const std::string piece(1U << 20, 'x');
    ASSERT_TRUE(translator->feed("data: "));
    Result<std::string> fed;
    for (int i = 0; i < 5 && fed; ++i) fed = translator->feed(piece);
    ASSERT_FALSE(fed);
    EXPECT_EQ(fed.error().code, ErrorCode::too_large);
}

}  // namespace
}  // namespace sheaf::protocol

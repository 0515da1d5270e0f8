#include "protocol/translation.h"

#include <algorithm>
#include <array>
#include <string>

#include <gtest/gtest.h>

#include "protocol/testing_json.h"

namespace sheaf::protocol {
namespace {

constexpr std::array kProtocols{Protocol::chat_completions, Protocol::messages, Protocol::responses};

// One question with a tool in its history, in each protocol.
constexpr std::string_view kChat =
    R"({"model":"c","messages":[{"role":"system","content":"Be kind"},{"role":"user","content":"2+2?"},{"role":"assistant","content":null,"tool_calls":[{"id":"t1","type":"function","function":{"name":"add","arguments":"{\"a\":2,\"b\":2}"}}]},{"role":"tool","tool_call_id":"t1","content":"4"}],"tools":[{"type":"function","function":{"name":"add","description":"adds","parameters":{"type":"object","properties":{"a":{"type":"number"}}}}}],"tool_choice":"auto","max_completion_tokens":99,"temperature":0.25})";
constexpr std::string_view kMessages =
    R"({"model":"c","max_tokens":99,"system":"Be kind","messages":[{"role":"user","content":"2+2?"},{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"add","input":{"a":2,"b":2}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"4"}]}],"tools":[{"name":"add","description":"adds","input_schema":{"type":"object","properties":{"a":{"type":"number"}}}}],"tool_choice":{"type":"auto"},"temperature":0.25})";
constexpr std::string_view kResponses =
    R"({"model":"c","instructions":"Be kind","input":[{"role":"user","content":"2+2?"},{"type":"function_call","call_id":"t1","name":"add","arguments":"{\"a\":2,\"b\":2}"},{"type":"function_call_output","call_id":"t1","output":"4"}],"tools":[{"type":"function","name":"add","description":"adds","parameters":{"type":"object","properties":{"a":{"type":"number"}}}}],"tool_choice":"auto","max_output_tokens":99,"temperature":0.25})";

std::string_view question(Protocol protocol) {
    return protocol == Protocol::messages ? kMessages : protocol == Protocol::responses ? kResponses : kChat;
}

std::string_view answer(Protocol protocol) {
    switch (protocol) {
        case Protocol::messages:
            return R"({"id":"msg_1","type":"message","role":"assistant","model":"s","content":[{"type":"text","text":"Four"}],"stop_reason":"end_turn","usage":{"input_tokens":6,"cache_read_input_tokens":4,"output_tokens":2}})";
        case Protocol::responses:
            return R"({"id":"resp_1","object":"response","status":"completed","model":"s","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"Four"}]}],"usage":{"input_tokens":10,"input_tokens_details":{"cached_tokens":4},"output_tokens":2}})";
        case Protocol::chat_completions:
        case Protocol::embeddings:
            break;
    }
    return R"({"id":"chatcmpl-1","choices":[{"index":0,"message":{"role":"assistant","content":"Four"},"finish_reason":"stop"}],"model":"s","usage":{"prompt_tokens":10,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":4}}})";
}

TEST(Translation, SaysTheSameInChatFromEveryProtocol) {
    const auto expected =
        R"({"model":"m","messages":[{"role":"system","content":"Be kind"},{"role":"user","content":"2+2?"},{"role":"assistant","content":null,"tool_calls":[{"id":"t1","type":"function","function":{"name":"add","arguments":"{\"a\":2,\"b\":2}"}}]},{"role":"tool","tool_call_id":"t1","content":"4"}],"tools":[{"type":"function","function":{"name":"add","description":"adds","parameters":{"type":"object","properties":{"a":{"type":"number"}}}}}],"tool_choice":"auto","max_tokens":99,"temperature":0.25})";
    EXPECT_EQ(translate_request(Protocol::messages, Protocol::chat_completions, kMessages, {.model = "m"}),
              expected);
    EXPECT_EQ(translate_request(Protocol::responses, Protocol::chat_completions, kResponses, {.model = "m"}),
              expected);
}

TEST(Translation, SaysTheSameInMessagesFromEveryProtocol) {
    std::string expected(kMessages);
    expected.replace(expected.find("\"c\""), 3, "\"m\"");
    EXPECT_EQ(translate_request(Protocol::chat_completions, Protocol::messages, kChat, {.model = "m"}),
              expected);
    EXPECT_EQ(translate_request(Protocol::responses, Protocol::messages, kResponses, {.model = "m"}),
              expected);
}

TEST(Translation, IsUnderstoodByItsOwnReader) {
    for (const auto from : kProtocols) {
        for (const auto to : kProtocols) {
            const auto there = translate_request(from, to, question(from), {.model = "c"});
            ASSERT_TRUE(there) << there.error().message;
            EXPECT_TRUE(check_request(to, *there, {.batch = true})) << *there;
            const auto back = translate_request(to, Protocol::chat_completions, *there, {.model = "c"});
            ASSERT_TRUE(back) << back.error().message;
            EXPECT_EQ(member_of(*back, "/messages"), member_of(kChat, "/messages"));
            EXPECT_EQ(member_of(*back, "/temperature"), "0.25");
        }
    }
}

TEST(Translation, OfARequestToItsOwnProtocolChangesTheModelAlone) {
    for (const auto protocol : kProtocols) {
        std::string expected(question(protocol));
        expected.replace(expected.find("\"c\""), 3, "\"m\"");
        EXPECT_EQ(translate_request(protocol, protocol, question(protocol), {.model = "m"}), expected);
    }
    EXPECT_EQ(translate_request(Protocol::embeddings, Protocol::embeddings, R"({"input":"a","model":"c"})",
                                {.model = "m"}),
              R"({"input":"a","model":"m"})");
}

TEST(Translation, OfAnswersKeepsTextReasonAndUsage) {
    struct Place {
        const char* text;
        const char* model;
        const char* ended;
        const char* end;
    };
    const auto place = [](Protocol protocol) -> Place {
        if (protocol == Protocol::messages)
            return {"/content/0/text", "/model", "/stop_reason", R"("end_turn")"};
        if (protocol == Protocol::responses)
            return {"/output/0/content/0/text", "/model", "/status", R"("completed")"};
        return {"/choices/0/message/content", "/model", "/choices/0/finish_reason", R"("stop")"};
    };
    for (const auto from : kProtocols) {
        for (const auto to : kProtocols) {
            const auto reply = translate_reply(from, to, answer(from), question(to), "client");
            ASSERT_TRUE(reply) << reply.error().message;
            const auto at = place(to);
            EXPECT_EQ(member_of(reply->body, at.text), R"("Four")");
            EXPECT_EQ(member_of(reply->body, at.model), R"("client")");
            EXPECT_EQ(member_of(reply->body, at.ended), at.end);
            EXPECT_EQ(reply->usage,
                      (core::Usage{.input_tokens = 10, .output_tokens = 2, .cached_tokens = 4}));
            EXPECT_EQ(reply->body.find('\n'), std::string::npos);
        }
    }
}

TEST(Translation, OfEmbeddingsIsNone) {
    for (const auto protocol : kProtocols) {
        EXPECT_EQ(
            error_of(translate_request(Protocol::embeddings, protocol, R"({"input":"a"})", {.model = "m"}))
                .code,
            ErrorCode::invalid);
        EXPECT_EQ(
            error_of(translate_request(protocol, Protocol::embeddings, question(protocol), {.model = "m"}))
                .code,
            ErrorCode::invalid);
        EXPECT_EQ(error_of(translate_reply(protocol, Protocol::embeddings, answer(protocol), "{}", "m")).code,
                  ErrorCode::invalid);
    }
    EXPECT_TRUE(translate_reply(Protocol::embeddings, Protocol::embeddings, R"({"data":[]})", "{}", "m"));
}

TEST(Translation, NamesTheFieldAsItsSourceWritesIt) {
    EXPECT_EQ(
        error_of(
            translate_request(
                Protocol::chat_completions, Protocol::messages,
                R"({"messages":[{"role":"user","content":"a"}],"response_format":{"type":"json_object"}})",
                {.model = "m"}))
            .field,
        "response_format");
    EXPECT_EQ(error_of(translate_request(Protocol::responses, Protocol::messages,
                                         R"({"input":"a","text":{"format":{"type":"json_object"}}})",
                                         {.model = "m"}))
                  .field,
              "text.format");
    EXPECT_EQ(error_of(translate_request(Protocol::responses, Protocol::messages,
                                         R"({"input":"a","text":{"verbosity":"low"}})", {.model = "m"}))
                  .field,
              "text.verbosity");
}

TEST(Translation, RefusesHostileBodiesInEveryDirection) {
    const std::string deep(1'000'000, '[');
    for (const auto from : kProtocols) {
        for (const auto to : kProtocols) {
            for (const std::string_view body : {std::string_view(""), std::string_view("{"),
                                                std::string_view("[]"), std::string_view(deep)}) {
                EXPECT_EQ(error_of(translate_request(from, to, body, {.model = "m"})).code,
                          ErrorCode::invalid);
                EXPECT_EQ(error_of(translate_reply(from, to, body, "{}", "m")).code, ErrorCode::invalid);
            }
        }
    }
}

// What comes out is JSON or a fault, whatever bytes were lost or changed on the way in.
void expect_sane(std::string_view body) {
    for (const auto from : kProtocols) {
        for (const auto to : kProtocols) {
            if (from == to) continue;
            const auto request = translate_request(from, to, body, {.model = "m"});
            if (request) EXPECT_TRUE(jsonl::Document::parse(*request)) << body;
            const auto reply = translate_reply(from, to, body, body, "m");
            if (reply) EXPECT_TRUE(jsonl::Document::parse(reply->body)) << body;
        }
        (void)check_request(from, body, {.batch = true});
    }
}

TEST(Translation, SurvivesDamagedBodies) {
    for (const auto protocol : kProtocols) {
        for (const std::string_view body : {question(protocol), answer(protocol)}) {
            for (std::size_t at = 0; at < body.size(); at += 3) {
                expect_sane(body.substr(0, at));
                std::string damaged(body);
                damaged[at] = "\"{}[]:,0 x"[at % 10];
                expect_sane(damaged);
            }
        }
    }
}

TEST(Translation, SurvivesValuesOfEveryOtherType) {
    for (const auto protocol : kProtocols) {
        for (const std::string_view body : {question(protocol), answer(protocol)}) {
            for (std::size_t at = body.find(':'); at != std::string_view::npos; at = body.find(':', at + 1)) {
                for (const std::string_view other :
                     {"null", "true", "-1", "1e300", "\"\"", "[]", "{}", "[[{}]]"}) {
                    std::string changed(body);
                    const auto end = std::min(body.find_first_of(",}]", at), body.size());
                    expect_sane(changed.replace(at + 1, end - at - 1, other));
                }
            }
        }
    }
}

}  // namespace
}  // namespace sheaf::protocol

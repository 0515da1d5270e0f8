#include "protocol/chat_request.h"

#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "protocol/messages_request.h"

namespace sheaf::protocol {
namespace {

constexpr std::string_view kHello = R"({"role":"user","content":"Hello"})";

// A Chat Completions request with `messages` and what follows, as a chat request again.
std::string again(std::string_view messages, std::string_view rest = "") {
    auto read = read_chat_request(fmt::format(R"({{"model":"c","messages":[{}]{}}})", messages, rest));
    if (!read) return fmt::format("{}: {}", read.error().field, read.error().message);
    auto written = write_chat_request(*std::move(read), {.model = "m"});
    return written ? *written : fmt::format("{}: {}", written.error().field, written.error().message);
}
std::string expected(std::string_view messages, std::string_view rest = "") {
    return fmt::format(R"({{"model":"m","messages":[{}]{}}})", messages, rest);
}

Error fault_of(std::string_view messages, std::string_view rest = "") {
    const auto read = read_chat_request(fmt::format(R"({{"model":"c","messages":[{}]{}}})", messages, rest));
    EXPECT_FALSE(read) << messages << rest;
    return read ? Error{} : read.error();
}

void expect_same(std::string_view messages, std::string_view rest = "") {
    EXPECT_EQ(again(messages, rest), expected(messages, rest));
}

TEST(ChatRequest, SurvivesTheWayThroughTheCanonicalValue) {
    expect_same(kHello);
    expect_same(R"({"role":"system","content":"Be kind"},{"role":"user","content":"Hello"})");
    expect_same(
        R"({"role":"user","content":[{"type":"text","text":"Look"},{"type":"image_url","image_url":{"url":"https://a/b.png","detail":"low"}}]})");
    expect_same(
        R"({"role":"user","content":"a"},{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{\"a\": 1}"}},{"id":"2","type":"custom","custom":{"name":"g","input":"free"}}]},{"role":"tool","tool_call_id":"1","content":"one"},{"role":"tool","tool_call_id":"2","content":"two"},{"role":"user","content":"and?"})");
    expect_same(
        R"({"role":"user","content":"a"},{"role":"assistant","content":null,"refusal":"No."},{"role":"user","content":"b"})");
}

TEST(ChatRequest, KeepsEverySetting) {
    expect_same(
        kHello,
        R"(,"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object","properties":{"z":{"minimum":0.1},"a":{}}},"strict":true}},{"type":"custom","custom":{"name":"g"}}],"parallel_tool_calls":false,"tool_choice":{"type":"function","function":{"name":"f"}},"response_format":{"type":"json_schema","json_schema":{"name":"n","description":"d","schema":{"type":"object"},"strict":true}},"reasoning_effort":"high","max_tokens":12,"temperature":0.7,"top_p":1,"top_k":40,"frequency_penalty":-0.5,"presence_penalty":2,"seed":18446744073709551615,"stop":["a","b"],"logprobs":true,"top_logprobs":3,"verbosity":"low","user":"u")");
    for (const auto* choice :
         {"\"auto\"", "\"required\"", "\"none\"", R"({"type":"custom","custom":{"name":"g"}})"})
        expect_same(kHello,
                    fmt::format(R"(,"tools":[{{"type":"custom","custom":{{"name":"g"}}}}],"tool_choice":{})",
                                choice));
    expect_same(kHello, R"(,"response_format":{"type":"json_object"})");
}

TEST(ChatRequest, ReadsOlderAndShorterForms) {
    EXPECT_EQ(again(kHello, R"(,"max_tokens":5,"max_completion_tokens":7,"stop":"x","logprobs":true)"),
              expected(kHello, R"(,"max_tokens":7,"stop":["x"],"logprobs":true,"top_logprobs":0)"));
    EXPECT_EQ(
        again(
            R"({"role":"developer","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},{"role":"user","content":"Hello"})"),
        expected(R"({"role":"system","content":"a\n\nb"},{"role":"user","content":"Hello"})"));
    EXPECT_EQ(
        again(
            R"({"role":"assistant","content":[{"type":"text","text":"a"},{"type":"refusal","refusal":"No"}],"tool_calls":[]},{"role":"user","content":"b"})"),
        expected(R"({"role":"assistant","content":"a","refusal":"No"},{"role":"user","content":"b"})"));
}

TEST(ChatRequest, TakesNullForAbsent) {
    EXPECT_EQ(
        again(
            R"({"role":"user","content":"Hello","name":null,"audio":null})",
            R"(,"temperature":null,"tools":null,"n":null,"audio":null,"reasoning_effort":null,"guided_json":null)"),
        expected(kHello));
}

TEST(ChatRequest, DropsWhatChangesNoAnswer) {
    EXPECT_EQ(
        again(
            R"({"role":"user","content":"Hello","name":"Ann"})",
            R"(,"stream":true,"stream_options":{},"metadata":{"a":"b"},"store":true,"service_tier":"flex","safety_identifier":"s","prompt_cache_key":"k","prediction":{"type":"content","content":"x"},"n":1,"modalities":["text"],"logit_bias":{},"tool_choice":"auto","parallel_tool_calls":true,"top_k":-1,"logprobs":false)"),
        expected(kHello));
}

TEST(ChatRequest, DropsEarlierThoughts) {
    EXPECT_EQ(
        again(
            R"({"role":"assistant","content":"a","reasoning_content":"hm","reasoning":"hm"},{"role":"user","content":"b"})"),
        expected(R"({"role":"assistant","content":"a"},{"role":"user","content":"b"})"));
}

TEST(ChatRequest, RemovesToolsThatMayNotBeCalled) {
    EXPECT_EQ(
        again(
            kHello,
            R"(,"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"function","function":{"name":"g"}}]}},"tools":[{"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"g"}}])"),
        expected(kHello,
                 R"(,"tools":[{"type":"function","function":{"name":"g"}}],"tool_choice":"required")"));
}

TEST(ChatRequest, ContinuesTheLastMessageWhenAsked) {
    expect_same(R"({"role":"user","content":"a"},{"role":"assistant","content":"The"})",
                R"(,"continue_final_message":true,"add_generation_prompt":false)");
    EXPECT_EQ(fault_of(kHello, R"(,"continue_final_message":true)").field, "continue_final_message");
}

TEST(ChatRequest, AsksForAStreamWithItsUsage) {
    auto read = read_chat_request(fmt::format(R"({{"messages":[{}]}})", kHello));
    ASSERT_TRUE(read);
    EXPECT_EQ(write_chat_request(*std::move(read), {.model = "m", .stream = true}),
              expected(kHello, R"(,"stream":true,"stream_options":{"include_usage":true})"));
}

TEST(ChatRequest, RefusesWhatOtherProtocolsDoNotHave) {
    struct Case {
        const char* rest;
        const char* field;
    };
    for (const auto& [rest, field] : {
             Case{R"(,"n":2)", "n"},
             Case{R"(,"audio":{"voice":"a"})", "audio"},
             Case{R"(,"modalities":["text","audio"])", "modalities[1]"},
             Case{R"(,"web_search_options":{})", "web_search_options"},
             Case{R"(,"logit_bias":{"50256":-100})", "logit_bias"},
             Case{R"(,"min_p":0.1)", "min_p"},
             Case{R"(,"guided_json":{})", "guided_json"},
             Case{R"(,"functions":[])", "functions"},
             Case{R"(,"response_format":{"type":"grammar"})", "response_format"},
             Case{R"(,"tools":[{"type":"web_search"}])", "tools[0]"},
             Case{R"(,"tools":[{"type":"custom","custom":{"name":"g","format":{"type":"grammar"}}}])",
                  "tools[0].custom.format"},
         }) {
        const auto fault = fault_of(kHello, rest);
        EXPECT_EQ(fault.code, ErrorCode::invalid) << rest;
        EXPECT_EQ(fault.field, field) << rest;
        EXPECT_TRUE(fault.message.starts_with("The model server speaks another protocol, which has no "))
            << fault.message;
    }
    EXPECT_EQ(
        fault_of(
            R"({"role":"user","content":[{"type":"text","text":"a"},{"type":"input_audio","input_audio":{}}]})")
            .field,
        "messages[0].content[1]");
    EXPECT_EQ(fault_of(R"({"role":"user","content":[{"type":"file","file":{}}]})").field,
              "messages[0].content[0]");
    EXPECT_EQ(fault_of(R"({"role":"function","name":"f","content":"a"})").field, "messages[0]");
    EXPECT_EQ(fault_of(R"({"role":"assistant","content":null,"function_call":{}})").field,
              "messages[0].function_call");
    EXPECT_EQ(fault_of(R"({"role":"assistant","content":null,"audio":{"id":"a"}})").field,
              "messages[0].audio");
    EXPECT_EQ(fault_of(R"({"role":"assistant","content":"a","prefix":true})").field, "messages[0].prefix");
}

TEST(ChatRequest, TellsWhereATypeIsWrong) {
    struct Case {
        const char* messages;
        const char* rest;
        const char* field;
    };
    for (
        const auto& [messages, rest, field] : {
            Case{"1", "", "messages[0]"},
            Case{R"({"content":"a"})", "", "messages[0]"},
            Case{R"({"role":"wizard","content":"a"})", "", "messages[0]"},
            Case{R"({"role":"user","content":1})", "", "messages[0].content"},
            Case{R"({"role":"user","content":[1]})", "", "messages[0].content[0]"},
            Case{R"({"role":"user","content":[{"type":"text"}]})", "", "messages[0].content[0].text"},
            Case{R"({"role":"user","content":[{"type":"image_url","image_url":{"url":1}}]})", "",
                 "messages[0].content[0].image_url.url"},
            Case{R"({"role":"tool","content":"a"})", "", "messages[0]"},
            Case{
                R"({"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":{}}}]})",
                "", "messages[0].tool_calls[0].function.arguments"},
            Case{
                R"({"role":"assistant","tool_calls":[{"type":"function","function":{"name":"f","arguments":""}}]})",
                "", "messages[0].tool_calls[0].id"},
            Case{R"({"role":"user","content":"a"})", R"(,"temperature":"hot")", "temperature"},
            Case{R"({"role":"user","content":"a"})", R"(,"max_tokens":-1)", "max_tokens"},
            Case{R"({"role":"user","content":"a"})", R"(,"max_tokens":1.5)", "max_tokens"},
            Case{R"({"role":"user","content":"a"})", R"(,"stop":[1])", "stop[0]"},
            Case{R"({"role":"user","content":"a"})", R"(,"tools":{})", "tools"},
            Case{R"({"role":"user","content":"a"})", R"(,"tool_choice":"maybe")", "tool_choice"},
            Case{R"({"role":"user","content":"a"})", R"(,"top_logprobs":21)", "top_logprobs"},
            Case{R"({"role":"user","content":"a"})", R"(,"response_format":{"type":"json_schema"})",
                 "response_format"},
        }) {
        const auto fault = fault_of(messages, rest);
        EXPECT_EQ(fault.code, ErrorCode::invalid);
        EXPECT_EQ(fault.field, field) << messages << rest;
    }
}

TEST(ChatRequest, RefusesWhatIsNoRequest) {
    const std::string deep = std::string(100'000, '[');
    for (const std::string_view body :
         {std::string_view(""), std::string_view("nonsense"), std::string_view("[]"), std::string_view("{}"),
          std::string_view(R"({"messages":null})"), std::string_view(R"({"messages":[]})"),
          std::string_view(R"({"messages":"a"})"),
          std::string_view("{\"messages\":[{\"role\":\"user\",\"content\":\"\xFF\"}]}"),
          std::string_view(deep)}) {
        const auto read = read_chat_request(body);
        ASSERT_FALSE(read);
        EXPECT_EQ(read.error().code, ErrorCode::invalid);
    }
}

TEST(ChatRequest, TakesALargeBody) {
    const std::string text(20 << 20, 'x');
    const auto message = fmt::format(R"({{"role":"user","content":"{}"}})", text);
    EXPECT_EQ(again(message), expected(message));
}

}  // namespace
}  // namespace sheaf::protocol

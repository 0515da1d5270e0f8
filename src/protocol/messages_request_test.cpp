#include "protocol/messages_request.h"

#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "protocol/chat_request.h"
#include "protocol/testing_json.h"

namespace sheaf::protocol {
namespace {

constexpr std::string_view kHello = R"({"role":"user","content":"Hello"})";

std::string told(const Error& error) {
    return fmt::format("{}: {}", error.field, error.message);
}

std::string messages_body(std::string_view messages, std::string_view rest) {
    return fmt::format(R"({{"model":"c","max_tokens":9,"messages":[{}]{}}})", messages, rest);
}

// Messages, told to a chat server.
std::string to_chat(std::string_view messages, std::string_view rest = "") {
    auto read = read_messages_request(messages_body(messages, rest));
    if (!read) return told(read.error());
    const auto written = write_chat_request(*std::move(read), {.model = "m"});
    return written ? *written : told(written.error());
}
std::string chat(std::string_view messages, std::string_view before = "", std::string_view after = "") {
    return fmt::format(R"({{"model":"m","messages":[{}]{},"max_tokens":9{}}})", messages, before, after);
}

// A chat request, told to a Messages server.
std::string to_messages(std::string_view messages, std::string_view rest = "") {
    auto read = read_chat_request(fmt::format(R"({{"model":"c","messages":[{}]{}}})", messages, rest));
    if (!read) return told(read.error());
    const auto written = write_messages_request(*std::move(read), {.model = "m"});
    return written ? *written : told(written.error());
}
std::string messages(std::string_view said, std::string_view rest = "", std::string_view before = "",
                     int max_tokens = 4096) {
    return fmt::format(R"({{"model":"m","max_tokens":{}{},"messages":[{}]{}}})", max_tokens, before, said,
                       rest);
}

Error fault_of(std::string_view said, std::string_view rest = "") {
    const auto read = read_messages_request(messages_body(said, rest));
    EXPECT_FALSE(read) << said << rest;
    return read ? Error{} : read.error();
}

TEST(MessagesRequest, SurvivesTheWayThroughTheCanonicalValue) {
    const auto again = [](std::string_view said, std::string_view rest, std::string_view before = "") {
        auto read = read_messages_request(
            fmt::format(R"({{"model":"c","max_tokens":9{},"messages":[{}]{}}})", before, said, rest));
        if (!read) return told(read.error());
        const auto written = write_messages_request(*std::move(read), {.model = "m", .stream = true});
        return written ? *written : told(written.error());
    };
    const std::string_view said =
        R"({"role":"user","content":[{"type":"text","text":"Look"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}},{"type":"image","source":{"type":"url","url":"https://a/b"}}]},)"
        R"({"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"redacted_thinking","data":"d"},{"type":"text","text":"I will"},{"type":"tool_use","id":"t1","name":"f","input":{"b":1.5,"a":[]}}]},)"
        R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":[{"type":"text","text":"a"},{"type":"image","source":{"type":"url","url":"https://c"}}],"is_error":true},{"type":"text","text":"so?"}]},)"
        R"({"role":"system","content":"Hurry"},)"
        R"({"role":"assistant","content":"The"})";
    const std::string_view rest =
        R"(,"tools":[{"name":"f","description":"d","input_schema":{"type":"object","properties":{}},"strict":true}],"tool_choice":{"type":"tool","name":"f","disable_parallel_tool_use":true},"thinking":{"type":"enabled","budget_tokens":1024},"output_config":{"effort":"low","format":{"type":"json_schema","schema":{"type":"object"}}},"temperature":0.5,"top_p":0.9,"top_k":3,"stop_sequences":["x"],"metadata":{"user_id":"u"},"stream":true)";
    EXPECT_EQ(again(said, rest, R"(,"system":"Be kind")"), messages(said, rest, R"(,"system":"Be kind")", 9));
}

TEST(MessagesRequest, TellsTheSystemPromptFirst) {
    const auto asked = chat(R"({"role":"system","content":"a\n\nb"},{"role":"user","content":"Hello"})");
    EXPECT_EQ(
        to_chat(
            kHello,
            R"(,"system":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}},{"type":"text","text":"b"}])"),
        asked);
    EXPECT_EQ(to_chat(kHello, R"(,"system":"a\n\nb")"), asked);
}

TEST(MessagesRequest, KeepsASystemTurnInItsPlace) {
    EXPECT_EQ(to_chat(R"({"role":"user","content":"a"},{"role":"system","content":"s"})"),
              chat(R"({"role":"user","content":"a"},{"role":"system","content":"s"})"));
}

TEST(MessagesRequest, CollapsesTextToAString) {
    EXPECT_EQ(to_chat(R"({"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]})"),
              chat(R"({"role":"user","content":"a\n\nb"})"));
}

TEST(MessagesRequest, MergesTurnsOfOneRole) {
    EXPECT_EQ(to_chat(R"({"role":"user","content":"a"},{"role":"user","content":"b"})"),
              chat(R"({"role":"user","content":"a\n\nb"})"));
}

TEST(MessagesRequest, TellsImagesAsParts) {
    EXPECT_EQ(
        to_chat(
            R"({"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/webp","data":"AA=="}},{"type":"text","text":"What?"},{"type":"image","source":{"type":"url","url":"https://a"}}]})"),
        chat(
            R"({"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/webp;base64,AA=="}},{"type":"text","text":"What?"},{"type":"image_url","image_url":{"url":"https://a"}}]})"));
}

TEST(MessagesRequest, TellsTextDocumentsAndSearchResultsAsText) {
    EXPECT_EQ(
        to_chat(
            R"({"role":"user","content":[{"type":"document","title":"T","context":"C","source":{"type":"text","media_type":"text/plain","data":"words"}},{"type":"document","source":{"type":"content","content":[{"type":"text","text":"inner"}]}},{"type":"document","source":{"type":"content","content":"plain"},"citations":{"enabled":false}},{"type":"search_result","source":"https://s","title":"S","content":[{"type":"text","text":"found"}]}]})"),
        chat(R"({"role":"user","content":"T\nC\n\nwords\n\ninner\n\nplain\n\nS\nhttps://s\n\nfound"})"));
}

TEST(MessagesRequest, TellsToolUseAsToolCalls) {
    EXPECT_EQ(
        to_chat(
            R"({"role":"user","content":"a"},{"role":"assistant","content":[{"type":"text","text":"I will"},{"type":"tool_use","id":"t1","name":"f","input":{"x":1}},{"type":"tool_use","id":"t2","name":"g","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"1"},{"type":"tool_result","tool_use_id":"t2"}]})"),
        chat(
            R"({"role":"user","content":"a"},{"role":"assistant","content":"I will","tool_calls":[{"id":"t1","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}},{"id":"t2","type":"function","function":{"name":"g","arguments":"{}"}}]},{"role":"tool","tool_call_id":"t1","content":"1"},{"role":"tool","tool_call_id":"t2","content":""})"));
}

TEST(MessagesRequest, PutsToolResultsBeforeTheRestOfTheTurn) {
    EXPECT_EQ(
        to_chat(
            R"({"role":"user","content":"a"},{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"f","input":{}}]},{"role":"user","content":"first"},{"role":"user","content":[{"type":"text","text":"before"},{"type":"tool_result","tool_use_id":"t1","is_error":true,"content":[{"type":"text","text":"x"},{"type":"text","text":"y"},{"type":"image","source":{"type":"url","url":"https://i"}}]},{"type":"text","text":"after"}]})"),
        chat(
            R"({"role":"user","content":"a"},{"role":"assistant","content":null,"tool_calls":[{"id":"t1","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"t1","content":"Error: x\ny"},{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://i"}},{"type":"text","text":"first"},{"type":"text","text":"before"},{"type":"text","text":"after"}]})"));
}

TEST(MessagesRequest, DropsEarlierThoughtsForChat) {
    EXPECT_EQ(
        to_chat(
            R"({"role":"user","content":"a"},{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"redacted_thinking","data":"d"},{"type":"text","text":"b","citations":null}]},{"role":"user","content":"c"})"),
        chat(
            R"({"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"})"));
}

TEST(MessagesRequest, TellsSamplingAndStops) {
    EXPECT_EQ(
        to_chat(
            kHello,
            R"(,"temperature":0.7,"top_p":0.95,"top_k":40,"stop_sequences":["a","b"],"metadata":{"user_id":"u"})"),
        chat(kHello, "", R"(,"temperature":0.7,"top_p":0.95,"top_k":40,"stop":["a","b"],"user":"u")"));
    EXPECT_EQ(to_chat(kHello, R"(,"top_k":0,"metadata":{"user_id":null})"), chat(kHello));
}

TEST(MessagesRequest, TellsToolsAndTheirChoice) {
    const std::string_view tool =
        R"({"name":"f","description":"d","input_schema":{"type":"object"},"type":"custom","strict":true,"cache_control":{"type":"ephemeral"},"eager_input_streaming":true,"allowed_callers":["direct"]})";
    const std::string_view said =
        R"({"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"},"strict":true}})";
    struct Case {
        const char* choice;
        const char* told;
    };
    for (const auto& [choice, told_choice] : {
             Case{R"({"type":"auto"})", R"(,"tool_choice":"auto")"},
             Case{R"({"type":"any"})", R"(,"tool_choice":"required")"},
             Case{R"({"type":"none"})", R"(,"tool_choice":"none")"},
             Case{R"({"type":"tool","name":"f"})",
                  R"(,"tool_choice":{"type":"function","function":{"name":"f"}})"},
             Case{R"({"type":"auto","disable_parallel_tool_use":true})",
                  R"(,"parallel_tool_calls":false,"tool_choice":"auto")"},
         })
        EXPECT_EQ(to_chat(kHello, fmt::format(R"(,"tools":[{}],"tool_choice":{})", tool, choice)),
                  chat(kHello, fmt::format(R"(,"tools":[{}]{})", said, told_choice)));
}

TEST(MessagesRequest, TellsTheFormOfTheAnswer) {
    EXPECT_EQ(
        to_chat(
            kHello,
            R"(,"output_config":{"effort":"xhigh","format":{"type":"json_schema","schema":{"type":"object","z":1,"a":2}}})"),
        chat(
            kHello,
            R"(,"response_format":{"type":"json_schema","json_schema":{"name":"output","schema":{"type":"object","z":1,"a":2},"strict":true}},"reasoning_effort":"xhigh")"));
    EXPECT_EQ(
        to_chat(kHello, R"(,"output_format":{"type":"json_schema","schema":{}})"),
        chat(
            kHello,
            R"(,"response_format":{"type":"json_schema","json_schema":{"name":"output","schema":{},"strict":true}})"));
    EXPECT_EQ(to_chat(kHello, R"(,"output_config":{"effort":null,"format":null})"), chat(kHello));
}

TEST(MessagesRequest, TellsThinkingAsTheTemplatesSwitch) {
    EXPECT_EQ(
        to_chat(kHello, R"(,"thinking":{"type":"enabled","budget_tokens":2048})"),
        chat(
            kHello,
            R"(,"chat_template_kwargs":{"enable_thinking":true},"thinking_token_budget":2048,"thinking_budget_tokens":2048)"));
    EXPECT_EQ(to_chat(kHello, R"(,"thinking":{"type":"adaptive","display":"omitted"})"),
              chat(kHello, R"(,"chat_template_kwargs":{"enable_thinking":true})"));
    EXPECT_EQ(to_chat(kHello, R"(,"thinking":{"type":"disabled"})"),
              chat(kHello, R"(,"chat_template_kwargs":{"enable_thinking":false})"));
}

TEST(MessagesRequest, LetsTheServerContinueAPrefill) {
    EXPECT_EQ(to_chat(R"({"role":"user","content":"a"},{"role":"assistant","content":"The"})"),
              chat(R"({"role":"user","content":"a"},{"role":"assistant","content":"The"})", "",
                   R"(,"continue_final_message":true,"add_generation_prompt":false)"));
    EXPECT_EQ(to_chat(R"({"role":"user","content":"a"},{"role":"assistant","content":""})"),
              chat(R"({"role":"user","content":"a"})"));
}

TEST(MessagesRequest, DropsWhatChangesNoAnswer) {
    EXPECT_EQ(
        to_chat(
            R"({"role":"user","content":[{"type":"text","text":"Hello","cache_control":{"type":"ephemeral"}}]})",
            R"(,"stream":true,"service_tier":"auto","cache_control":{"type":"ephemeral"},"container":null,"inference_geo":"eu","diagnostics":{},"speed":"standard","mcp_servers":[],"user_profile_id":"p")"),
        chat(kHello));
}

TEST(MessagesRequest, RefusesWhatOtherProtocolsDoNotHave) {
    struct Case {
        const char* said;
        const char* rest;
        const char* field;
    };
    const auto* hello = R"({"role":"user","content":"Hello"})";
    for (
        const auto& [said, rest, field] : {
            Case{R"({"role":"user","content":[{"type":"image","source":{"type":"file","file_id":"f"}}]})", "",
                 "messages.0.content.0.source"},
            Case{
                R"({"role":"user","content":[{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"A"}}]})",
                "", "messages.0.content.0.source"},
            Case{
                R"({"role":"user","content":[{"type":"document","source":{"type":"url","url":"https://a"}}]})",
                "", "messages.0.content.0.source"},
            Case{
                R"({"role":"user","content":[{"type":"document","citations":{"enabled":true},"source":{"type":"text","data":"a"}}]})",
                "", "messages.0.content.0.citations"},
            Case{
                R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"tool_reference","tool_name":"f"}]}]})",
                "", "messages.0.content.0.content.0"},
            Case{R"({"role":"assistant","content":[{"type":"server_tool_use","id":"s"}]})", "",
                 "messages.0.content.0"},
            Case{hello, R"(,"tools":[{"type":"web_search_20250305","name":"web_search","max_uses":1}])",
                 "tools.0.type"},
            Case{hello,
                 R"(,"tools":[{"name":"f","input_schema":{},"allowed_callers":["code_execution_20250825"]}])",
                 "tools.0.allowed_callers.0"},
            Case{hello, R"(,"container":"c")", "container"},
            Case{hello, R"(,"mcp_servers":[{}])", "mcp_servers"},
            Case{hello, R"(,"context_management":{})", "context_management"},
            Case{hello, R"(,"thinking":{"type":"between_tools"})", "thinking"},
            Case{hello, R"(,"output_config":{"task_budget":{}})", "output_config.task_budget"},
            Case{hello, R"(,"never_heard":1)", "never_heard"},
        }) {
        const auto fault = fault_of(said, rest);
        EXPECT_EQ(fault.code, ErrorCode::invalid);
        EXPECT_EQ(fault.field, field) << said << rest;
        EXPECT_TRUE(fault.message.starts_with("The model server speaks another protocol, which has no "))
            << fault.message;
    }
    EXPECT_EQ(to_chat(hello, R"(,"max_tokens_":1)").substr(0, 12), "max_tokens_:");
}

TEST(MessagesRequest, RefusesARequestWithoutAnAnswerForChat) {
    auto read = read_messages_request(fmt::format(R"({{"max_tokens":0,"messages":[{}]}})", kHello));
    ASSERT_TRUE(read);
    const auto written = write_chat_request(*std::move(read), {.model = "m"});
    ASSERT_FALSE(written);
    EXPECT_EQ(
        told(written.error()),
        "max_tokens: The model server speaks Chat Completions, which has no requests without an answer.");
}

TEST(MessagesRequest, TellsWhereATypeIsWrong) {
    struct Case {
        const char* said;
        const char* rest;
        const char* field;
    };
    for (const auto& [said, rest, field] : {
             Case{"1", "", "messages.0"},
             Case{R"({"role":"tool","content":"a"})", "", "messages.0"},
             Case{R"({"role":"user","content":1})", "", "messages.0.content"},
             Case{R"({"role":"user","content":[{"text":"a"}]})", "", "messages.0.content.0.type"},
             Case{R"({"role":"user","content":[{"type":"text"}]})", "", "messages.0.content.0.text"},
             Case{R"({"role":"user","content":[{"type":"image"}]})", "", "messages.0.content.0"},
             Case{R"({"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":"{}"}]})",
                  "", "messages.0.content.0.input"},
             Case{R"({"role":"user","content":"a"})", R"(,"system":1)", "system"},
             Case{R"({"role":"user","content":"a"})", R"(,"tools":[{"name":1}])", "tools.0.name"},
             Case{R"({"role":"user","content":"a"})", R"(,"stop_sequences":"a")", "stop_sequences"},
             Case{R"({"role":"user","content":"a"})", R"(,"tool_choice":{"type":"maybe"})", "tool_choice"},
         })
        EXPECT_EQ(fault_of(said, rest).field, field) << said << rest;
}

TEST(MessagesRequest, RefusesWhatIsNoRequest) {
    const std::string deep = R"({"messages":)" + std::string(100'000, '[');
    for (const std::string_view body : {std::string_view(""), std::string_view("x"), std::string_view("[]"),
                                        std::string_view("{}"), std::string_view(R"({"system":"a"})"),
                                        std::string_view(R"({"messages":[]})"), std::string_view(deep)}) {
        const auto read = read_messages_request(body);
        ASSERT_FALSE(read);
        EXPECT_EQ(read.error().code, ErrorCode::invalid);
    }
}

TEST(MessagesRequest, TakesALargeBody) {
    const auto message = fmt::format(R"({{"role":"user","content":"{}"}})", std::string(20 << 20, 'x'));
    EXPECT_EQ(to_chat(message), chat(message));
}

TEST(MessagesRequestOfChat, HasTheSystemApartAndADefaultLimit) {
    EXPECT_EQ(
        to_messages(
            R"({"role":"system","content":"a"},{"role":"developer","content":"b"},{"role":"user","content":"c"})"),
        messages(R"({"role":"user","content":"c"})", "", R"(,"system":"a\n\nb")"));
    EXPECT_EQ(to_messages(kHello, R"(,"max_tokens":7)"), messages(kHello, "", "", 7));
}

TEST(MessagesRequestOfChat, TellsALaterSystemMessageWhereItMayStand) {
    EXPECT_EQ(
        to_messages(
            R"({"role":"user","content":"a"},{"role":"system","content":"s"},{"role":"assistant","content":"b"},{"role":"user","content":"c"})"),
        messages(
            R"({"role":"user","content":"a"},{"role":"system","content":"s"},{"role":"assistant","content":"b"},{"role":"user","content":"c"})"));
    EXPECT_EQ(
        to_messages(
            R"({"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"system","content":"s"},{"role":"user","content":"c"})"),
        messages(
            R"({"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":[{"type":"text","text":"s"},{"type":"text","text":"c"}]})"));
}

TEST(MessagesRequestOfChat, GathersTheResultsOfToolsInTheNextTurn) {
    EXPECT_EQ(
        to_messages(
            R"({"role":"user","content":"a"},{"role":"assistant","content":"","tool_calls":[{"id":"call 1","type":"function","function":{"name":"f","arguments":""}},{"id":"c2","type":"function","function":{"name":"g","arguments":"{\"x\": 1.50}"}}]},{"role":"tool","tool_call_id":"call 1","content":"1"},{"role":"tool","tool_call_id":"c2","content":[{"type":"text","text":"2"},{"type":"text","text":"3"}]},{"role":"user","content":"b"})"),
        messages(fmt::format(
            R"({{"role":"user","content":"a"}},{{"role":"assistant","content":[{{"type":"tool_use","id":"{0}","name":"f","input":{{}}}},{{"type":"tool_use","id":"c2","name":"g","input":{{"x": 1.50}}}}]}},{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"{0}","content":"1"}},{{"type":"tool_result","tool_use_id":"c2","content":[{{"type":"text","text":"2"}},{{"type":"text","text":"3"}}]}},{{"type":"text","text":"b"}}]}})",
            "toolu_21c5c2a600ce3c16f8a2e523")));
}

TEST(MessagesRequestOfChat, TellsImagesAsSources) {
    EXPECT_EQ(
        to_messages(
            R"({"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}},{"type":"image_url","image_url":{"url":"https://a","detail":"high"}}]})"),
        messages(
            R"({"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}},{"type":"image","source":{"type":"url","url":"https://a"}}]})"));
    EXPECT_EQ(
        member_of(
            to_messages(
                R"({"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/jpg;base64,AA"}}]})"),
            "/messages/0/content/0/source/media_type"),
        R"("image/jpeg")");
    for (const auto* url : {"data:image/tiff;base64,AA", "data:image/png,AA", "data:"})
        EXPECT_TRUE(
            to_messages(
                fmt::format(
                    R"({{"role":"user","content":[{{"type":"text","text":"a"}},{{"type":"image_url","image_url":{{"url":"{}"}}}}]}})",
                    url))
                .starts_with(
                    "messages[0].content[1]: The model server speaks Messages, which has no images but "))
            << url;
}

TEST(MessagesRequestOfChat, TellsToolsAndTheirChoice) {
    const std::string_view tools =
        R"(,"tools":[{"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"g","parameters":{"properties":{"a":{"type":"string"}}}}}])";
    const std::string said =
        R"(,"tools":[{"name":"f","input_schema":{"type":"object","properties":{}}},{"name":"g","input_schema":{"type":"object","properties":{"a":{"type":"string"}}}}])";
    struct Case {
        const char* choice;
        const char* told;
    };
    for (const auto& [choice, told_choice] : {
             Case{"", ""},
             Case{R"(,"tool_choice":"auto")", R"(,"tool_choice":{"type":"auto"})"},
             Case{R"(,"tool_choice":"required")", R"(,"tool_choice":{"type":"any"})"},
             Case{R"(,"tool_choice":"none","parallel_tool_calls":false)",
                  R"(,"tool_choice":{"type":"none"})"},
             Case{R"(,"tool_choice":{"type":"function","function":{"name":"g"}})",
                  R"(,"tool_choice":{"type":"tool","name":"g"})"},
             Case{R"(,"parallel_tool_calls":false)",
                  R"(,"tool_choice":{"type":"auto","disable_parallel_tool_use":true})"},
         })
        EXPECT_EQ(to_messages(kHello, fmt::format("{}{}", tools, choice)),
                  messages(kHello, said + told_choice));
}

TEST(MessagesRequestOfChat, TellsTheFormOfTheAnswerAndTheEffort) {
    EXPECT_EQ(
        to_messages(
            kHello,
            R"(,"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"}}},"reasoning_effort":"minimal","verbosity":"medium","frequency_penalty":0,"user":"u","stop":"x")"),
        messages(
            kHello,
            R"(,"thinking":{"type":"adaptive"},"output_config":{"effort":"low","format":{"type":"json_schema","schema":{"type":"object"}}},"stop_sequences":["x"],"metadata":{"user_id":"u"})"));
    EXPECT_EQ(to_messages(kHello, R"(,"reasoning_effort":"none")"),
              messages(kHello, R"(,"thinking":{"type":"disabled"})"));
}

TEST(MessagesRequestOfChat, RefusesWhatMessagesDoesNotHave) {
    struct Case {
        const char* rest;
        const char* told;
    };
    for (const auto& [rest, what] : {
             Case{R"(,"response_format":{"type":"json_object"})",
                  "response_format: The model server speaks Messages, which has no answers in JSON without a "
                  "schema."},
             Case{R"(,"seed":1)", "seed: The model server speaks Messages, which has no seed."},
             Case{R"(,"frequency_penalty":0.1)",
                  "frequency_penalty: The model server speaks Messages, which has no frequency penalty."},
             Case{R"(,"presence_penalty":0.1)",
                  "presence_penalty: The model server speaks Messages, which has no presence penalty."},
             Case{R"(,"logprobs":true)",
                  "logprobs: The model server speaks Messages, which has no log probabilities."},
             Case{R"(,"temperature":1.5)",
                  "temperature: The model server speaks Messages, which has no temperature above 1."},
             Case{R"(,"verbosity":"low")",
                  "verbosity: The model server speaks Messages, which has no verbosity."},
             Case{R"(,"tools":[{"type":"custom","custom":{"name":"g"}}])",
                  "tools[0]: The model server speaks Messages, which has no custom tools."},
         })
        EXPECT_EQ(to_messages(kHello, rest), what);
    EXPECT_TRUE(to_messages(R"({"role":"user","content":""})").starts_with("messages[0]: "));
    EXPECT_TRUE(to_messages(R"({"role":"user","content":"a"},{"role":"assistant","content":"b"})")
                    .starts_with("messages[1]: "));
    EXPECT_TRUE(to_messages(R"({"role":"system","content":"a"})").starts_with("messages: "));
    EXPECT_TRUE(
        to_messages(
            R"({"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"[1]"}}]},{"role":"tool","tool_call_id":"1","content":"x"})")
            .starts_with("messages[0]: "));
}

}  // namespace
}  // namespace sheaf::protocol

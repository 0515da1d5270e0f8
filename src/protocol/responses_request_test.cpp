#include "protocol/responses_request.h"

#include <gtest/gtest.h>

namespace sheaf::protocol {
namespace {

Conversation read(std::string_view body) {
    auto said = read_responses_request(body);
    if (!said) {
        ADD_FAILURE() << said.error().field << ": " << said.error().message;
        return {};
    }
    return *std::move(said);
}

std::string fault(std::string_view body) {
    const auto said = read_responses_request(body);
    if (said) return "none";
    EXPECT_EQ(said.error().code, ErrorCode::invalid);
    return said.error().field;
}

std::string input_fault(std::string_view items) {
    return fault(R"({"model":"m","input":)" + std::string(items) + "}");
}

// The turns in short: "system(text) assistant(call c1 f {})".
std::string shown(const Conversation& said) {
    struct Shower {
        std::string operator()(const Text& part) const { return "text " + part.text; }
        std::string operator()(const Image& part) const {
            return "image " + part.url + " " + part.detail + " at " + part.where;
        }
        std::string operator()(const Thinking& part) const {
            return "thinking " + part.text + " " + part.signature;
        }
        std::string operator()(const RedactedThinking& part) const { return "redacted " + part.data; }
        std::string operator()(const Refusal& part) const { return "refusal " + part.text; }
        std::string operator()(const ToolCall& part) const {
            return (part.custom ? "custom " : "call ") + part.id + " " + part.name + " " + part.arguments;
        }
        std::string operator()(const ToolResult& part) const {
            std::string text = "result " + part.call_id;
            for (const auto& piece : part.content) text += " " + std::visit(*this, piece);
            return text;
        }
        std::string operator()(const std::variant<Text, Image>& part) const {
            return std::visit(*this, part);
        }
    };
    std::string text;
    for (const auto& turn : said.turns) {
        text += text.empty() ? "" : "\n";
        text += turn.role == Role::system ? "system" : turn.role == Role::user ? "user" : "assistant";
        text += "@" + turn.where;
        for (const auto& part : turn.parts) text += "(" + std::visit(Shower(), part) + ")";
    }
    return text;
}

std::string turns_of(std::string_view input) {
    return shown(read(R"({"model":"m","input":)" + std::string(input) + "}"));
}

std::string written(const Conversation& said, bool stream = false) {
    const auto body = write_responses_request(said, {.model = "m", .stream = stream});
    return body ? *body : body.error().field + ": " + body.error().message;
}

std::string rewritten(std::string_view body) {
    return written(read(body));
}

TEST(ResponsesRequest, ATextIsOneTurnAndInstructionsComeFirst) {
    EXPECT_EQ(shown(read(R"({"input":"hi","instructions":"Be brief."})")),
              "system@instructions(text Be brief.)\nuser@input(text hi)");
}

TEST(ResponsesRequest, MessagesKeepTheirRolesAndDevelopersAreTheSystem) {
    EXPECT_EQ(
        turns_of(R"([{"role":"developer","content":"d"},{"type":"message","role":"system","content":"s"},
        {"role":"user","content":[{"type":"input_text","text":"u"},
        {"type":"input_image","image_url":"https://x/a.png","detail":"low"}]},
        {"role":"assistant","content":[{"type":"output_text","text":"a","annotations":[]},
        {"type":"refusal","refusal":"no"}]}])"),
        "system@input[0](text d)\nsystem@input[1](text s)\n"
        "user@input[2](text u)(image https://x/a.png low at input[2].content[1])\n"
        "assistant@input[3](text a)(refusal no)");
}

TEST(ResponsesRequest, MessagesInAnObjectAreUnwrapped) {
    EXPECT_EQ(turns_of(R"({"messages":[{"role":"user","content":"u"}]})"), "user@input.messages[0](text u)");
    EXPECT_EQ(input_fault(R"({"messages":[{"role":"user","content":7}]})"), "input.messages[0].content");
}

TEST(ResponsesRequest, CallsAndTheTextBeforeThemAreOneTurnAndSoAreTheirOutputs) {
    EXPECT_EQ(turns_of(R"([{"role":"user","content":"u"},{"role":"assistant","content":"a"},
        {"type":"function_call","call_id":"c1","name":"f","arguments":"{ }"},
        {"type":"custom_tool_call","call_id":"c2","name":"g","input":"free"},
        {"type":"function_call_output","call_id":"c1","output":"r1"},
        {"type":"custom_tool_call_output","call_id":"c2","output":[{"type":"input_text","text":"r2"},
        {"type":"input_image","image_url":"data:image/png;base64,AA"}]},
        {"role":"assistant","content":"b"}])"),
              "user@input[0](text u)\n"
              "assistant@input[1](text a)(call c1 f { })(custom c2 g free)\n"
              "user@input[4](result c1 text r1)(result c2 text r2 image data:image/png;base64,AA  at "
              "input[5].output[1])\n"
              "assistant@input[6](text b)");
}

TEST(ResponsesRequest, TwoAnswersInARowAreTwoTurns) {
    EXPECT_EQ(turns_of(R"([{"role":"assistant","content":"a"},{"role":"assistant","content":"b"}])"),
              "assistant@input[0](text a)\nassistant@input[1](text b)");
}

TEST(ResponsesRequest, AThoughtBelongsToTheAnswerAfterIt) {
    EXPECT_EQ(turns_of(R"([{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"short"}],
        "content":[{"type":"reasoning_text","text":"long"}],"encrypted_content":"sig"},
        {"role":"assistant","content":"a"},
        {"type":"reasoning","summary":[],"encrypted_content":"secret"},
        {"type":"function_call","call_id":"c","name":"f","arguments":"{}"},
        {"type":"reasoning","summary":[]}])"),
              "assistant@input[0](thinking long sig)(text a)(redacted secret)(call c f {})");
}

TEST(ResponsesRequest, MessagesOfChatCompletionsAreTakenToo) {
    EXPECT_EQ(turns_of(R"([{"role":"user","content":[{"type":"text","text":"u"},
        {"type":"image_url","image_url":{"url":"https://x/a.png","detail":"high"}}]},
        {"role":"assistant","content":null,"tool_calls":[
        {"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}},
        {"id":"c2","type":"custom","custom":{"name":"g","input":"x"}}]},
        {"role":"tool","tool_call_id":"c1","content":"r1"},
        {"role":"tool","tool_call_id":"c2","content":[{"type":"text","text":"r2"}]},
        {"role":"assistant","content":"","function_call":{"name":"h","arguments":"{}"}},
        {"role":"function","name":"h","content":"r3"}])"),
              "user@input[0](text u)(image https://x/a.png high at input[0].content[1])\n"
              "assistant@input[1](call c1 f {\"a\":1})(custom c2 g x)\n"
              "user@input[2](result c1 text r1)(result c2 text r2)\n"
              "assistant@input[4](text )(call call_4 h {})\n"
              "user@input[5](result call_4 text r3)");
}

TEST(ResponsesRequest, WhatNeedsAServerThatRemembersIsRefusedWithItsPath) {
    EXPECT_EQ(fault(R"({"input":"x","previous_response_id":"resp_1"})"), "previous_response_id");
    EXPECT_EQ(fault(R"({"input":"x","conversation":"c"})"), "conversation");
    EXPECT_EQ(fault(R"({"input":"x","prompt":{"id":"p"}})"), "prompt");
    EXPECT_EQ(fault(R"({"input":"x","raw_prompt_tokens":[1]})"), "raw_prompt_tokens");
    EXPECT_EQ(fault(R"({"input":"x","previous_response_id":null,"conversation":null,"prompt":null})"),
              "none");
    EXPECT_EQ(input_fault(R"([{"role":"user","content":"u"},{"id":"msg_1"}])"), "input[1].type");
    EXPECT_EQ(input_fault(R"([{"type":"item_reference","id":"msg_1"}])"), "input[0].type");
}

TEST(ResponsesRequest, OpenAIsOwnToolsAreRefusedWithTheirPath) {
    EXPECT_EQ(fault(R"({"input":"x","tools":[{"type":"web_search"}]})"), "tools[0].type");
    EXPECT_EQ(fault(R"({"input":"x","tool_choice":{"type":"file_search"}})"), "tool_choice.type");
    EXPECT_EQ(input_fault(R"([{"type":"web_search_call","id":"w"}])"), "input[0].type");
}

TEST(ResponsesRequest, MalformedInputIsRefusedWithItsPath) {
    EXPECT_EQ(fault("[]"), "");
    EXPECT_EQ(fault("{"), "");
    EXPECT_EQ(fault(R"({"model":"m"})"), "input");
    EXPECT_EQ(input_fault("[]"), "input");
    EXPECT_EQ(input_fault("7"), "input");
    EXPECT_EQ(input_fault(R"(["hi"])"), "input[0]");
    EXPECT_EQ(input_fault(R"([{"role":"king","content":"x"}])"), "input[0].role");
    EXPECT_EQ(input_fault(R"([{"role":"user","content":[{"text":"x"}]}])"), "input[0].content[0].type");
    EXPECT_EQ(input_fault(R"([{"role":"user","content":[{"type":"input_text"}]}])"),
              "input[0].content[0].text");
    EXPECT_EQ(input_fault(R"([{"role":"user","content":[{"type":"input_file","file_id":"f"}]}])"),
              "input[0].content[0].type");
    EXPECT_EQ(input_fault(R"([{"role":"user","content":[{"type":"input_image","file_id":"f"}]}])"),
              "input[0].content[0].file_id");
    EXPECT_EQ(
        input_fault(
            R"([{"role":"user","content":[{"type":"input_image","image_url":"u","detail":"original"}]}])"),
        "input[0].content[0].detail");
    EXPECT_EQ(input_fault(R"([{"type":"function_call","name":"f","arguments":"{}"}])"), "input[0].call_id");
    EXPECT_EQ(input_fault(R"([{"type":"function_call","call_id":"c","name":"f","arguments":{}}])"),
              "input[0].arguments");
    EXPECT_EQ(input_fault(R"([{"role":"assistant","tool_calls":[{"id":"c"}]}])"), "input[0].tool_calls[0]");
    EXPECT_EQ(fault(R"({"input":"x","text":{"format":{"type":"json_schema","name":"n"}}})"),
              "text.format.schema");
    EXPECT_EQ(fault(R"({"input":"x","text":{"format":{"type":"xml"}}})"), "text.format.type");
    EXPECT_EQ(fault(R"({"input":"x","temperature":"hot"})"), "temperature");
    EXPECT_EQ(fault(R"({"input":"x","max_output_tokens":-1})"), "max_output_tokens");
    EXPECT_EQ(fault(R"({"input":"x","top_logprobs":21})"), "top_logprobs");
    EXPECT_EQ(fault(R"({"input":"x","tools":[{"type":"function"}]})"), "tools[0].name");
    EXPECT_EQ(fault(R"({"input":"x","tool_choice":"maybe"})"), "tool_choice");
    EXPECT_EQ(fault(R"({"input":"x","tools":[{"type":"custom","name":"h","format":{"type":"grammar"}}]})"),
              "tools[0].format");
}

TEST(ResponsesRequest, EverySettingIsRead) {
    const auto said = read(R"({"model":"m","input":"x","max_output_tokens":9,"temperature":0.7,"top_p":1,
        "top_k":5,"seed":42,"stop":["a","b"],"frequency_penalty":0.5,"presence_penalty":-1,"user":"u",
        "parallel_tool_calls":false,"include":["message.output_text.logprobs","other"],"top_logprobs":3,
        "reasoning":{"effort":"high","summary":"auto"},"metadata":{"k":"v"},"store":true,"truncation":"auto",
        "service_tier":"flex","background":true,"max_tool_calls":4,
        "text":{"verbosity":"low","format":{"type":"json_schema","name":"n","description":"d","strict":true,
        "schema":{"type":"object","properties":{"b":{},"a":{}}}}}})");
    EXPECT_EQ(said.source, core::Protocol::responses);
    EXPECT_EQ(said.max_tokens, 9);
    EXPECT_EQ(said.temperature, "0.7");
    EXPECT_EQ(said.top_p, "1");
    EXPECT_EQ(said.top_k, "5");
    EXPECT_EQ(said.seed, "42");
    EXPECT_EQ(said.stop, (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(said.frequency_penalty, "0.5");
    EXPECT_EQ(said.presence_penalty, "-1");
    EXPECT_EQ(said.user, "u");
    EXPECT_EQ(said.parallel_tool_calls, false);
    EXPECT_EQ(said.top_logprobs, 3);
    EXPECT_EQ(said.reasoning.mode, Reasoning::Mode::on);
    EXPECT_EQ(said.reasoning.effort, "high");
    EXPECT_EQ(said.verbosity, "low");
    EXPECT_EQ(said.format.kind, AnswerFormat::Kind::json_schema);
    EXPECT_EQ(said.format.name, "n");
    EXPECT_EQ(said.format.description, "d");
    EXPECT_EQ(said.format.strict, true);
    EXPECT_EQ(said.format.schema, R"({"type":"object","properties":{"b":{},"a":{}}})");
}

TEST(ResponsesRequest, AnEffortOfNoneTurnsThinkingOff) {
    EXPECT_EQ(read(R"({"input":"x","reasoning":{"effort":"none"}})").reasoning.mode, Reasoning::Mode::off);
    EXPECT_EQ(read(R"({"input":"x","reasoning":{"effort":null}})").reasoning.mode, Reasoning::Mode::unsaid);
}

TEST(ResponsesRequest, ToolsAreReadInBothForms) {
    const auto said = read(R"({"input":"x","tool_choice":{"type":"function","name":"f"},"tools":[
        {"type":"function","name":"f","description":null,"strict":null,"parameters":{"type":"object"}},
        {"type":"function","function":{"name":"g","description":"d","strict":true}},
        {"type":"custom","name":"h","format":{"type":"text"}}]})");
    ASSERT_EQ(said.tools.size(), 3);
    EXPECT_EQ(said.tools[0].name, "f");
    EXPECT_EQ(said.tools[0].parameters, R"({"type":"object"})");
    EXPECT_EQ(said.tools[0].strict, std::nullopt);
    EXPECT_EQ(said.tools[1].name, "g");
    EXPECT_EQ(said.tools[1].description, "d");
    EXPECT_EQ(said.tools[1].strict, true);
    EXPECT_EQ(said.tools[1].where, "tools[1]");
    EXPECT_TRUE(said.tools[2].custom);
    ASSERT_TRUE(said.tool_choice);
    EXPECT_EQ(said.tool_choice->kind, ToolChoice::Kind::named);
    EXPECT_EQ(said.tool_choice->name, "f");
}

TEST(ResponsesRequest, ToolsThatAreNotAllowedAreGone) {
    const auto said = read(R"({"input":"x","tool_choice":{"type":"allowed_tools","mode":"required",
        "tools":[{"type":"function","name":"g"}]},
        "tools":[{"type":"function","name":"f"},{"type":"function","name":"g"}]})");
    ASSERT_TRUE(said.tool_choice);
    EXPECT_EQ(said.tool_choice->kind, ToolChoice::Kind::required);
    ASSERT_EQ(said.tools.size(), 1);
    EXPECT_EQ(said.tools[0].name, "g");
}

TEST(ResponsesRequest, IsWrittenAsItWasRead) {
    EXPECT_EQ(
        rewritten(R"({"model":"other","input":[{"role":"system","content":"s"},{"role":"user","content":"u"},
        {"role":"assistant","content":"a"},{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},
        {"type":"function_call_output","call_id":"c","output":"r"}],
        "tools":[{"type":"function","name":"f","parameters":{"type":"object"},"strict":true}],
        "tool_choice":"required","parallel_tool_calls":true,"text":{"format":{"type":"json_object"}},
        "reasoning":{"effort":"low"},"max_output_tokens":5,"temperature":0.1,"top_p":0.2,"top_logprobs":2})"),
        R"({"model":"m","input":[{"type":"message","role":"system","content":"s"},)"
        R"({"type":"message","role":"user","content":"u"},{"type":"message","role":"assistant","content":"a"},)"
        R"({"type":"function_call","call_id":"c","name":"f","arguments":"{}"},)"
        R"({"type":"function_call_output","call_id":"c","output":"r"}],)"
        R"("tools":[{"type":"function","name":"f","parameters":{"type":"object"},"strict":true}],)"
        R"("tool_choice":"required","parallel_tool_calls":true,"text":{"format":{"type":"json_object"}},)"
        R"("reasoning":{"effort":"low"},"max_output_tokens":5,"temperature":0.1,"top_p":0.2,)"
        R"("include":["message.output_text.logprobs"],"top_logprobs":2,"store":false})");
}

TEST(ResponsesRequest, ToolsThatSaidNothingOfStrictnessAreNotStrict) {
    EXPECT_EQ(rewritten(R"({"input":"x","tool_choice":{"type":"custom","name":"g"},
        "tools":[{"type":"function","name":"f"},{"type":"custom","name":"g"}]})"),
              R"({"model":"m","input":[{"type":"message","role":"user","content":"x"}],)"
              R"("tools":[{"type":"function","name":"f","parameters":{"type":"object","properties":{}},)"
              R"("strict":false},{"type":"custom","name":"g"}],)"
              R"("tool_choice":{"type":"custom","name":"g"},"store":false})");
}

TEST(ResponsesRequest, PartsOfEveryKindAreWritten) {
    Conversation said;
    said.turns = {
        {.role = Role::assistant,
         .parts = {Thinking{"t", "s"}, Text{"a"}, Text{"b"}, ToolCall{"c", "g", "free", true}},
         .where = {}},
        {.role = Role::user,
         .parts = {ToolResult{.call_id = "c", .content = {Text{"x"}, Text{"y"}}, .is_error = true},
                   ToolResult{.call_id = "d", .content = {Text{"x"}, Image{"u", "low"}}}, Text{"p"},
                   Text{"q"}, Image{"v", ""}},
         .where = {}},
        {.role = Role::assistant, .parts = {Text{"a"}, Refusal{"no"}}, .where = {}},
        {.role = Role::user, .parts = {Text{"end"}}, .where = {}},
    };
    EXPECT_EQ(written(said, true),
              R"({"model":"m","input":[{"type":"message","role":"assistant","content":"ab"},)"
              R"({"type":"custom_tool_call","call_id":"c","name":"g","input":"free"},)"
              R"({"type":"custom_tool_call_output","call_id":"c","output":"Error: x\ny"},)"
              R"({"type":"function_call_output","call_id":"d","output":[{"type":"input_text","text":"x"},)"
              R"({"type":"input_image","image_url":"u","detail":"low"}]},)"
              R"({"type":"message","role":"user","content":[{"type":"input_text","text":"p"},)"
              R"({"type":"input_text","text":"q"},{"type":"input_image","image_url":"v","detail":"auto"}]},)"
              R"({"type":"message","role":"assistant","content":[{"type":"output_text","text":"a"},)"
              R"({"type":"refusal","refusal":"no"}]},{"type":"message","role":"user","content":"end"}],)"
              R"("store":false,"stream":true})");
}

TEST(ResponsesRequest, ABudgetOfThoughtBecomesAnEffort) {
    Conversation said;
    said.turns = {{.role = Role::user, .parts = {Text{"x"}}, .where = {}}};
    said.reasoning = {.mode = Reasoning::Mode::on, .budget_tokens = 1024, .effort = {}};
    EXPECT_NE(written(said).find(R"("reasoning":{"effort":"low"})"), std::string::npos);
    said.reasoning.budget_tokens = 16384;
    EXPECT_NE(written(said).find(R"("reasoning":{"effort":"high"})"), std::string::npos);
    said.reasoning = {.mode = Reasoning::Mode::off, .budget_tokens = {}, .effort = {}};
    EXPECT_NE(written(said).find(R"("reasoning":{"effort":"none"})"), std::string::npos);
}

TEST(ResponsesRequest, WhatTheProtocolDoesNotHaveIsRefusedWithThePathItCameFrom) {
    Conversation said;
    said.source = core::Protocol::messages;
    said.turns = {{.role = Role::user, .parts = {Text{"x"}}, .where = "messages.0"}};
    said.stop = {"END"};
    EXPECT_TRUE(written(said).starts_with("stop_sequences: ")) << written(said);
    said.stop.clear();
    said.top_k = "4";
    EXPECT_TRUE(written(said).starts_with("top_k: ")) << written(said);
    said.top_k.reset();
    said.turns.push_back({.role = Role::assistant, .parts = {Text{"{"}}, .where = "messages.1"});
    said.is_continued = true;
    EXPECT_TRUE(written(said).starts_with("messages.1: ")) << written(said);
    said.is_continued = false;
    said.turns[1].parts = {Image{"u", "", "messages.1.content.0"}};
    EXPECT_TRUE(written(said).starts_with("messages.1.content.0: ")) << written(said);
}

}  // namespace
}  // namespace sheaf::protocol

#include "protocol/check_messages.h"

#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "protocol/testing_json.h"

namespace sheaf::protocol {
namespace {

constexpr std::string_view kHello = R"({"role":"user","content":"Hello"})";

// "field: message" of the fault in a request that says `messages`, or "fine".
std::string checked(std::string_view messages, std::string_view rest = "", CheckOptions options = {}) {
    const auto fits = check_messages_request(
        fmt::format(R"({{"model":"m","max_tokens":4096,"messages":[{}]{}}})", messages, rest), options);
    if (fits) return "fine";
    EXPECT_EQ(fits.error().code, ErrorCode::invalid);
    return fmt::format("{}: {}", fits.error().field, fits.error().message);
}
// The same with a field of its own.
std::string with(std::string_view rest, CheckOptions options = {}) {
    return checked(kHello, fmt::format(",{}", rest), options);
}
// The same of a content of the user's.
std::string content(std::string_view blocks) {
    return checked(fmt::format(R"({{"role":"user","content":[{}]}})", blocks));
}

TEST(CheckMessages, TakesEveryDocumentedField) {
    const auto said = fmt::format(
        R"({},{},{},{},{})",
        R"({"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral","ttl":"1h"},"citations":null},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAA="}},{"type":"image","source":{"type":"url","url":"https://a"},"cache_control":null},{"type":"image","source":{"type":"file","file_id":"f"}},{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"AAAA"},"title":"t","context":null,"citations":{"enabled":true}},{"type":"document","source":{"type":"text","media_type":"text/plain","data":""}},{"type":"document","source":{"type":"content","content":[{"type":"text","text":"a"},{"type":"image","source":{"type":"url","url":"u"}}]}},{"type":"document","source":{"type":"content","content":"a"}},{"type":"document","source":{"type":"url","url":"u"}},{"type":"document","source":{"type":"file","file_id":"f"}},{"type":"search_result","source":"s","title":"t","content":[{"type":"text","text":"a"}],"citations":{"enabled":true}}]})",
        R"({"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"redacted_thinking","data":"d"},{"type":"text","text":"b","citations":[{"type":"char_location"}]},{"type":"server_tool_use","id":"x","whatever":1},{"type":"tool_use","id":"toolu_1","name":"f","input":{},"caller":{"type":"direct"}}]})",
        R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","is_error":false,"content":[{"type":"text","text":"a"},{"type":"image","source":{"type":"url","url":"u"}},{"type":"document","source":{"type":"url","url":"u"}},{"type":"search_result","source":"s","title":"t","content":[]},{"type":"tool_reference","tool_name":"g"}]}]})",
        R"({"role":"system","content":[{"type":"text","text":"Hurry"}]})",
        R"({"role":"assistant","content":""})");
    EXPECT_EQ(
        checked(
            said,
            R"(,"system":[{"type":"text","text":"s","citations":[]}],"temperature":1,"top_p":0,"top_k":40,"stop_sequences":["x"],"stream":false,"tools":[{"name":"f","input_schema":{"type":"object","properties":{},"required":[]},"description":"d","type":"custom","strict":true,"defer_loading":false,"allowed_callers":["direct"],"input_examples":[{}],"eager_input_streaming":null,"cache_control":null},{"name":"g","type":null,"input_schema":{"type":"object"}},{"type":"web_search_20250305","name":"web_search","max_uses":3}],"tool_choice":{"type":"auto","disable_parallel_tool_use":true},"thinking":{"type":"enabled","budget_tokens":1024,"display":"summarized"},"metadata":{"user_id":"u"},"service_tier":"standard_only","output_config":{"effort":"max","format":{"type":"json_schema","schema":{}}},"cache_control":{"type":"ephemeral"},"container":{"id":null,"skills":[{}]},"inference_geo":"eu","diagnostics":{"previous_message_id":null})"),
        "fine");
    EXPECT_EQ(
        with(
            R"("mcp_servers":[{}],"context_management":{},"output_format":null,"fallbacks":[],"fallback_credit_token":"a","billing_policy":{"bill_to":"user_profile"},"compaction":{},"thread":{},"user_profile_id":"u","store":true,"speed":"fast","container":null,"inference_geo":null,"diagnostics":null,"cache_control":null,"research_preview_2026_02":"active")"),
        "fine");
    for (const auto* choice : {R"({"type":"any"})", R"({"type":"none"})", R"({"type":"tool","name":"f"})"})
        EXPECT_EQ(with(fmt::format(R"("tool_choice":{})", choice)), "fine");
    for (const auto* thinking :
         {R"({"type":"adaptive","display":null})", R"({"type":"disabled"})", R"({"type":"between_tools"})"})
        EXPECT_EQ(with(fmt::format(R"("thinking":{})", thinking)), "fine");
}

TEST(CheckMessages, DemandsItsFields) {
    EXPECT_EQ(error_of(check_messages_request(R"({"max_tokens":1,"messages":[]})", {})).field, "messages");
    const auto error =
        error_of(check_messages_request(fmt::format(R"({{"max_tokens":1,"messages":[{}]}})", kHello), {}));
    EXPECT_EQ(error.field, "model");
    EXPECT_EQ(error.message, "Field required");
    EXPECT_EQ(
        error_of(check_messages_request(fmt::format(R"({{"model":"m","messages":[{}]}})", kHello), {})).field,
        "max_tokens");
    EXPECT_EQ(error_of(check_messages_request(R"({"model":"m","max_tokens":1})", {})).field, "messages");
}

TEST(CheckMessages, IsClosedEverywhere) {
    EXPECT_EQ(with(R"("best_of":2)"), "best_of: Extra inputs are not permitted");
    EXPECT_EQ(with(R"("best_of":null)"), "best_of: Extra inputs are not permitted");
    EXPECT_EQ(checked(R"({"role":"user","content":"a","name":"b"})"),
              "messages.0.name: Extra inputs are not permitted");
    EXPECT_EQ(content(R"({"type":"text","text":"a","x":1})"),
              "messages.0.content.0.x: Extra inputs are not permitted");
    EXPECT_EQ(content(R"({"type":"image","source":{"type":"url","url":"u","detail":"low"}})"),
              "messages.0.content.0.source.detail: Extra inputs are not permitted");
    EXPECT_EQ(with(R"("tools":[{"name":"f","input_schema":{"type":"object"},"parameters":{}}])"),
              "tools.0.parameters: Extra inputs are not permitted");
    EXPECT_EQ(with(R"("tool_choice":{"type":"none","disable_parallel_tool_use":true})"),
              "tool_choice.disable_parallel_tool_use: Extra inputs are not permitted");
    EXPECT_EQ(with(R"("metadata":{"user":"a"})"), "metadata.user: Extra inputs are not permitted");
    EXPECT_EQ(with(R"("output_config":{"style":"a"})"),
              "output_config.style: Extra inputs are not permitted");
    EXPECT_EQ(with(R"("cache_control":{"type":"ephemeral","x":1})"),
              "cache_control.x: Extra inputs are not permitted");
}

TEST(CheckMessages, TakesNullOnlyWhereItIsAllowed) {
    EXPECT_EQ(with(R"("system":null)"),
              "system: Input should be a valid string or an array of content blocks");
    EXPECT_EQ(with(R"("temperature":null)"), "temperature: Input should be a valid number");
    EXPECT_EQ(with(R"("tools":null)"), "tools: Input should be a valid array");
    EXPECT_EQ(with(R"("metadata":null)"), "metadata: Input should be an object");
    EXPECT_EQ(checked(R"({"role":"user","content":null})"),
              "messages.0.content: Input should be a valid string or an array of content blocks");
}

TEST(CheckMessages, KeepsToTheRanges) {
    struct Case {
        const char* field;
        const char* fault;
    };
    for (
        const auto& [field, fault] : {
            Case{R"("temperature":1.01)", "temperature: Input should be less than or equal to 1"},
            Case{R"("temperature":-0.1)", "temperature: Input should be greater than or equal to 0"},
            Case{R"("top_p":"1")", "top_p: Input should be a valid number"},
            Case{R"("top_k":-1)", "top_k: Input should be a whole number, greater than or equal to 0"},
            Case{R"("top_k":1.5)", "top_k: Input should be a whole number, greater than or equal to 0"},
            Case{R"("stream":"yes")", "stream: Input should be a valid boolean"},
            Case{R"("stop_sequences":["a"," \n"])",
                 "stop_sequences.1: each stop sequence must contain non-whitespace"},
            Case{R"("stop_sequences":"a")", "stop_sequences: Input should be a valid array"},
            Case{R"("service_tier":"priority")", "service_tier: Input should be 'auto' or 'standard_only'"},
            Case{R"("speed":"slow")", "speed: Input should be 'standard' or 'fast'"},
            Case{R"("thinking":{"type":"on"})",
                 "thinking.type: Input should be 'enabled', 'adaptive', 'disabled' or 'between_tools'"},
            Case{R"("thinking":{"type":"enabled"})", "thinking.budget_tokens: Field required"},
            Case{R"("thinking":{"type":"enabled","budget_tokens":1023})",
                 "thinking.budget_tokens: Input should be greater than or equal to 1024"},
            Case{R"("thinking":{"type":"enabled","budget_tokens":4096})",
                 "thinking.budget_tokens: `max_tokens` must be greater than `thinking.budget_tokens`"},
            Case{R"("thinking":{"type":"adaptive","display":"all"})",
                 "thinking.display: Input should be 'summarized' or 'omitted'"},
            Case{R"("output_config":{"effort":"minimal"})",
                 "output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'"},
            Case{R"("output_config":{"format":{"type":"json_object"}})",
                 "output_config.format.type: Input should be 'json_schema'"},
            Case{R"("output_config":{"format":{"type":"json_schema"}})",
                 "output_config.format.schema: Field required"},
            Case{R"("cache_control":{"type":"ephemeral","ttl":"2h"})",
                 "cache_control.ttl: Input should be '5m' or '1h'"},
            Case{R"("tool_choice":"auto")", "tool_choice: Input should be an object"},
            Case{R"("tool_choice":{"type":"tool"})", "tool_choice.name: Field required"},
            Case{R"("tool_choice":{"type":"required"})",
                 "tool_choice.type: Input should be 'auto', 'any', 'tool' or 'none'"},
            Case{R"("tools":[{"input_schema":{"type":"object"}}])", "tools.0.name: Field required"},
            Case{R"("tools":[{"name":"a b","input_schema":{"type":"object"}}])",
                 "tools.0.name: String should match pattern '^[a-zA-Z0-9_-]+$'"},
            Case{R"("tools":[{"name":"f"}])", "tools.0.input_schema: Field required"},
            Case{R"("tools":[{"name":"f","input_schema":{"type":"array"}}])",
                 "tools.0.input_schema.type: Input should be 'object'"},
            Case{
                R"("tools":[{"name":"f","input_schema":{"type":"object"}},{"name":"f","input_schema":{"type":"object"}}])",
                "tools.1.name: Tool names must be unique"},
            Case{R"("system":[{"type":"image","source":{"type":"url","url":"u"}}])",
                 "system.0.type: Input should be 'text', not 'image'"},
        })
        EXPECT_EQ(with(field), fault);
    EXPECT_EQ(with(fmt::format(R"("tools":[{{"name":"{}","input_schema":{{"type":"object"}}}}])",
                               std::string(129, 'a'))),
              "tools.0.name: String should have at most 128 characters");
    std::string long_name;
    for (int i = 0; i < 512; ++i) long_name += "é";
    EXPECT_EQ(with(fmt::format(R"("metadata":{{"user_id":"{}"}})", long_name)), "fine");
    EXPECT_EQ(with(fmt::format(R"("metadata":{{"user_id":"{}a"}})", long_name)),
              "metadata.user_id: String should have at most 512 characters");
    EXPECT_EQ(error_of(check_messages_request(
                           R"({"model":"","max_tokens":1,"messages":[{"role":"user","content":"a"}]})", {}))
                  .field,
              "model");
}

TEST(CheckMessages, KnowsEveryBlock) {
    struct Case {
        const char* block;
        const char* fault;
    };
    const std::string at = "messages.0.content.0";
    for (
        const auto& [block, fault] : {
            Case{"1", ": Input should be an object"},
            Case{"{}", ".type: Field required"},
            Case{R"({"type":"text"})", ".text: Field required"},
            Case{R"({"type":"text","text":""})", ".text: String should have at least 1 character"},
            Case{R"({"type":"text","text":1})", ".text: Input should be a valid string"},
            Case{R"({"type":"text","text":"a","citations":[1]})", ".citations.0: Input should be an object"},
            Case{R"({"type":"image"})", ".source: Field required"},
            Case{R"({"type":"image","source":{"type":"path"}})",
                 ".source.type: Input should be 'base64', 'url' or 'file'"},
            Case{
                R"({"type":"image","source":{"type":"base64","media_type":"image/tiff","data":"AA"}})",
                ".source.media_type: Input should be 'image/jpeg', 'image/png', 'image/gif' or 'image/webp'"},
            Case{
                R"({"type":"image","source":{"type":"base64","media_type":"image/png","data":"data:image/png;base64,AA"}})",
                ".source.data: Input should be valid base64, without a prefix"},
            Case{R"({"type":"image","source":{"type":"base64","media_type":"image/png","data":""}})",
                 ".source.data: String should have at least 1 character"},
            Case{R"({"type":"image","source":{"type":"url"}})", ".source.url: Field required"},
            Case{R"({"type":"document","source":{"type":"base64","media_type":"text/plain","data":"AA"}})",
                 ".source.media_type: Input should be 'application/pdf'"},
            Case{
                R"({"type":"document","source":{"type":"content","content":[{"type":"document","source":{}}]}})",
                ".source.content.0.type: Input should be 'text' or 'image', not 'document'"},
            Case{R"({"type":"search_result","source":"s","title":"t"})", ".content: Field required"},
            Case{
                R"({"type":"search_result","source":"s","title":"t","content":[{"type":"image","source":{"type":"url","url":"u"}}]})",
                ".content.0.type: Input should be 'text', not 'image'"},
            Case{R"({"type":"tool_result"})", ".tool_use_id: Field required"},
            Case{R"({"type":"tool_result","tool_use_id":"a","content":[{"type":"tool_use"}]})",
                 ".content.0.type: Input should be 'text', 'image', 'document', 'search_result' or "
                 "'tool_reference', not 'tool_use'"},
            Case{R"({"type":"tool_use","id":"a","name":"f","input":{}})",
                 ".type: Input should be 'text', 'image', 'document', 'search_result' or 'tool_result', not "
                 "'tool_use'"},
            Case{R"({"type":"input_text","text":"a"})",
                 ".type: Input should be 'text', 'image', 'document', 'search_result' or 'tool_result', not "
                 "'input_text'"},
        })
        EXPECT_EQ(content(block), at + fault);
    const auto assistant = [](std::string_view block) {
        return checked(
            fmt::format(R"({{"role":"user","content":"a"}},{{"role":"assistant","content":[{}]}})", block));
    };
    EXPECT_EQ(assistant(R"({"type":"image","source":{"type":"url","url":"u"}})"),
              "messages.1.content.0.type: Input should be 'text', 'tool_use', 'thinking' or "
              "'redacted_thinking', not 'image'");
    EXPECT_EQ(assistant(R"({"type":"tool_use","id":"a.b","name":"f","input":{}})"),
              "messages.1.content.0.id: String should match pattern '^[a-zA-Z0-9_-]+$'");
    EXPECT_EQ(assistant(R"({"type":"tool_use","id":"a","name":"f","input":"{}"})"),
              "messages.1.content.0.input: Input should be an object");
    EXPECT_EQ(assistant(fmt::format(R"({{"type":"tool_use","id":"a","name":"{}","input":{{}}}})",
                                    std::string(201, 'f'))),
              "messages.1.content.0.name: String should have at most 200 characters");
    EXPECT_EQ(assistant(R"({"type":"thinking","thinking":"a"})"),
              "messages.1.content.0.signature: Field required");
}

TEST(CheckMessages, KnowsTheRolesAndTheirOrder) {
    EXPECT_EQ(checked(R"({"role":"tool","content":"a"})"),
              "messages.0.role: Input should be 'user', 'assistant' or 'system'");
    EXPECT_EQ(checked(R"({"content":"a"})"), "messages.0.role: Field required");
    EXPECT_EQ(checked(""), "messages: at least one message is required");
    const std::string user = R"({"role":"user","content":"a"})";
    const std::string assistant = R"({"role":"assistant","content":"a"})";
    const std::string system = R"({"role":"system","content":"a"})";
    const std::string hosted = R"({"role":"assistant","content":[{"type":"web_search_tool_result"}]})";
    const auto in_order = [](const std::vector<std::string>& turns) {
        return checked(fmt::to_string(fmt::join(turns, ",")));
    };
    EXPECT_EQ(in_order({user, system}), "fine");
    EXPECT_EQ(in_order({user, system, system, assistant, user}), "fine");
    EXPECT_EQ(in_order({user, hosted, system}), "fine");
    EXPECT_EQ(in_order({user, user, assistant, assistant}), "fine");
    for (const auto& turns :
         {std::vector{system, user}, std::vector{user, assistant, system}, std::vector{user, system, user}})
        EXPECT_NE(in_order(turns).find(": a system message must directly follow a user turn"),
                  std::string::npos);
}

TEST(CheckMessages, TakesNoEmptyMessageButTheLastOfTheAssistant) {
    const std::string fault =
        ": all messages must have non-empty content except for the optional final assistant message";
    EXPECT_EQ(checked(R"({"role":"user","content":""})"), "messages.0" + fault);
    EXPECT_EQ(checked(R"({"role":"user","content":[]})"), "messages.0" + fault);
    EXPECT_EQ(
        checked(
            R"({"role":"user","content":"a"},{"role":"assistant","content":""},{"role":"user","content":"b"})"),
        "messages.1" + fault);
    EXPECT_EQ(checked(R"({"role":"user","content":"a"},{"role":"assistant","content":[]})"), "fine");
}

TEST(CheckMessages, PairsCallsWithTheirResults) {
    const std::string user = R"({"role":"user","content":"a"})";
    const auto calls = [](std::string_view first, std::string_view second) {
        return fmt::format(
            R"({{"role":"assistant","content":[{{"type":"tool_use","id":"{}","name":"f","input":{{}}}},{{"type":"tool_use","id":"{}","name":"f","input":{{}}}}]}})",
            first, second);
    };
    const auto result = [](std::string_view id) {
        return fmt::format(R"({{"role":"user","content":[{{"type":"tool_result","tool_use_id":"{}"}}]}})",
                           id);
    };
    const auto in_order = [](const std::vector<std::string>& turns) {
        return checked(fmt::to_string(fmt::join(turns, ",")));
    };
    EXPECT_EQ(in_order({user, calls("a", "b"), result("b"), result("a"), user}), "fine");
    EXPECT_EQ(in_order({user, calls("a", "b"), result("a"), calls("c", "d")}),
              "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: b. Each "
              "`tool_use` "
              "block must have a corresponding `tool_result` block in the next message");
    EXPECT_TRUE(
        in_order({user, calls("a", "b")}).starts_with("messages.1: `tool_use` ids were found without"));
    EXPECT_TRUE(
        in_order({user, calls("a", "b"), user}).starts_with("messages.1: `tool_use` ids were found without"));
    EXPECT_TRUE(
        in_order({result("a")}).starts_with("messages.0.content.0.tool_use_id: unexpected `tool_use_id`"));
    EXPECT_TRUE(in_order({user, calls("a", "b"), result("a"), result("b"),
                          R"({"role":"assistant","content":"x"})", result("a")})
                    .starts_with("messages.5.content.0.tool_use_id: unexpected `tool_use_id`"));
    EXPECT_TRUE(
        in_order({user, calls("a", "b"), result("a"), result("a")})
            .starts_with("messages.3.content.0.tool_use_id: each `tool_use` must have a single result"));
    EXPECT_EQ(in_order({user, calls("a", "a")}), "messages.1.content.1.id: `tool_use` ids must be unique");
}

TEST(CheckMessages, RefusesInABatchWhatBatchesDoNotTake) {
    constexpr CheckOptions kBatch{.batch = true};
    for (const auto* field : {R"("stream":true)", R"("speed":"fast")", R"("store":false)",
                              R"("previous_thread_event_id":"a")", R"("thread":{})", R"("cache_hint":{})",
                              R"("context_hint":{})", R"("research_preview_2026_02":"active")",
                              R"("fallbacks":[])", R"("billing_policy":{"bill_to":"user_profile"})"}) {
        EXPECT_TRUE(with(field, kBatch).ends_with(": not supported in message batches"))
            << with(field, kBatch);
        EXPECT_EQ(with(field), "fine");
    }
    EXPECT_EQ(with(R"("billing_policy":{"bill_to":"user_profile"})", kBatch),
              "billing_policy.bill_to: not supported in message batches");
    EXPECT_EQ(
        with(
            R"("stream":false,"speed":null,"research_preview_2026_02":"off","billing_policy":{"bill_to":"self"})",
            kBatch),
        "fine");
    const auto* zero = R"({"model":"m","max_tokens":0,"messages":[{"role":"user","content":"a"}]})";
    EXPECT_TRUE(check_messages_request(zero, {}));
    const auto error = error_of(check_messages_request(zero, kBatch));
    EXPECT_EQ(error.field, "max_tokens");
    EXPECT_EQ(error.message, "Input should be greater than or equal to 1");
}

TEST(CheckMessages, RefusesWhatIsOfTheAnswerInACallThatCounts) {
    const auto counted = [](std::string_view rest) {
        const auto body = fmt::format(R"({{"model":"m","messages":[{}]{}}})", kHello, rest);
        const auto fits = check_messages_request(body, {.counts_tokens = true});
        return fits ? "fine" : fmt::format("{}: {}", fits.error().field, fits.error().message);
    };
    EXPECT_EQ(counted(""), "fine");
    EXPECT_EQ(
        counted(
            R"(,"system":"s","tools":[],"tool_choice":{"type":"auto"},"thinking":{"type":"enabled","budget_tokens":9000},"output_config":{"effort":"low"},"cache_control":null,"speed":"fast")"),
        "fine");
    EXPECT_EQ(counted(R"(,"max_tokens":1)"), "max_tokens: Extra inputs are not permitted");
    EXPECT_EQ(counted(R"(,"stream":false)"), "stream: Extra inputs are not permitted");
}

TEST(CheckMessages, RefusesWhatIsNoRequest) {
    for (const std::string& body :
         {std::string(""), std::string("x"), std::string("[]"), std::string("null"), std::string("{}"),
          std::string(100'000, '['), std::string(R"({"model":"m","model":"m"})"),
          std::string("{\"model\":\"\xC3\x28\"}")})
        EXPECT_EQ(error_of(check_messages_request(body, {})).code, ErrorCode::invalid);
}

TEST(CheckMessages, TakesManyMessagesAndNoMore) {
    std::string many(kHello);
    for (int i = 1; i < 100'000; ++i) many.append(",").append(kHello);
    EXPECT_EQ(checked(many), "fine");
    many.append(",").append(kHello);
    EXPECT_EQ(checked(many), "messages: at most 100000 messages are allowed");
}

}  // namespace
}  // namespace sheaf::protocol

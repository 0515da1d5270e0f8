#include <cmath>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "backend/backends.h"
#include "backend/json_text.h"

namespace sheaf::backend {
namespace {

using core::Protocol;
using enum core::Protocol;

core::Outcome run(Backend& backend, Protocol protocol, std::string body, bool counts_tokens = false) {
    Job job;
    job.custom_id = "item-1";
    job.inference = core::ModelRequest{
        .protocol = protocol, .model = "m", .body = std::move(body), .counts_tokens = counts_tokens};
    boost::asio::io_context context{1};
    std::optional<core::Outcome> result;
    boost::asio::co_spawn(context, backend.run(std::move(job)),
                          [&](std::exception_ptr fault, core::Outcome outcome) {
                              if (!fault) result = std::move(outcome);
                          });
    context.run_for(std::chrono::seconds{20});
    return result.value_or(core::Broken{{"none", "no outcome"}});
}

std::string chat(std::string_view words, std::string_view more = "") {
    return fmt::format(R"({{"model":"m","messages":[{{"role":"user","content":"earlier"}},)"
                       R"({{"role":"user","content":{}}}]{}}})",
                       json_text(boost::json::value(words)), more);
}

// What stands at `pointer` of the answer, or how it failed.
std::string told(const core::Outcome& outcome, const char* pointer) {
    if (const auto* answer = std::get_if<core::Answer>(&outcome)) {
        boost::system::error_code error;
        const auto document = parse_json(answer->reply);
        const auto* found = document->find_pointer(pointer, error);
        return found == nullptr ? "nothing in " + answer->reply : json_text(*found);
    }
    if (const auto* refused = std::get_if<core::Refused>(&outcome))
        return "refused " + refused->failure.code + " " + refused->failure.field;
    return std::holds_alternative<core::Overloaded>(outcome) ? "overloaded" : "broken";
}

TEST(ScriptedRequest, TheConfiguredAnswerIsFilledInEveryProtocol) {
    const auto backend = make_scripted_backend({.answer = "{custom_id} said {prompt} at {attempt}"});
    const std::string expected = R"("item-1 said hi at 1")";
    EXPECT_EQ(told(run(*backend, chat_completions, chat("hi")), "/choices/0/message/content"), expected);
    EXPECT_EQ(
        told(
            run(*backend, messages,
                R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]})"),
            "/content/0/text"),
        expected);
    EXPECT_EQ(told(run(*backend, responses, R"({"model":"m","input":"hi"})"), "/output/0/content/0/text"),
              expected);
}

TEST(ScriptedRequest, DirectivesOfTheLastWordsAreFollowed) {
    const auto backend = make_scripted_backend({});
    const auto ask = [&](std::string_view words, const char* pointer) {
        return told(run(*backend, chat_completions, chat(words)), pointer);
    };
    EXPECT_EQ(ask("Say yes.\nsheaf:answer yes", "/choices/0/message/content"), R"("yes")");
    EXPECT_EQ(ask("sheaf:fail", ""), "refused analysis_failed ");
    EXPECT_EQ(ask("sheaf:broken", ""), "broken");
    EXPECT_EQ(ask("sheaf:overload", ""), "overloaded");
    EXPECT_EQ(ask("sheaf:overload", "/choices/0/finish_reason"), R"("stop")") << "the second time";
    EXPECT_EQ(ask("sheaf:length", "/choices/0/finish_reason"), R"("length")");
    EXPECT_EQ(
        told(run(*backend, messages,
                 R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"sheaf:length"}]})"),
             "/stop_reason"),
        R"("max_tokens")");
    EXPECT_EQ(told(run(*backend, embeddings, R"({"model":"m","input":"sheaf:fail"})"), ""),
              "refused analysis_failed ");
}

TEST(ScriptedRequest, AForcedToolIsCalledWithoutArguments) {
    const auto backend = make_scripted_backend({});
    const std::string tools =
        R"(,"tools":[{"type":"function","function":{"name":"a"}},{"type":"function","function":{"name":"b"}}],"tool_choice":)";
    const auto called = [&](std::string_view choice) {
        const auto outcome = run(*backend, chat_completions, chat("hi", tools + std::string(choice)));
        return told(outcome, "/choices/0/message/tool_calls/0/function") +
               told(outcome, "/choices/0/finish_reason");
    };
    EXPECT_EQ(called(R"("required")"), R"({"name":"a","arguments":"{}"}"tool_calls")");
    EXPECT_EQ(called(R"({"type":"function","function":{"name":"b"}})"),
              R"({"name":"b","arguments":"{}"}"tool_calls")");
    EXPECT_NE(called(R"("auto")").find(R"("stop")"), std::string::npos) << "nobody forces it";
    const auto message = run(
        *backend, messages,
        R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}],"tools":[{"name":"a","input_schema":{"type":"object"}}],"tool_choice":{"type":"any"}})");
    EXPECT_EQ(told(message, "/content/0/input") + told(message, "/stop_reason"), R"({}"tool_use")");
}

TEST(ScriptedRequest, JsonIsInventedByItsSchema) {
    const auto backend = make_scripted_backend({});
    const std::string format =
        R"(,"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"type":"object","properties":{"n":{"type":"integer","minimum":3}},"required":["n"]}}})";
    EXPECT_EQ(told(run(*backend, chat_completions, chat("hi", format)), "/choices/0/message/content"),
              R"("{\"n\":3}")");
    EXPECT_EQ(
        told(run(*backend, chat_completions, chat("sheaf:answer {}", format)), "/choices/0/message/content"),
        R"("{}")");
    EXPECT_EQ(told(run(*backend, responses,
                       R"({"model":"m","input":"hi","text":{"format":{"type":"json_object"}}})"),
                   "/output/0/content/0/text"),
              R"("{}")");
}

TEST(ScriptedRequest, UsageIsCounted) {
    const auto backend = make_scripted_backend({.answer = "12345678"});
    const auto outcome = run(*backend, messages,
                             R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]})");
    ASSERT_TRUE(std::holds_alternative<core::Answer>(outcome));
    const auto& answer = std::get<core::Answer>(outcome);
    EXPECT_EQ(answer.usage.output_tokens, 3U);
    EXPECT_EQ(told(outcome, "/usage/output_tokens"), "3");
    EXPECT_EQ(told(outcome, "/usage/input_tokens"), std::to_string(answer.usage.input_tokens));
    EXPECT_GT(answer.usage.input_tokens, 10U);
}

TEST(ScriptedRequest, EmbeddingsAreUnitVectorsThatDependOnTheInputAlone) {
    const auto backend = make_scripted_backend({});
    const auto embed = [&](std::string_view members) {
        return run(*backend, embeddings, fmt::format(R"({{"model":"m",{}}})", members));
    };
    const auto list = embed(R"("input":["a","b","a"])");
    EXPECT_EQ(told(list, "/data/0/embedding"), told(list, "/data/2/embedding"));
    EXPECT_NE(told(list, "/data/0/embedding"), told(list, "/data/1/embedding"));
    EXPECT_EQ(told(embed(R"("input":"a")"), "/data/0/embedding"), told(list, "/data/0/embedding"));
    EXPECT_EQ(told(embed(R"("input":[1,2])"), "/data/1"), told(embed(R"("input":[1,2])"), "/data/1"));
    EXPECT_EQ(told(embed(R"("input":[[1],[2]])"), "/data/1/index"), "1");

    const auto longer = parse_json(told(embed(R"("input":"a","dimensions":100)"), "/data/0/embedding"));
    ASSERT_EQ(longer->as_array().size(), 100U);
    double length = 0;
    for (const auto& value : longer->as_array()) length += std::pow(value.to_number<double>(), 2);
    EXPECT_NEAR(length, 1, 1e-5);

    EXPECT_EQ(told(embed(R"("input":"a","encoding_format":"base64")"), "/data/0/embedding").size(), 46U)
        << "8 floats in base64, and quotes";
    EXPECT_EQ(told(embed(R"("input":[])"), ""), "refused invalid_request input");
    EXPECT_EQ(told(embed(R"("input":"a","dimensions":0)"), ""), "refused invalid_request dimensions");
}

TEST(ScriptedRequest, TokensAreCountedBySize) {
    const auto backend = make_scripted_backend({});
    EXPECT_EQ(
        told(run(*backend, messages, R"({"model":"m","messages":[{"role":"user","content":"hi"}]})", true),
             "/input_tokens"),
        "15");
}

TEST(ScriptedRequest, WhatNoChatCanSayIsRefusedWithItsPath) {
    const auto backend = make_scripted_backend({});
    const auto outcome = run(
        *backend, messages,
        R"({"model":"m","max_tokens":5,"messages":[{"role":"user","content":"a"}],"tools":[{"type":"web_search_20250305","name":"web_search"}]})");
    EXPECT_TRUE(told(outcome, "").starts_with("refused invalid_request tools")) << told(outcome, "");
}

}  // namespace
}  // namespace sheaf::backend

#include "protocol/forecast.h"

#include <string>

#include <gtest/gtest.h>

namespace sheaf::protocol {
namespace {

using core::Protocol;

// How many levels two prompts have in common.
std::size_t shared(const core::Forecast& left, const core::Forecast& right) {
    std::size_t level = 0;
    while (level < left.prompt.depth() && level < right.prompt.depth() &&
           left.prompt.hash(level) == right.prompt.hash(level))
        ++level;
    return level;
}

TEST(Forecast, ReadsTheSystemTextFirstWhereverItStands) {
    const auto left = forecast(
        Protocol::messages,
        R"({"model":"m","max_tokens":300,"messages":[{"role":"user","content":"1"}],"system":"Be kind"})");
    const auto right = forecast(
        Protocol::messages,
        R"({"system":"Be kind","messages":[{"role":"user","content":"2"}],"max_tokens":5,"model":"m"})");
    EXPECT_EQ(left.output_tokens, 300U);
    EXPECT_EQ(right.output_tokens, 5U);
    EXPECT_EQ(left.prompt.depth(), 2U);
    EXPECT_EQ(shared(left, right), 1U);
}

TEST(Forecast, TakesTurnsOneByOne) {
    const auto left = forecast(
        Protocol::chat_completions,
        R"({"messages":[{"role":"system","content":"s"},{"role":"user","content":"1"}],"max_completion_tokens":7})");
    const auto right = forecast(
        Protocol::chat_completions,
        R"({"messages":[{"role":"system","content":"s"},{"role":"user","content":"2"}],"max_tokens":8})");
    EXPECT_EQ(shared(left, right), 1U);
    EXPECT_EQ(left.output_tokens, 7U);
    EXPECT_EQ(right.output_tokens, 8U);
}

TEST(Forecast, ReadsAnInputThatIsText) {
    const std::string document(2000, 'd');
    const auto ask = [&](const std::string& question) {
        return forecast(Protocol::responses, R"({"instructions":"i","input":")" + document + question +
                                                 R"(","max_output_tokens":9})");
    };
    const auto left = ask("What?");
    EXPECT_EQ(left.output_tokens, 9U);
    EXPECT_GE(shared(left, ask("Who?")), 5U);
    EXPECT_GT(left.prompt.tokens(), 500U);
}

TEST(Forecast, KnowsNothingOfWhatItCannotRead) {
    EXPECT_EQ(forecast(Protocol::embeddings, R"({"input":"x"})").prompt.depth(), 0U);
    for (const std::string_view body :
         {"", "7", R"({"messages":)", R"({"messages":{"a":1},"max_tokens":"x"})"})
        EXPECT_EQ(forecast(Protocol::chat_completions, body).output_tokens, 0U) << body;
}

}  // namespace
}  // namespace sheaf::protocol

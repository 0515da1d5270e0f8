#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "protocol/translation.h"

namespace sheaf::protocol {
namespace {

constexpr CheckOptions kBatch{.batch = true};

std::string checked(Protocol protocol, std::string_view body, CheckOptions options = {}) {
    const auto fits = check_request(protocol, body, options);
    if (fits) return "fine";
    EXPECT_EQ(fits.error().code, ErrorCode::invalid);
    return fits.error().field;
}

TEST(CheckRequest, LooksAtTheBasicsOfAChat) {
    const auto chat = [](std::string_view body, CheckOptions options = {}) {
        return checked(Protocol::chat_completions, body, options);
    };
    EXPECT_EQ(chat(R"({"messages":[{"role":"user","content":1}],"anything":true,"stream":true})"), "fine");
    EXPECT_EQ(chat("{}"), "messages");
    EXPECT_EQ(chat(R"({"messages":null})"), "messages");
    EXPECT_EQ(chat(R"({"messages":[]})"), "messages");
    EXPECT_EQ(chat(R"({"messages":{}})"), "messages");
    EXPECT_EQ(chat(R"({"messages":[{"role":"user"},1]})"), "messages[1]");
    EXPECT_EQ(chat(R"({"messages":[{"content":"a"}]})"), "messages[0].role");
    EXPECT_EQ(chat(R"({"messages":[{"role":"user"}],"stream":true})", kBatch), "stream");
    EXPECT_EQ(chat(R"({"messages":[{"role":"user"}],"stream":1})", kBatch), "stream");
    EXPECT_EQ(chat(R"({"messages":[{"role":"user"}],"stream":false})", kBatch), "fine");
}

TEST(CheckRequest, LooksAtTheBasicsOfResponses) {
    const auto responses = [](std::string_view body, CheckOptions options = {}) {
        return checked(Protocol::responses, body, options);
    };
    for (const auto* input : {R"("a")", R"([{}])", R"({"messages":[{"role":"user","content":"a"}]})"})
        EXPECT_EQ(responses(fmt::format(R"({{"input":{},"previous_response_id":null}})", input)), "fine");
    for (const auto* input : {"1", "[]", "{}", R"({"messages":null})", "null"})
        EXPECT_EQ(responses(fmt::format(R"({{"input":{}}})", input)), "input");
    EXPECT_EQ(responses(R"({"input":{"messages":[]}})"), "input.messages");
    EXPECT_EQ(responses(R"({"input":{"messages":[1]}})"), "input.messages[0]");
    for (const auto* name : {"previous_response_id", "conversation", "prompt"})
        EXPECT_EQ(responses(fmt::format(R"({{"input":"a","{}":"x"}})", name)), name);
    EXPECT_EQ(responses(R"({"input":"a","stream":true})"), "fine");
    EXPECT_EQ(responses(R"({"input":"a","stream":true})", kBatch), "stream");
}

TEST(CheckRequest, DemandsAnInputOfEmbeddings) {
    EXPECT_EQ(checked(Protocol::embeddings, R"({"input":[1,2]})", kBatch), "fine");
    EXPECT_EQ(checked(Protocol::embeddings, "{}"), "input");
}

TEST(CheckRequest, LooksAtAllOfMessages) {
    EXPECT_EQ(checked(Protocol::messages,
                      R"({"model":"m","max_tokens":1,"messages":[{"role":"user","content":"a"}]})", kBatch),
              "fine");
    EXPECT_EQ(
        checked(Protocol::messages,
                R"({"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"x"}]}]})"),
        "messages.0.content.0.type");
}

TEST(CheckRequest, RefusesWhatIsNoObject) {
    for (const auto protocol :
         {Protocol::chat_completions, Protocol::messages, Protocol::responses, Protocol::embeddings})
        for (const auto* body : {"", "x", "[]", "1", "\"a\"", "{\"a\":1,}"})
            EXPECT_EQ(checked(protocol, body), "");
}

}  // namespace
}  // namespace sheaf::protocol

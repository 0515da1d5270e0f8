#include "backend/chat_http/reply.h"

#include <gtest/gtest.h>

namespace sheaf::backend::chat_http {
namespace {

constexpr std::string_view kStream =
    ": hello\r\n\r\n"
    "event: chunk\r\ndata: "
    "{\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\r\n\r\n"
    "data:{\"choices\":[{\"delta\":{\"content\":\"h\u00e9llo \"}}]}\n\n"
    "data: {\"choices\":[{\"delta\":\ndata: {\"content\":\"world\"}}]}\n\n"
    "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3}}\n\n"
    "data: [DONE]\n\n";

TEST(ParseReply, ReadsTheFirstChoice) {
    const auto reply = parse_reply(
        R"({"choices":[{"message":{"content":"hi"},"finish_reason":"length"}],"usage":{"prompt_tokens":5,"completion_tokens":2}})");
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->text, "hi");
    EXPECT_EQ(reply->finish, "length");
    EXPECT_EQ(reply->usage, (core::Usage{.input_tokens = 5, .output_tokens = 2}));
}

TEST(ParseReply, PutsTogetherContentInParts) {
    const auto reply = parse_reply(
        R"({"choices":[{"message":{"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}}]})");
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->text, "ab");
    EXPECT_FALSE(reply->usage);
}

TEST(ParseReply, RefusesWhatIsNoCompletion) {
    for (const std::string_view body : {"", "null", "[]", "{}", R"({"choices":[]})", R"({"choices":[1]})",
                                        R"({"choices":[{}]})", "{\"choices\":[{\"mess"})
        EXPECT_FALSE(parse_reply(body)) << body;
    EXPECT_EQ(parse_reply(R"({"error":{"message":"out of memory"}})").error().message,
              "the model server reported: out of memory");
    EXPECT_FALSE(parse_reply(std::string(1'000'000, '[')));
}

TEST(ParseReply, SurvivesOddCounts) {
    const auto reply = parse_reply(
        R"({"choices":[{"message":{"content":null}}],"usage":{"prompt_tokens":-5,"completion_tokens":1e300}})");
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->text, "");
    EXPECT_EQ(reply->usage, core::Usage{});
}

TEST(StreamedReply, ReadsAStreamHoweverItIsCut) {
    for (std::size_t step = 1; step <= kStream.size(); ++step) {
        std::string heard;
        StreamedReply streamed([&](std::string_view fragment) { heard += fragment; });
        for (std::size_t i = 0; i < kStream.size(); i += step)
            ASSERT_TRUE(streamed.feed(kStream.substr(i, step)));
        const auto reply = streamed.finish();
        ASSERT_TRUE(reply) << step << reply.error().message;
        EXPECT_EQ(reply->text, "h\u00e9llo world");
        EXPECT_EQ(heard, reply->text);
        EXPECT_EQ(reply->finish, "stop");
        EXPECT_EQ(reply->usage, (core::Usage{.input_tokens = 7, .output_tokens = 3}));
    }
}

TEST(StreamedReply, TakesAWholeAnswerFromAServerThatDoesNotStream) {
    std::string heard;
    StreamedReply streamed([&](std::string_view fragment) { heard += fragment; });
    ASSERT_TRUE(streamed.feed("\n {\"choices\":[{\"message\":"));
    ASSERT_TRUE(streamed.feed("{\"content\":\"hi\"}}]}"));
    const auto reply = streamed.finish();
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->text, "hi");
    EXPECT_EQ(heard, "hi");
}

TEST(StreamedReply, TellsHalfAnAnswerFromAWholeOne) {
    StreamedReply streamed([](std::string_view) {});
    ASSERT_TRUE(streamed.feed("data: {\"choices\":[{\"delta\":{\"content\":\"h\"}}]}\n\n"));
    EXPECT_FALSE(streamed.finish());
    EXPECT_FALSE(StreamedReply([](std::string_view) {}).finish());
}

TEST(StreamedReply, StopsAtAnErrorOrGarbage) {
    StreamedReply told([](std::string_view) {});
    EXPECT_FALSE(told.feed("data: {\"error\":{\"message\":\"gone\"}}\n\n"));
    StreamedReply garbage([](std::string_view) {});
    EXPECT_FALSE(garbage.feed("data: {\n\n"));
    StreamedReply endless([](std::string_view) {});
    const std::string part(1U << 20, 'x');
    bool went_on = static_cast<bool>(endless.feed("data: "));
    for (int i = 0; i < 20 && went_on; ++i) went_on = static_cast<bool>(endless.feed(part));
    EXPECT_FALSE(went_on);
}

}  // namespace
}  // namespace sheaf::backend::chat_http

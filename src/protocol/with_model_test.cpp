#include <string>

#include <gtest/gtest.h>

#include "jsonl/document.h"
#include "protocol/translation.h"

namespace sheaf::protocol {
namespace {

std::string made(std::string_view body, Protocol protocol = Protocol::chat_completions, bool stream = false) {
    const auto result = with_model(protocol, body, "m", stream);
    EXPECT_TRUE(result) << body;
    return result.value_or("");
}

TEST(WithModel, ReplacesTheNameAndNoOtherByte) {
    EXPECT_EQ(made(R"( { "a" : [1.0e0, "\u00e9"] ,"model" :  "client" , "z":{"model":"x"} } )"),
              R"( { "a" : [1.0e0, "\u00e9"] ,"model" :  "m" , "z":{"model":"x"} } )");
}

TEST(WithModel, KnowsAnEscapedKey) {
    EXPECT_EQ(made(R"({"m\u006fdel":"client","str\u0065am":true})"), R"({"m\u006fdel":"m"})");
}

TEST(WithModel, AddsAMissingName) {
    EXPECT_EQ(made("{}"), R"({"model":"m"})");
    EXPECT_EQ(made("{ }"), R"({"model":"m"})");
    EXPECT_EQ(made(R"({"input":"a"})", Protocol::embeddings), R"({"input":"a","model":"m"})");
}

TEST(WithModel, WritesTheNameAsJson) {
    EXPECT_EQ(with_model(Protocol::messages, R"({"model":null})", "a\"b\\é\n", false),
              R"({"model":"a\"b\\é\n"})");
}

TEST(WithModel, RemovesStreamWhereverItStands) {
    EXPECT_EQ(made(R"({"stream":true,"model":"c"})"), R"({"model":"m"})");
    EXPECT_EQ(made(R"({"model":"c","stream":true})"), R"({"model":"m"})");
    EXPECT_EQ(made(R"({"model":"c" , "stream" : true , "a":1})"), R"({"model":"m" , "a":1})");
    EXPECT_EQ(made(R"({"stream":false,"stream_options":{"include_usage":true,"x":"},{"}})"),
              R"({"model":"m"})");
    EXPECT_EQ(made(R"({"stream":true,"a":1,"stream":true,"model":"c"})"), R"({"a":1,"model":"m"})");
}

TEST(WithModel, AsksForAStreamInTheProtocolsWay) {
    EXPECT_EQ(made(R"({"model":"c","stream":true})", Protocol::chat_completions, true),
              R"({"model":"m","stream":true,"stream_options":{"include_usage":true}})");
    EXPECT_EQ(made(R"({"stream":false,"model":"c"})", Protocol::messages, true),
              R"({"model":"m","stream":true})");
    EXPECT_EQ(made(R"({"model":"c"})", Protocol::responses, true), R"({"model":"m","stream":true})");
}

TEST(WithModel, RefusesWhatIsNoObject) {
    for (const auto* body : {"", "  ", "[]", "1", "null", "{", R"({"model")", R"({"model":"a"}x)",
                             R"({"model":"a",})", R"({"model" "a"})"}) {
        const auto result = with_model(Protocol::messages, body, "m", false);
        ASSERT_FALSE(result) << body;
        EXPECT_EQ(result.error().code, ErrorCode::invalid);
        EXPECT_FALSE(result.error().message.empty());
    }
}

TEST(WithModel, TakesALargeBody) {
    const std::string text(20 << 20, 'x');
    const std::string body = R"({"input":")" + text + R"(","model":"client","stream":true})";
    EXPECT_EQ(made(body), R"({"input":")" + text + R"(","model":"m"})");
}

}  // namespace
}  // namespace sheaf::protocol

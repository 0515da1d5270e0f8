#include "jsonl/document.h"

#include <gtest/gtest.h>

namespace sheaf::jsonl {
namespace {

Error refusal(std::string_view json, ParseLimits limits = {}) {
    const auto document = Document::parse(json, limits);
    EXPECT_FALSE(document) << json;
    return document ? Error{} : document.error();
}

std::string nested(std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
}

TEST(Document, KeepsTheOrderOfMembers) {
    const auto document = Document::parse(R"( {"z":1,"a":[true,null,"x\u0000y"],"m":{"b":-0}} )");
    ASSERT_TRUE(document);
    std::string order;
    for (const auto& [key, value] : simdjson::dom::object(document->root())) order += key;
    EXPECT_EQ(order, "zam");
    EXPECT_EQ(document->root()["a"].at(2).get_string().value(), std::string_view("x\0y", 3));
}

TEST(Document, StaysValidWhenItIsMoved) {
    auto first = Document::parse(R"({"a":"text"})");
    ASSERT_TRUE(first);
    const Document second = std::move(*first);
    EXPECT_EQ(second.root()["a"].get_string().value(), "text");
}

TEST(Document, RefusesEveryTruncation) {
    const std::string json = R"({"a":[1.5e3,"\ud83d\ude00é",true,null],"b":{"c":false}})";
    ASSERT_TRUE(Document::parse(json));
    for (std::size_t size = 0; size < json.size(); ++size) {
        const Error error = refusal(std::string_view(json).substr(0, size));
        EXPECT_EQ(error.code, ErrorCode::invalid) << size;
        EXPECT_FALSE(error.message.empty());
    }
}

TEST(Document, RefusesWhatIsNotJson) {
    for (const std::string_view bad : {"",
                                       " ",
                                       "nul",
                                       "tru e",
                                       "{'a':1}",
                                       "{a:1}",
                                       "[1,]",
                                       "[,1]",
                                       "{\"a\":1,}",
                                       "{\"a\" 1}",
                                       "[1 2]",
                                       "01",
                                       "+1",
                                       ".5",
                                       "1.",
                                       "1e",
                                       "-",
                                       "NaN",
                                       "Infinity",
                                       "\"\\x41\"",
                                       "\"\\u12g4\"",
                                       "\"tab\there\"",
                                       "{} {}",
                                       "[] x",
                                       "//c\n1",
                                       "\"open",
                                       "[\"a]",
                                       "{\"a\":}",
                                       "1e400",
                                       "-1e999",
                                       "123456789012345678901234567890"}) {
        EXPECT_EQ(refusal(bad).code, ErrorCode::invalid) << bad;
    }
}

TEST(Document, RefusesNulAndBytesThatAreNotUtf8) {
    refusal(std::string_view("\"a\0b\"", 5));
    refusal(std::string_view("1\0", 2));
    refusal("\"\x80\"");
    refusal("\"\xC0\xAF\"");
    refusal("\"\xED\xA0\x80\"");
    refusal("{\"\xFF\":1}");
}

TEST(Document, RefusesLoneSurrogates) {
    for (const std::string_view bad : {R"("\ud800")", R"("\udc00")", R"("\ud800x")", R"("\ud800\ud800")",
                                       R"("\ud800\u0041")", R"({"\udfff":1})"}) {
        refusal(bad);
    }
    EXPECT_TRUE(Document::parse(R"("\ud83d\ude00")"));
}

TEST(Document, RefusesAByteOrderMark) {
    EXPECT_NE(refusal("\xEF\xBB\xBF{}").message.find("byte order"), std::string::npos);
}

TEST(Document, CountsDepthExactly) {
    EXPECT_TRUE(Document::parse(nested(64)));
    EXPECT_NE(refusal(nested(65)).message.find("64 deep"), std::string::npos);
    EXPECT_TRUE(Document::parse(nested(1), {.depth_max = 1}));
    refusal(nested(2), {.depth_max = 1});
    EXPECT_TRUE(Document::parse(nested(1000), {.depth_max = 1000}));
    refusal(nested(1'000'000));
    refusal(std::string(1'000'000, '['));
}

TEST(Document, TellsWhereARepeatedMemberIs) {
    EXPECT_EQ(refusal(R"({"a":1,"a":2})").field, "a");
    EXPECT_EQ(refusal(R"({"requests":[{},{"x":{"custom_id":1,"b":2,"custom_id":3}}]})").field,
              "requests[1].x.custom_id");
    // The same name spelled with an escape.
    EXPECT_EQ(refusal(R"([{"\u0061":1,"a":2}])").field, "[0].a");
    std::string many = "{";
    for (int i = 0; i < 100; ++i) many += "\"k" + std::to_string(i) + "\":1,";
    EXPECT_EQ(refusal(many + "\"k42\":1}").field, "k42");
    EXPECT_TRUE(Document::parse(many + "\"k100\":1}"));
    EXPECT_TRUE(Document::parse(R"({"a":{"a":1},"b":{"a":1}})"));
}

TEST(Document, ErrorsSayWhatIsMissingAndWhere) {
    EXPECT_EQ(refusal("{\n  \"a\": 1\n  \"b\": 2}").message,
              "This is not valid JSON: a comma or } is missing (line 3, column 3).");
    EXPECT_NE(refusal("[1] 2").message.find("after the end"), std::string::npos);
    EXPECT_NE(refusal("[1e400]").message.find("out of range"), std::string::npos);
}

TEST(Document, TakesTheExtremesOfNumbers) {
    const auto document = Document::parse("[-9223372036854775808,18446744073709551615,0.0,-0.0,1e-400]");
    ASSERT_TRUE(document);
    EXPECT_EQ(document->root().at(0).get_int64().value(), std::numeric_limits<std::int64_t>::min());
    EXPECT_EQ(document->root().at(1).get_uint64().value(), std::numeric_limits<std::uint64_t>::max());
}

TEST(JoinPath, JoinsMembersAndIndexes) {
    EXPECT_EQ(join_path(join_path(join_path("", "requests"), 3), "custom_id"), "requests[3].custom_id");
}

TEST(SyntaxChecker, TakesOneDocumentAfterTheOther) {
    SyntaxChecker checker;
    for (const std::string& json :
         {std::string("{}"), std::string(R"({"a":[1,"\ud83d\ude00",{"b":null}]})"),
          std::string(R"({"a":1,"a":2})"), std::string(R"({"a":123456789012345678901234567890,"b":1e999})"),
          nested(1000), std::string("{}")})
        EXPECT_TRUE(checker.check(json)) << json;
}

TEST(SyntaxChecker, RefusesWhatIsNoDocument) {
    SyntaxChecker checker;
    for (const std::string& json :
         {std::string(), std::string("{"), std::string(R"({"a":tru})"), std::string(R"({"a":1,})"),
          std::string("{\"a\":\"\xC3\x28\"}"), std::string("{\"a\":\"\n\"}"), std::string(R"({"a":01})"),
          std::string(R"({"a":1e999} x)"), std::string("\xEF\xBB\xBF{}"), nested(2000)}) {
        const auto checked = checker.check(json);
        ASSERT_FALSE(checked) << json;
        EXPECT_EQ(checked.error().code, ErrorCode::invalid);
        EXPECT_FALSE(checked.error().message.empty());
    }
    EXPECT_TRUE(checker.check("[1]"));
}

TEST(SyntaxChecker, ReadsPartsOfALargerTextInPlace) {
    SyntaxChecker checker;
    const std::string first = R"({"a":"one"})";
    for (const std::string& behind :
         {std::string(200, '"'), std::string(200, '\\'), std::string(200, '\xff')})
        EXPECT_TRUE(checker.check(std::string_view(first + behind).substr(0, first.size()), behind.size()));
    const std::string broken = R"({"a":"one)";
    EXPECT_FALSE(
        checker.check(std::string_view(broken + std::string(200, '"')).substr(0, broken.size()), 200));
}

}  // namespace
}  // namespace sheaf::jsonl

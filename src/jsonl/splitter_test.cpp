#include "jsonl/splitter.h"

#include <chrono>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "jsonl/document.h"
#include "jsonl/writer.h"

namespace sheaf::jsonl {
namespace {

using Parts = std::vector<std::string>;

Result<Parts> elements(std::string_view json) {
    Parts parts;
    const auto done = for_each_element(json, [&](std::size_t index, std::string_view value) -> Result<> {
        EXPECT_EQ(index, parts.size());
        parts.emplace_back(value);
        return {};
    });
    if (!done) return std::unexpected(done.error());
    return parts;
}

Result<Parts> members(std::string_view json) {
    Parts parts;
    const auto done = for_each_member(json, [&](std::string_view key, std::string_view value) -> Result<> {
        parts.emplace_back(std::string(key) + "=" + std::string(value));
        return {};
    });
    if (!done) return std::unexpected(done.error());
    return parts;
}

// A copy that ends exactly where its memory ends, so that AddressSanitizer sees a read beyond the view.
struct Exact {
    explicit Exact(std::string_view text) : bytes(new char[text.size()]), view(bytes.get(), text.size()) {
        text.copy(bytes.get(), text.size());
    }
    std::unique_ptr<char[]> bytes;
    std::string_view view;
};

TEST(Splitter, CutsElementsAsTheyAre) {
    const auto parts = elements(" [ 1 ,\"a,]\\\"\" , {\"x\" : [1, 2]},[ ],true,-0,null ] \n");
    ASSERT_TRUE(parts) << parts.error().message;
    EXPECT_EQ(*parts, (Parts{"1", "\"a,]\\\"\"", "{\"x\" : [1, 2]}", "[ ]", "true", "-0", "null"}));
    EXPECT_EQ(elements("[]"), Parts{});
    EXPECT_EQ(elements(" [ ] "), Parts{});
}

TEST(Splitter, DecodesKeys) {
    const auto parts = members(R"({"a":1,"\u0062\n\ud83d\ude00":{"k":"}"},"":"\\","q\"":""})");
    ASSERT_TRUE(parts) << parts.error().message;
    EXPECT_EQ(*parts, (Parts{"a=1", "b\n\U0001F600={\"k\":\"}\"}", "=\"\\\\\"", "q\"=\"\""}));
    EXPECT_EQ(members("{}"), Parts{});
}

TEST(Splitter, RefusesWhatDoesNotFit) {
    for (const std::string_view bad : {"", " ", "{}", "[", "[1", "[1,", "[1,]", "[,]", "[1 2]", "[1]]",
                                       "[1]x", "[{]}]", "[}", "[\"", "[\"a]", "[\"\\\"]", "[[}]]", "1"}) {
        EXPECT_FALSE(elements(bad)) << bad;
    }
    for (const std::string_view bad :
         {"", "[]", "{", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{\"a\":1}{", "{\"\\x\":1}",
          "{\"\\ud800\":1}", "{\"\\ud83d\\u0041\":1}", "{\"\\u00\":1}", "{\"a\n\":1}", "{\"a\":{\"b\":1}",
          "{\"a\":[}}"}) {
        EXPECT_FALSE(members(bad)) << bad;
    }
}

TEST(Splitter, StopsAtTheFirstErrorOfTheCallback) {
    int calls = 0;
    const auto done = for_each_element("[1,2,3]", [&](std::size_t, std::string_view) -> Result<> {
        ++calls;
        return fail(ErrorCode::too_large, "enough");
    });
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, ErrorCode::too_large);
    EXPECT_EQ(calls, 1);
}

TEST(Splitter, EveryTruncationIsRefusedWithoutReadingBeyond) {
    const std::string json =
        R"({"requests":[{"custom_id":"a\\\"]}","params":{"deep":[[[{"x":"\u00e9{{{[[["}]]],"n":-1.5e3}},)" +
        std::string(130, ' ') + R"({"b":"\\\\"}],"k":true})";
    ASSERT_TRUE(members(Exact(json).view));
    for (std::size_t size = 0; size < json.size(); ++size) {
        EXPECT_FALSE(members(Exact(std::string_view(json).substr(0, size)).view)) << size;
    }
}

TEST(Splitter, FollowsDeepNesting) {
    const std::string inner = std::string(1000, '[') + std::string(1000, ']');
    EXPECT_EQ(elements("[" + inner + "]"), Parts{inner});
    EXPECT_FALSE(elements("[" + inner));
}

TEST(Splitter, AgreesWithTheParserOnRandomStrings) {
    std::mt19937 random(7);
    const std::string_view alphabet = "\\\"{}[],: ab";
    for (int round = 0; round < 400; ++round) {
        Writer array;
        array.open_array();
        Parts expected;
        for (int i = 0; i < 5; ++i) {
            std::string text;
            for (auto n = random() % 150; n > 0; --n) text.push_back(alphabet[random() % alphabet.size()]);
            Writer part;
            part.open_object()
                .member(text, text)
                .key("l")
                .open_array()
                .value(text)
                .close_array()
                .close_object();
            expected.push_back(part.text());
            array.raw(part.text());
        }
        array.close_array();
        EXPECT_EQ(elements(Exact(array.text()).view), expected);
    }
}

TEST(Splitter, AcceptsNothingThatIsCutDifferentlyByTheParser) {
    std::mt19937 random(11);
    const std::string_view alphabet = "{}[]\"\\,:1 a";
    for (int round = 0; round < 20000; ++round) {
        std::string text = "[";
        for (auto n = random() % 12; n > 0; --n) text.push_back(alphabet[random() % alphabet.size()]);
        text += "]";
        const auto document = Document::parse(text);
        const auto parts = elements(Exact(text).view);
        if (!document && document.error().field.empty()) continue;
        ASSERT_TRUE(parts) << text;
        if (document) EXPECT_EQ(simdjson::dom::array(document->root()).size(), parts->size()) << text;
    }
}

TEST(PartReader, GoesIntoContainersAndOutOfThem) {
    const std::string json = R"( { "a" : [ {"x":1, "\u0079":[]} , {} , 7 ] , "b":null, "c":[] } )";
    PartReader reader(json);
    ASSERT_TRUE(reader.open_object());
    EXPECT_EQ(reader.next_member().value(), "a");
    EXPECT_EQ(reader.peek(), '[');
    ASSERT_TRUE(reader.open_array());
    EXPECT_TRUE(reader.next_element().value());
    ASSERT_TRUE(reader.open_object());
    EXPECT_EQ(reader.next_member().value(), "x");
    EXPECT_EQ(reader.value().value(), "1");
    EXPECT_EQ(reader.next_member().value(), "y");
    EXPECT_EQ(reader.value().value(), "[]");
    EXPECT_EQ(reader.next_member().value(), std::nullopt);
    EXPECT_TRUE(reader.next_element().value());
    ASSERT_TRUE(reader.open_object());
    EXPECT_EQ(reader.next_member().value(), std::nullopt);
    EXPECT_TRUE(reader.next_element().value());
    EXPECT_EQ(reader.value().value(), "7");
    EXPECT_FALSE(reader.next_element().value());
    EXPECT_EQ(reader.next_member().value(), "b");
    EXPECT_EQ(reader.value().value(), "null");
    EXPECT_EQ(reader.next_member().value(), "c");
    ASSERT_TRUE(reader.open_array());
    EXPECT_FALSE(reader.next_element().value());
    EXPECT_EQ(reader.next_member().value(), std::nullopt);
    EXPECT_TRUE(reader.finish());
    EXPECT_EQ(reader.offset(), json.size());
}

TEST(PartReader, RefusesCommasThatSeparateNothing) {
    for (const std::string json : {"[,1]", "[1,]", "[1 2]", "[,]", "[1", "["}) {
        PartReader reader(json);
        ASSERT_TRUE(reader.open_array());
        Result<bool> more = reader.next_element();
        while (more && *more) {
            if (const auto value = reader.value(); !value) more = std::unexpected(value.error());
            if (more) more = reader.next_element();
        }
        ASSERT_FALSE(more) << json;
        EXPECT_EQ(more.error().code, ErrorCode::invalid);
    }
    EXPECT_FALSE(PartReader("1").open_array());
    EXPECT_FALSE(PartReader("[").open_object());
    EXPECT_FALSE(PartReader("").value());
    EXPECT_FALSE(PartReader(std::string_view("\0", 1)).finish());
}

}  // namespace
}  // namespace sheaf::jsonl

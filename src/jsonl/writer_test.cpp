#include "jsonl/writer.h"

#include <cmath>
#include <limits>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "jsonl/document.h"

namespace sheaf::jsonl {
namespace {

std::string as_string(std::string_view text, Charset charset) {
    std::string out;
    append_string(out, text, charset);
    return out;
}

std::string as_number(double number) {
    return Writer().value(number).take();
}

TEST(Writer, PutsCommasBetweenMembersAndElements) {
    Writer json;
    json.open_object().member("status", "ready").member("count", 3).key("list").open_array();
    json.value(1).value(true).null().open_object().close_object().open_array().close_array().close_array();
    json.member("last", std::string("x")).close_object();
    EXPECT_EQ(json.text(), R"({"status":"ready","count":3,"list":[1,true,null,{},[]],"last":"x"})");
}

TEST(Writer, WritesTheExtremesOfIntegers) {
    EXPECT_EQ(Writer().value(std::numeric_limits<std::int64_t>::min()).take(), "-9223372036854775808");
    EXPECT_EQ(Writer().value(std::numeric_limits<std::uint64_t>::max()).take(), "18446744073709551615");
}

TEST(Writer, WritesDoublesInTheShortestFormThatReadsBackTheSame) {
    EXPECT_EQ(as_number(45.0), "45");
    EXPECT_EQ(as_number(0.1), "0.1");
    EXPECT_EQ(as_number(-0.0), "-0");
    for (const double number :
         {1.0 / 3, 1e300, 5e-324, 1.7976931348623157e308, 123456789.123456789, 1e21, -2.5e-7}) {
        const auto document = Document::parse(as_number(number));
        ASSERT_TRUE(document) << as_number(number);
        EXPECT_EQ(document->root().get_double().value(), number);
    }
}

TEST(Writer, WritesNullForWhatIsNoNumber) {
    EXPECT_EQ(as_number(std::nan("")), "null");
    EXPECT_EQ(as_number(HUGE_VAL), "null");
}

TEST(Writer, EscapesWhatJsonDemands) {
    EXPECT_EQ(as_string("a\"b\\c\n\r\t\b\f\x01\x1f/", Charset::utf8), R"("a\"b\\c\n\r\t\b\f\u0001\u001f/")");
    EXPECT_EQ(as_string(std::string_view("\0", 1), Charset::utf8), R"("\u0000")");
}

TEST(Writer, EscapesAtEveryPlaceOfAText) {
    for (const Charset charset : {Charset::utf8, Charset::ascii}) {
        for (int byte = 0; byte < 256; ++byte) {
            const std::string special(1, static_cast<char>(byte));
            const std::string escaped = as_string(special, charset);
            const std::string_view inner = std::string_view(escaped).substr(1, escaped.size() - 2);
            for (std::size_t place = 0; place < 20; ++place) {
                const std::string before(place, 'a');
                const std::string after(20 - place, '~');
                EXPECT_EQ(as_string(before + special + after, charset),
                          fmt::format("\"{}{}{}\"", before, inner, after))
                    << byte << " at " << place;
            }
        }
    }
}

TEST(Writer, LeavesUtf8AsItIsUnlessAskedForAscii) {
    const std::string text = "é\u2028\U0001F600";
    EXPECT_EQ(as_string(text, Charset::utf8), "\"" + text + "\"");
    EXPECT_EQ(as_string(text, Charset::ascii), R"("\u00e9\u2028\ud83d\ude00")");
}

TEST(Writer, ReplacesBytesThatAreNotUtf8) {
    // A lone continuation, an overlong slash, a surrogate, beyond the last plane, and a character cut off.
    for (const std::string_view bad :
         {"\x80", "\xC0\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xE2\x82", "\xFF"}) {
        const std::string out = as_string(bad, Charset::ascii);
        EXPECT_TRUE(out.starts_with(R"("\ufffd)")) << out;
        EXPECT_TRUE(Document::parse(as_string(bad, Charset::utf8))) << out;
    }
    EXPECT_EQ(as_string("a\xE2\x82z", Charset::utf8), "\"a\uFFFDz\"");
}

TEST(Writer, RawJsonIsCopiedOrMadeAscii) {
    EXPECT_EQ(Writer().open_array().raw(R"({"k":"é"})").raw("1").close_array().take(), R"([{"k":"é"},1])");
    EXPECT_EQ(Writer(Charset::ascii).raw(R"({"é":"\n😀"})").take(), R"({"\u00e9":"\n\ud83d\ude00"})");
}

}  // namespace
}  // namespace sheaf::jsonl

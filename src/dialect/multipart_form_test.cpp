#include "dialect/multipart_form.h"

#include <gtest/gtest.h>

namespace sheaf::dialect {
namespace {

// What a form says, as one text: "name(filename)=data;" a part, or the problem's message.
std::string read(std::string_view form, std::size_t first, std::size_t piece, FormLimits limits = {}) {
    FormParser parser("XX", limits);
    std::string said;
    std::size_t at = 0;
    while (at < form.size()) {
        const std::string bytes(form.substr(at, at == 0 && first > 0 ? first : piece));
        at += bytes.size();
        parser.feed(bytes);
        while (true) {
            auto event = parser.next();
            if (!event) return event.error().message;
            if (!*event) break;
            if ((*event)->kind == FormParser::Kind::part) {
                said += (*event)->part.name;
                if ((*event)->part.filename) said += "(" + *(*event)->part.filename + ")";
                said += "=";
            }
            if ((*event)->kind == FormParser::Kind::data) said += (*event)->data;
            if ((*event)->kind == FormParser::Kind::end) said += ";";
        }
    }
    return said + (parser.complete() ? "complete" : "cut");
}

constexpr std::string_view kForm =
    "a preamble\r\n"
    "--XX  \r\n"
    "Content-Disposition: form-data; name=\"method\"\r\n"
    "\r\n"
    "direct\r\n"
    "--XX\r\n"
    "content-disposition: form-data; name=\"file\"; filename=\"C:\\films\\a b.mp4\"\r\n"
    "Content-Type: application/octet-stream\r\n"
    "\r\n"
    "\r\n--X\r\n--XY-\r\r\n\n--XX\r\n"
    "\r\n--XX\r\n"
    "Content-Disposition: form-data; name=empty\r\n"
    "\r\n"
    "\r\n--XX--\r\n"
    "an epilogue --XX\r\n";

constexpr std::string_view kSaid =
    "method=direct;file(a b.mp4)=\r\n--X\r\n--XY-\r\r\n\n--XX\r\n;empty=;complete";

TEST(FormParser, ReadsAFormFedWhole) {
    EXPECT_EQ(read(kForm, 0, kForm.size()), kSaid);
}

TEST(FormParser, ReadsAFormFedByteByByte) {
    EXPECT_EQ(read(kForm, 0, 1), kSaid);
}

TEST(FormParser, ReadsAFormSplitAnywhere) {
    for (std::size_t split = 1; split < kForm.size(); ++split) {
        ASSERT_EQ(read(kForm, split, kForm.size()), kSaid) << split;
    }
    for (std::size_t piece = 2; piece < 40; ++piece) ASSERT_EQ(read(kForm, 0, piece), kSaid) << piece;
}

TEST(FormParser, KnowsWhenTheClosingBoundaryIsMissing) {
    const auto end = kForm.find("\r\n--XX--");
    EXPECT_TRUE(read(kForm.substr(0, end), 0, 5).ends_with("cut"));
}

TEST(FormParser, KeepsNoMoreThanOnePieceAndADelimiter) {
    FormParser parser("XX", {});
    parser.feed("--XX\r\nContent-Disposition: form-data; name=file\r\n\r\n");
    const std::string piece(1 << 16, '\r');
    std::size_t bytes = 0;
    for (int i = 0; i < 100; ++i) {
        parser.feed(piece);
        while (true) {
            const auto event = parser.next();
            ASSERT_TRUE(event);
            if (!*event) break;
            bytes += (*event)->data.size();
        }
    }
    EXPECT_GE(bytes + 6, 100 * piece.size());
}

TEST(FormParser, RefusesPartsWithoutANameAndHeadersWithoutEnd) {
    EXPECT_TRUE(read("--XX\r\n\r\nx\r\n--XX--", 0, 3).starts_with("A part"));
    EXPECT_TRUE(read("--XX\r\nContent-Type: text/plain\r\n\r\nx\r\n--XX--", 0, 3).starts_with("A part"));
    EXPECT_TRUE(read("--XX\r\nContent-Disposition: attachment; name=a\r\n\r\nx\r\n--XX--", 0, 3)
                    .starts_with("A part"));
    EXPECT_TRUE(read("--XXgarbage\r\n", 0, 3).find("followed by something else") != std::string::npos);
    const std::string endless = "--XX\r\nX: " + std::string(20'000, 'a');
    EXPECT_TRUE(read(endless, 0, 100).find("too large") != std::string::npos);
}

TEST(FormParser, LimitsTheNumberOfParts) {
    std::string form;
    for (int i = 0; i < 4; ++i) form += "--XX\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n";
    EXPECT_EQ(read(form + "--XX--", 0, 9, {.parts_max = 3}), "The form has too many parts.");
}

TEST(ParseDisposition, ReadsQuotedEscapedAndExtendedNames) {
    const auto name = [](std::string_view header) {
        const auto part = parse_disposition(header);
        return part && part->filename ? *part->filename : "none";
    };
    EXPECT_EQ(name(R"(form-data; name="f"; filename="a\"b.mp4")"), "a\"b.mp4");
    EXPECT_EQ(name(R"(form-data; name="f"; filename="a%22b;c=d.mp4")"), "a\"b;c=d.mp4");
    EXPECT_EQ(name(R"(form-data; filename=plain.mp4; name=f)"), "plain.mp4");
    EXPECT_EQ(name(R"(form-data; name="f"; filename="old.mp4"; filename*=UTF-8''%c3%a4%20b.mp4)"),
              "\xc3\xa4 b.mp4");
    EXPECT_EQ(name(R"(form-data; name="f"; filename*=latin1''x; filename="kept.mp4")"), "kept.mp4");
    EXPECT_EQ(name(R"(form-data; name="f"; filename="../../etc/passwd")"), "passwd");
    EXPECT_EQ(name(R"(form-data; name="f"; filename="unclosed)"), "unclosed");
    EXPECT_EQ(name(R"(form-data; name="f")"), "none");
    EXPECT_FALSE(parse_disposition("form-data; filename=a"));
}

TEST(FormBoundary, IsTakenFromTheContentType) {
    EXPECT_EQ(form_boundary("multipart/form-data; boundary=abc").value(), "abc");
    EXPECT_EQ(form_boundary("Multipart/Form-Data;charset=x; Boundary=\"a b\"").value(), "a b");
    for (const char* const bad :
         {"multipart/form-data", "multipart/form-data; boundary=", "application/json", ""}) {
        EXPECT_EQ(form_boundary(bad).error().code, ErrorCode::invalid) << bad;
    }
    EXPECT_FALSE(form_boundary(std::nullopt));
    EXPECT_FALSE(form_boundary("multipart/form-data; boundary=" + std::string(71, 'a')));
}

}  // namespace
}  // namespace sheaf::dialect

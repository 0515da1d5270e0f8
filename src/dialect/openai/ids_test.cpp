#include "dialect/openai/ids.h"

#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include "dialect/openai/openai.h"

namespace sheaf::dialect::openai {
namespace {

RawId random_id(std::mt19937_64& random) {
    return {static_cast<std::uint32_t>(random()), random() >> 20,
            static_cast<std::uint32_t>(random() & 0xfffffU)};
}

bool is_hex(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

TEST(OpenAiIds, HaveTheVendorsFormAndReadBack) {
    std::mt19937_64 random(1);
    for (int round = 0; round < 1000; ++round) {
        const RawId raw = random_id(random);
        const BatchId batch{raw.seconds, raw.random};
        const std::string batch_id = render_id(batch);
        ASSERT_TRUE(batch_id.starts_with("batch_"));
        ASSERT_EQ(batch_id.size(), 6U + 32U);
        ASSERT_TRUE(is_hex(batch_id.substr(6)));
        ASSERT_EQ(parse_batch_id(batch_id), batch);

        const FileId file{raw};
        const std::string file_id = render_id(file);
        ASSERT_TRUE(file_id.starts_with("file-"));
        ASSERT_EQ(file_id.size(), 5U + 22U);
        ASSERT_EQ(parse_file(file_id), file);

        ASSERT_EQ(parse_upload(render_id(FileUploadId{raw})), FileUploadId{raw});
        ASSERT_EQ(parse_part(render_id(FilePartId{raw})), FilePartId{raw});
    }
    const FileId last{{0xffffffffU, (std::uint64_t{1} << 44) - 1, 0xfffffU}};
    EXPECT_EQ(parse_file(render_id(last)), last);
}

TEST(OpenAiIds, AreNothingButThemselves) {
    const std::string file = render_id(FileId{{1, 2, 3}});
    for (std::size_t at = 0; at < file.size(); ++at) {
        std::string other = file;
        other[at] = other[at] == 'A' ? 'B' : 'A';
        EXPECT_FALSE(parse_file(other)) << other;
    }
    EXPECT_FALSE(parse_file(file + "0"));
    EXPECT_FALSE(parse_file("file-" + std::string(22, 'z')));
    EXPECT_FALSE(parse_file(""));
    const std::string upload = render_id(FileUploadId{{1, 2, 0}});
    EXPECT_FALSE(parse_part("part_" + upload.substr(7))) << "the kind is part of the checksum";
    std::string upper = upload;
    std::ranges::transform(upper, upper.begin(), [](char c) { return c == 'a' ? 'A' : c; });
    EXPECT_TRUE(upper == upload || !parse_upload(upper));
    EXPECT_FALSE(parse_batch_id("batch_id"));
    EXPECT_FALSE(parse_batch_id(to_string(BatchId{1, 2})));
}

TEST(OpenAiIds, OfLinesAreOfTheirItems) {
    const ItemId item = BatchId{1, 2}.item(7);
    EXPECT_EQ(render_line_id(item).size(), 10U + 32U);
    EXPECT_EQ(render_request_id(item).size(), 32U);
    EXPECT_TRUE(is_hex(render_request_id(item)));
    EXPECT_NE(render_request_id(item), render_request_id(BatchId{1, 2}.item(8)));
    EXPECT_NE(render_line_id(item), render_line_id(BatchId{1, 2}.item(8)));
}

}  // namespace
}  // namespace sheaf::dialect::openai

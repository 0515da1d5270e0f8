#include <gtest/gtest.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/id.h"
#include "base/recent_map.h"
#include "base/secret.h"

namespace sheaf {
namespace {

constexpr Timestamp kNoon{std::chrono::milliseconds{1'781'776'800'123}};

TEST(Clock, PrintsUtcWithMilliseconds) {
    EXPECT_EQ(to_rfc3339(kNoon), "2026-06-18T10:00:00.123Z");
}

TEST(Id, AnItemIdNamesItsBatchAndOrdinal) {
    const BatchId batch = make_batch_id(kNoon);
    for (const std::uint32_t ordinal : {0U, 1U, 999U, 99'999U, kItemsMax}) {
        const std::string text = to_string(batch.item(ordinal));
        EXPECT_EQ(text.size(), 24U);
        const auto back = parse_item_id(text);
        ASSERT_TRUE(back);
        EXPECT_EQ(back->batch, batch);
        EXPECT_EQ(back->ordinal, ordinal);
        EXPECT_FALSE(parse_batch_id(text)) << "an item's id is no batch's";
    }
    EXPECT_EQ(parse_batch_id(to_string(batch)), batch);
    EXPECT_FALSE(parse_item_id(to_string(batch)));
}

TEST(Id, EitherCaseIsReadAndNothingElse) {
    EXPECT_EQ(parse_raw_id("68F4DDAF8AAA60D33DF0E800"), parse_raw_id("68f4ddaf8aaa60d33df0e800"));
    for (const std::string_view bad :
         {"", "68f4ddaf8aaa60d33df0e80", "68f4ddaf8aaa60d33df0e8000", "68f4ddaf8aaa60d33df0e80g",
          "-8f4ddaf8aaa60d33df0e800", "68f4ddaf+aaa60d33df0e800", "0x68f4ddaf8aaa60d33df0e8"}) {
        EXPECT_FALSE(parse_raw_id(bad)) << bad;
    }
}

TEST(Id, LaterIdsSortLater) {
    const BatchId early = make_batch_id(kNoon);
    const BatchId late = make_batch_id(kNoon + std::chrono::seconds{1});
    EXPECT_LT(early, late);
    EXPECT_LT(to_string(early), to_string(late));
}

TEST(Hash, KnownAnswers) {
    EXPECT_EQ(to_hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(md5_hex("abc"), "900150983cd24fb0d6963f7d28e17f72");
    Sha256Sum sum;
    for (const char* const piece : {"a", "", "bc"}) sum.add(piece);
    EXPECT_EQ(sum.digest(), sha256("abc"));
    EXPECT_EQ(sum.digest(), sha256("")) << "it begins anew";
    Md5 pieces;
    pieces.add("a");
    pieces.add("");
    pieces.add("bc");
    EXPECT_EQ(pieces.hex(), md5_hex("abc"));
    EXPECT_EQ(to_hex(hmac_sha256("test_secret", "1659342128.{\"name\":\"test\"}")),
              "4d9df20048096b377b2dc8d3dbc17360f489ebc2fa16bc4e9c32a284d29a48d6");
    EXPECT_EQ(crc32c("123456789"), 0xe3069283U);
    EXPECT_EQ(crc32c("56789", crc32c("1234")), 0xe3069283U);
}

TEST(Hash, ConstantTimeComparisonTellsEqualFromNot) {
    EXPECT_TRUE(equal_in_constant_time("secret", "secret"));
    EXPECT_FALSE(equal_in_constant_time("secret", "secreT"));
    EXPECT_FALSE(equal_in_constant_time("secret", "secrets"));
}

TEST(Secret, PrintsAsStars) {
    EXPECT_EQ(fmt::format("{}", Secret("hunter2")), "***");
}

TEST(Base64, ReadsBackWhatItWrites) {
    EXPECT_EQ(to_base64(""), "");
    EXPECT_EQ(to_base64("f"), "Zg==");
    EXPECT_EQ(to_base64("fo"), "Zm8=");
    EXPECT_EQ(to_base64("foo"), "Zm9v");
    for (const std::string_view bytes :
         {std::string_view(""), std::string_view("\0", 1), std::string_view("\xff\xfe"),
          std::string_view("any carnal pleas")}) {
        EXPECT_EQ(from_base64(to_base64(bytes)), bytes);
    }
}

TEST(Base64, ReadsNothingElse) {
    for (const std::string_view text :
         {"Zg", "Zg=", "Zg=a", "====", "Zh==", " Zg==", "Zg==\n", "Zg==Zg==", "Z_8="}) {
        EXPECT_FALSE(from_base64(text)) << text;
    }
}

TEST(RecentMap, ForgetsTheKeyThatCameFirst) {
    RecentMap<int, std::string> map(2);
    map.set(1, "one");
    map.set(2, "two");
    map.set(1, "uno");
    EXPECT_EQ(*map.find(1), "uno");
    map.set(3, "three");
    EXPECT_EQ(map.find(1), nullptr) << "a new value makes it no younger";
    EXPECT_EQ(*map.find(2), "two");
    EXPECT_EQ(*map.find(3), "three");
}

}  // namespace
}  // namespace sheaf

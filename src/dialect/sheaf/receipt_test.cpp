#include "dialect/sheaf/receipt.h"

#include "base/hash.h"
#include "dialect/sheaf/testing_world.h"

namespace sheaf::dialect::native {
namespace {

using Receipt = SheafApi;

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = text.find('\n', at);
        lines.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return lines;
}

TEST_F(Receipt, NamesEachItemWithTheHashOfItsLine) {
    const BatchId id = stored("sail", 3);
    work(id, 1, core::Succeeded{{.reply = R"({"output":[]})"}}, *sail_codec);
    work(id, 1, core::Failed{{"timed_out", "Slow."}}, *sail_codec);
    EXPECT_EQ(get(path(id, "/receipt")).status, 409);
    EXPECT_EQ(call({.method = "POST", .target = path(id, "/cancel")}).status, 200);
    const auto results = lines_of(get(path(id, "/results")).body);
    ASSERT_EQ(results.size(), 3U);
    std::string expected =
        R"({"receipt":1,"batch":")" + to_string(id) +
        R"(","dialect":"sail","end_reason":"canceled","created_at":"2026-06-18T10:00:00.000Z",)"
        R"("ended_at":"2026-06-18T10:00:00.000Z","counts":{"total":3,"succeeded":1,"failed":1,"canceled":1,"expired":0}})"
        "\n";
    constexpr std::array outcomes{"succeeded", "failed", "canceled"};
    for (std::uint32_t n = 0; n < 3; ++n) {
        expected += fmt::format(R"({{"item":"{}","custom_id":"c{}","outcome":"{}","sha256":"{}"}})",
                                to_string(id.item(n)), n, outcomes[n], to_hex(sha256(results[n]))) +
                    '\n';
    }
    expected += fmt::format(R"({{"receipt_sha256":"{}"}})", to_hex(sha256(expected))) + '\n';
    const Answered receipt = get(path(id, "/receipt"));
    EXPECT_EQ(receipt.status, 200);
    EXPECT_EQ(receipt.headers.find("Content-Type"), "application/jsonl");
    EXPECT_EQ(receipt.body, expected);
    publish(id, *sail_codec);
    EXPECT_EQ(get(path(id, "/receipt")).body, expected) << "the same bytes once the lines are laid out";
}

TEST_F(Receipt, OfALargeBatchComesInPages) {
    const BatchId id = stored("sail", 1200);
    work(id, 1200, core::Failed{{"timed_out", "Slow."}}, *sail_codec);
    EXPECT_EQ(count_lines(get(path(id, "/receipt")).body), 1202);
    EXPECT_TRUE(call({.target = path(id, "/receipt"), .gone_after = 1}).was_cut);
}

TEST_F(Receipt, IsGoneWithTheResults) {
    const BatchId id = stored("sail", 1);
    work(id, 1, core::Failed{{"timed_out", "Slow."}}, *sail_codec);
    EXPECT_EQ(call({.target = path(id, "/receipt"), .key = other_key}).status, 404);
    publish(id, *sail_codec);
    ASSERT_TRUE(store->batches().archive(id, clock.now()));
    EXPECT_EQ(get(path(id, "/receipt")).status, 410);
    EXPECT_EQ(call({.method = "DELETE", .target = path(id)}).status, 204);
    EXPECT_EQ(get(path(id, "/receipt")).status, 404);
}

}  // namespace
}  // namespace sheaf::dialect::native

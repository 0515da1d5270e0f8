#include "core/plan.h"

#include <algorithm>
#include <random>
#include <string>

#include <gtest/gtest.h>

namespace sheaf::core {
namespace {

Forecast item(std::initializer_list<std::string> parts, std::uint64_t output_tokens = 0) {
    Forecast forecast{.output_tokens = output_tokens};
    for (const std::string& part : parts) forecast.prompt.add(part);
    return forecast;
}

std::vector<std::uint32_t> ordinals(const std::vector<Planned>& plan) {
    std::vector<std::uint32_t> ordinals;
    for (const Planned& planned : plan) ordinals.push_back(planned.ordinal);
    return ordinals;
}

const std::string kLong(1000, 'x');
const std::string kOther(1000, 'y');

TEST(PrefixChain, SharesEveryLevelThatEndsWithinTheCommonBeginning) {
    PrefixChain left;
    PrefixChain right;
    left.add(kLong + "What is it?");
    right.add(kLong + "Who is it, then?");
    // 256, 384, 576, 864, and the ends.
    ASSERT_EQ(left.depth(), 5U);
    for (std::size_t level = 0; level < 4; ++level) EXPECT_EQ(left.hash(level), right.hash(level));
    EXPECT_NE(left.hash(4), right.hash(4));
    EXPECT_EQ(left.tokens(3), 216U);
}

TEST(PrefixChain, EndsALevelWithEachPart) {
    PrefixChain left;
    PrefixChain right;
    left.add("system");
    left.add("one");
    right.add("system");
    right.add("two");
    ASSERT_EQ(left.depth(), 2U);
    EXPECT_EQ(left.hash(0), right.hash(0));
    EXPECT_NE(left.hash(1), right.hash(1));
    PrefixChain joined;
    joined.add("systemone");
    EXPECT_NE(joined.hash(0), left.hash(1)) << "parts are not run together";
}

TEST(PrefixChain, CountsWhatItDoesNotHash) {
    PrefixChain chain;
    chain.add(std::string(4'000'000, 'z'));
    EXPECT_EQ(chain.depth(), PrefixChain::kLevelsMax);
    EXPECT_NEAR(static_cast<double>(chain.tokens()), 1'000'000, 20);
    PrefixChain video;
    video.add("asset:1", 5000);
    EXPECT_EQ(video.tokens(0), 5000U);
}

TEST(Plan, LeavesTheOrderWhereNothingIsGained) {
    EXPECT_TRUE(plan_order({}).empty());
    const std::vector<Forecast> items{item({"a"}), item({"b"}), item({"c"})};
    EXPECT_TRUE(plan_order(items).empty());
}

TEST(Plan, MakesNeighboursOfThoseThatBeginAlike) {
    const std::vector<Forecast> items{item({kLong, "1"}), item({kOther, "2"}), item({kLong, "3"}),
                                      item({"alone"}), item({kOther, "5"})};
    const auto plan = plan_order(items);
    EXPECT_EQ(ordinals(plan), (std::vector<std::uint32_t>{0, 2, 1, 4, 3}));
    EXPECT_EQ(plan[0].prefix, plan[1].prefix);
    EXPECT_EQ(plan[2].prefix, plan[3].prefix);
    EXPECT_NE(plan[0].prefix, plan[2].prefix);
    EXPECT_NE(plan[0].prefix, 0U);
    EXPECT_EQ(plan[4].prefix, 0U);
}

TEST(Plan, GroupsWithinGroups) {
    const std::vector<Forecast> items{item({kLong, kOther, "1"}), item({kLong, "short"}),
                                      item({kLong, kOther, "2"}), item({kLong, kLong, "3"}),
                                      item({kLong, kLong, "4"})};
    const auto plan = plan_order(items);
    EXPECT_EQ(ordinals(plan), (std::vector<std::uint32_t>{0, 2, 1, 3, 4}));
    EXPECT_NE(plan[0].prefix, plan[3].prefix) << "the deepest that it shares";
    EXPECT_NE(plan[2].prefix, plan[0].prefix);
    EXPECT_NE(plan[2].prefix, 0U);
}

TEST(Plan, DoesNotCallAFewWordsShared) {
    const std::vector<Forecast> items{item({"Be brief.", "1"}), item({"Be brief.", "2"})};
    EXPECT_TRUE(plan_order(items).empty());
}

TEST(Plan, StartsWhatTakesLongFirst) {
    const std::vector<Forecast> items{item({"a"}, 100), item({"b"}, 4000), item({"c"}, 101),
                                      item({kLong, "d"}, 50), item({kLong, "e"}, 9000)};
    EXPECT_EQ(ordinals(plan_order(items)), (std::vector<std::uint32_t>{4, 3, 1, 0, 2}));
}

TEST(Plan, HoldsEveryItemOnce) {
    std::mt19937 random(7);
    std::vector<Forecast> items;
    for (int i = 0; i < 5000; ++i) {
        const std::string system(200 + random() % 5 * 400, static_cast<char>('a' + random() % 4));
        const std::string document(random() % 3 * 1000, static_cast<char>('a' + random() % 9));
        items.push_back(item({system, document + std::to_string(random() % 50)}, random() % 2000));
    }
    auto all = ordinals(plan_order(items));
    ASSERT_EQ(all.size(), items.size());
    std::ranges::sort(all);
    for (std::uint32_t i = 0; i < all.size(); ++i) ASSERT_EQ(all[i], i);
}

}  // namespace
}  // namespace sheaf::core

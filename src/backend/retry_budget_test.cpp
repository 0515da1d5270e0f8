#include "backend/retry_budget.h"

#include <gtest/gtest.h>

namespace sheaf::backend {
namespace {

using namespace std::chrono_literals;

constexpr RetryBudget::Time kNow{1'000h};

int taken(RetryBudget& budget, RetryBudget::Time now) {
    int count = 0;
    while (budget.take(now)) ++count;
    return count;
}

TEST(RetryBudget, AFifthOfTheCallsMayBeRepeated) {
    RetryBudget budget;
    EXPECT_EQ(taken(budget, kNow), 50) << "a burst at first";
    for (int n = 0; n < 100; ++n) budget.deposit();
    EXPECT_NEAR(taken(budget, kNow), 20, 1);
    for (int n = 0; n < 100'000; ++n) budget.deposit();
    EXPECT_EQ(taken(budget, kNow), 50) << "no more is kept";
}

TEST(RetryBudget, WithoutOtherCallsOneASecondMayBe) {
    RetryBudget budget;
    taken(budget, kNow);
    EXPECT_EQ(budget.next(kNow), kNow + 1s);
    EXPECT_FALSE(budget.take(kNow + 500ms));
    EXPECT_TRUE(budget.take(kNow + 1s));
    EXPECT_FALSE(budget.take(kNow + 1s));
    EXPECT_EQ(taken(budget, kNow + 1h), 50);
}

}  // namespace
}  // namespace sheaf::backend

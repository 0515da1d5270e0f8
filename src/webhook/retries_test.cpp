#include "webhook/retries.h"

#include <gtest/gtest.h>

namespace sheaf::webhook {
namespace {

using namespace std::chrono_literals;

const Retries kRetries{{5s, 30s, 2min}};

TEST(Retries, EachWaitComesAfterItsAttemptAndTheLastOneStays) {
    EXPECT_EQ(kRetries.attempts_max(), 4U);
    EXPECT_EQ(wait_after(kRetries, 1, 0.5), 5s);
    EXPECT_EQ(wait_after(kRetries, 2, 0.5), 30s);
    EXPECT_EQ(wait_after(kRetries, 3, 0.5), 2min);
    EXPECT_EQ(wait_after(kRetries, 9, 0.5), 2min);
}

TEST(Retries, WaitsAreSpreadByAFifthToBothSides) {
    EXPECT_EQ(wait_after(kRetries, 1, 0), 4s);
    EXPECT_LT(wait_after(kRetries, 1, 0.999), 6s);
    EXPECT_GT(wait_after(kRetries, 1, 0.999), 5900ms);
}

TEST(Retries, WithoutWaitsThereIsOneAttempt) {
    EXPECT_EQ(Retries{}.attempts_max(), 1U);
}

}  // namespace
}  // namespace sheaf::webhook

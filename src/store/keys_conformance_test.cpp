#include "store/store_conformance.h"

namespace sheaf::store {
namespace {

using namespace std::chrono_literals;

ApiKey a_key(std::string id, Timestamp created_at = kNow) {
    return {id, kAlice, sha256("secret of " + id), created_at, std::nullopt};
}

}  // namespace

TEST_P(KeysConformance, AKeyIsFoundByItsIdAlone) {
    ASSERT_TRUE(keys().insert(a_key("one")));
    for (int round = 0; round < 2; ++round) {
        const auto key = keys().find("one").value();
        ASSERT_TRUE(key);
        EXPECT_EQ(key->account, kAlice);
        EXPECT_EQ(key->secret_hash, sha256("secret of one"));
        EXPECT_EQ(key->created_at, kNow);
        EXPECT_FALSE(key->revoked_at);
        EXPECT_FALSE(keys().find("two").value());
        EXPECT_FALSE(keys().find("").value());
        if (!reopen()) break;
    }
}

TEST_P(KeysConformance, AnIdIsTakenOnce) {
    ASSERT_TRUE(keys().insert(a_key("one")));
    EXPECT_EQ(keys().insert(a_key("one")).error().code, ErrorCode::conflict);
    EXPECT_EQ(keys().list()->size(), 1U);
}

TEST_P(KeysConformance, RevokingIsForGoodAndTheFirstTimeCounts) {
    ASSERT_TRUE(keys().insert(a_key("one")));
    ASSERT_TRUE(keys().revoke("one", kNow + 1s));
    ASSERT_TRUE(keys().revoke("one", kNow + 2s));
    EXPECT_EQ(keys().find("one").value()->revoked_at, kNow + 1s);
    EXPECT_EQ(keys().revoke("two", kNow).error().code, ErrorCode::not_found);
}

TEST_P(KeysConformance, KeysAreListedOldestFirst) {
    ASSERT_TRUE(keys().insert(a_key("a", kNow + 2s)));
    ASSERT_TRUE(keys().insert(a_key("b", kNow + 1s)));
    ASSERT_TRUE(keys().insert(a_key("c", kNow + 1s)));
    std::string order;
    const auto listed = keys().list().value();
    for (const ApiKey& key : listed) order += key.id;
    EXPECT_EQ(order, "bca");
}

}  // namespace sheaf::store

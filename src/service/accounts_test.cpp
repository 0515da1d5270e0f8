#include "service/accounts.h"

#include <set>

#include <gtest/gtest.h>

#include "service/testing_world.h"

namespace sheaf::service {
namespace {

// The keys, counting how often they are asked.
class CountingKeys final : public store::Keys {
public:
    explicit CountingKeys(store::Keys& real) : real_(&real) {}
    Result<> insert(const store::ApiKey& key) override { return real_->insert(key); }
    Result<std::optional<store::ApiKey>> find(std::string_view id) override {
        ++finds;
        if (is_down) return fail(ErrorCode::unavailable, "down");
        return real_->find(id);
    }
    Result<std::vector<store::ApiKey>> list() override { return real_->list(); }
    Result<> revoke(std::string_view id, Timestamp now) override { return real_->revoke(id, now); }
    std::atomic<int> finds = 0;
    std::atomic<bool> is_down = false;

private:
    store::Keys* real_;
};

class AccountsTest : public World {
protected:
    NewKey add_key(const std::string& account) {
        NewKey key = make_key({account}, clock.now());
        EXPECT_TRUE(keys.insert(key.stored));
        return key;
    }
    Result<AccountId> authenticate(const std::string& key) {
        auto caller = run(accounts.authenticate(key));
        if (!caller) return std::unexpected(caller.error());
        return std::move(caller->account);
    }

    CountingKeys keys{store->keys()};
    Accounts accounts{{keys, store_lane}, clock};
};

TEST(MakeKey, HasTheFormThatItsContractTells) {
    std::set<std::string> seen;
    for (int n = 0; n < 200; ++n) {
        const NewKey key = make_key({"team"}, kNoon);
        const std::string& text = key.key.reveal();
        EXPECT_EQ(text.size(), 6U + 12U + 43U + 6U);
        EXPECT_TRUE(text.starts_with("sheaf_" + key.stored.id));
        EXPECT_EQ(text.find_first_not_of("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", 6),
                  std::string::npos);
        EXPECT_EQ(key.stored.secret_hash, sha256(text.substr(18, 43)));
        EXPECT_TRUE(seen.insert(key.stored.id).second);
    }
}

TEST(IsAccountName, TakesPlainNamesOnly) {
    EXPECT_TRUE(is_account_name("team-1_a.B"));
    EXPECT_TRUE(is_account_name(std::string(64, 'a')));
    for (const std::string& bad : {std::string(), std::string(65, 'a'), std::string("a b"),
                                   std::string("a/b"), std::string("\xc3\xa4")}) {
        EXPECT_FALSE(is_account_name(bad)) << bad;
    }
}

TEST_F(AccountsTest, AKeyBelongsToItsAccount) {
    const NewKey key = add_key("team");
    add_key("other");
    const auto account = authenticate(key.key.reveal());
    ASSERT_TRUE(account);
    EXPECT_EQ(account->name, "team");
}

TEST_F(AccountsTest, AKeyWithAWrongChecksumIsRefusedWithoutALookUp) {
    std::string key = add_key("team").key.reveal();
    key[30] = key[30] == 'a' ? 'b' : 'a';
    for (const std::string& bad :
         {key, std::string(), std::string("sheaf_"), std::string(67, 'x'), key + "x"}) {
        const auto account = authenticate(bad);
        ASSERT_FALSE(account);
        EXPECT_EQ(account.error().code, ErrorCode::denied);
    }
    EXPECT_EQ(keys.finds, 0);
}

TEST_F(AccountsTest, AKeyOfAnotherSecretIsRefusedLikeAnUnknownOne) {
    const NewKey guess = make_key({"team"}, clock.now());
    const auto unknown = authenticate(guess.key.reveal());
    ASSERT_FALSE(unknown);
    EXPECT_EQ(unknown.error().code, ErrorCode::denied);

    // Now somebody has a key that is found by the same twelve characters, but with another secret.
    store::ApiKey stored = make_key({"team"}, clock.now()).stored;
    stored.id = guess.stored.id;
    ASSERT_TRUE(keys.insert(stored));
    const auto wrong = authenticate(guess.key.reveal());
    ASSERT_FALSE(wrong);
    EXPECT_EQ(wrong.error().message, unknown.error().message);
    EXPECT_FALSE(authenticate(guess.key.reveal())) << "also when it is answered from memory";
}

TEST_F(AccountsTest, AKnownKeyCostsNoLookUpForOneSecond) {
    const NewKey key = add_key("team");
    for (int n = 0; n < 50; ++n) EXPECT_TRUE(authenticate(key.key.reveal()));
    EXPECT_EQ(keys.finds, 1);
    clock.advance(1s);
    EXPECT_TRUE(authenticate(key.key.reveal()));
    EXPECT_EQ(keys.finds, 2);
}

TEST_F(AccountsTest, ARevocationCountsWithinASecond) {
    const NewKey key = add_key("team");
    ASSERT_TRUE(authenticate(key.key.reveal()));
    ASSERT_TRUE(keys.revoke(key.stored.id, clock.now()));
    clock.advance(1s);
    EXPECT_FALSE(authenticate(key.key.reveal()));
    clock.advance(-1h);
    EXPECT_FALSE(authenticate(key.key.reveal())) << "whatever the clock does";
}

TEST_F(AccountsTest, AStoreThatIsDownIsNoRefusal) {
    const NewKey key = add_key("team");
    keys.is_down = true;
    EXPECT_EQ(authenticate(key.key.reveal()).error().code, ErrorCode::unavailable);
}

}  // namespace
}  // namespace sheaf::service

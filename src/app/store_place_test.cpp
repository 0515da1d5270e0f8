#include "app/store_place.h"

#include <gtest/gtest.h>

#include "app/config.h"

namespace sheaf::app {
namespace {

using namespace std::chrono_literals;

std::string shown(const std::string& url) {
    return shown_store({.data = "/srv/sheaf", .url = Secret(url)});
}

TEST(StorePlace, IsShownWithoutPasswordAndOptions) {
    EXPECT_EQ(shown(""), "/srv/sheaf");
    EXPECT_EQ(shown("postgres://me:hunter2@db.example:5433/sheaf?password=hunter2"),
              "postgres://db.example:5433/sheaf");
    EXPECT_EQ(shown("postgresql://db.example/sheaf"), "postgres://db.example/sheaf");
    EXPECT_EQ(shown("postgres://me:hunter2@one,two"), "postgres://one,two");
    EXPECT_EQ(shown("postgres:///sheaf?host=/run/postgresql&password=hunter2@x"), "postgres:///sheaf");
}

TEST(StorePlace, AUrlOfSomethingElseIsRefusedWithoutRepeatingIt) {
    const auto refused = check_store_url("mysql://me:hunter2@db/sheaf");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::invalid);
    EXPECT_EQ(refused.error().message.find("hunter2"), std::string::npos);
    EXPECT_EQ(open_store({.data = "/none", .url = Secret("mysql://db")}).error().code, ErrorCode::invalid);
    EXPECT_TRUE(check_store_url(""));
    EXPECT_TRUE(check_store_url("postgres://db/sheaf"));
}

TEST(StorePlace, ComesFromTheConfiguration) {
    const auto embedded = parse_config("data = \"/srv/sheaf\"", "test.toml");
    ASSERT_TRUE(embedded);
    EXPECT_FALSE(embedded->store_place().is_shared());
    EXPECT_EQ(embedded->shared_directory(), "/srv/sheaf");
    EXPECT_FALSE(embedded->lease_time);

    const auto shared =
        parse_config("store = \"postgres://db/sheaf\"\nshared = \"/mnt/sheaf\"\nlease_s = 4", "test.toml");
    ASSERT_TRUE(shared) << shared.error().message;
    EXPECT_EQ(shared->store.reveal(), "postgres://db/sheaf");
    EXPECT_EQ(shared->shared_directory(), "/mnt/sheaf");
    EXPECT_EQ(shared->lease_time, 4s);
    EXPECT_FALSE(parse_config("store = \"mysql://db\"", "test.toml"));
}

}  // namespace
}  // namespace sheaf::app

#include "service/followers.h"

#include "service/testing_world.h"

namespace sheaf::service {
namespace {

class FollowersTest : public World {
protected:
    // How long a wait of at most half a minute lasted is no matter: whether it ended is.
    async::Task<void> wait(Followers::Follower& follower, int& ends) {
        co_await follower.wait_for(30s);
        ++ends;
    }
    void turn() {
        io.restart();
        io.run_for(5ms);
    }
    void start(Followers::Follower& follower, int& ends) {
        boost::asio::co_spawn(io, wait(follower, ends), boost::asio::detached);
        turn();
    }
    void expect_no_wait(Followers::Follower& follower) {
        int ends = 0;
        start(follower, ends);
        turn_until([&] { return ends == 1; });
    }
    static std::vector<store::ItemResult> result_of(const BatchId& batch) {
        return {{.item = batch.item(0)}};
    }

    Followers followers{io.get_executor(), 30s};
    const BatchId one = make_batch_id(kNoon);
    const BatchId two = make_batch_id(kNoon);
};

TEST_F(FollowersTest, AreWokenByResultsOfTheirBatchAlone) {
    Followers::Follower first(followers, one);
    Followers::Follower second(followers, one);
    Followers::Follower other(followers, two);
    int ends = 0;
    int other_ends = 0;
    start(first, ends);
    start(second, ends);
    start(other, other_ends);
    std::thread([&] { followers.told(result_of(one)); }).join();
    turn_until([&] { return ends == 2; });
    EXPECT_EQ(other_ends, 0);
    followers.told_of_all();
    turn_until([&] { return other_ends == 1; });
}

TEST_F(FollowersTest, MissNothingBetweenTwoWaits) {
    Followers::Follower follower(followers, one);
    followers.told(result_of(one));
    turn();
    expect_no_wait(follower);
    int ends = 0;
    start(follower, ends);
    EXPECT_EQ(ends, 0);
    followers.stop();
    turn_until([&] { return ends == 1; });
    expect_no_wait(follower);
}

TEST_F(FollowersTest, LookByThemselvesWhereOthersMayWrite) {
    Followers of_several(io.get_executor(), 1ms);
    Followers::Follower follower(of_several, one);
    int ends = 0;
    boost::asio::co_spawn(io, wait(follower, ends), boost::asio::detached);
    turn_until([&] { return ends == 1; });
}

TEST_F(FollowersTest, WhoLeftIsNotTold) {
    {
        const Followers::Follower gone(followers, one);
    }
    followers.told(result_of(one));
    Followers::Follower follower(followers, one);
    followers.told(result_of(one));
    {
        const Followers::Follower gone(followers, one);
    }
    expect_no_wait(follower);
}

}  // namespace
}  // namespace sheaf::service

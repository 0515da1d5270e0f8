#include <atomic>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

#include "base/check.h"
#include "store/postgres/migrations.h"
#include "store/postgres/test_server.h"
#include "store/store_conformance.h"
#include "store/stores.h"

// Several nodes on one database, and a database that goes away.
namespace sheaf::store {
namespace {

using namespace std::chrono_literals;

std::unique_ptr<Store> opened(const PostgresOptions& options) {
    auto store = open_postgres_store(options);
    CHECK(store, store.error().message);
    return std::move(*store);
}

// Counts the calls of on_change().
class Changes {
public:
    explicit Changes(Store& store) : store_(&store) {
        store.on_change([this] {
            const std::scoped_lock lock(mutex_);
            ++count_;
            changed_.notify_all();
        });
    }
    ~Changes() { store_->on_change({}); }
    int count() {
        const std::scoped_lock lock(mutex_);
        return count_;
    }
    bool is_called_after(int count) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, 20s, [&] { return count_ > count; });
    }
    // Waits until the store listens: its first call comes then, at the latest.
    void settle(Store& other) {
        for (int tries = 0; tries < 100; ++tries) {
            const int before = count();
            CHECK(ABatch(1).of(kBob).create(other), "a batch is created");
            std::unique_lock lock(mutex_);
            if (changed_.wait_for(lock, 200ms, [&] { return count_ > before; })) return;
        }
        FAIL() << "the store does not listen";
    }

private:
    Store* store_;
    std::mutex mutex_;
    std::condition_variable changed_;
    int count_ = 0;
};

class PostgresNodes : public testing::Test {
protected:
    void SetUp() override {
        if (!postgres::TestServer::is_installed()) GTEST_SKIP() << "no PostgreSQL server is installed";
        url_ = postgres::TestServer::instance().fresh_schema();
        one_ = open("one");
        two_ = open("two");
    }
    std::unique_ptr<Store> open(const std::string& node) {
        return opened({.url = url_, .directory = directory_.path() / node});
    }
    static std::vector<core::Lease> claimed(Store& store, const BatchId& id, std::uint32_t count,
                                            Timestamp now = kNow) {
        auto claimed = store.items().claim({.batch = id, .count_max = count, .now = now, .lease_for = 15s});
        CHECK(claimed, claimed.error().message);
        return std::move(claimed->leases);
    }
    static std::vector<ItemResult> results_of(const std::vector<core::Lease>& leases) {
        std::vector<ItemResult> results;
        for (const core::Lease& lease : leases) {
            results.push_back({lease.item.id,
                               lease.epoch,
                               core::ItemState::succeeded,
                               line_of(lease.item.id),
                               {1, 1},
                               kNow + 1s});
        }
        return results;
    }
    static FinishReport finished(Store& store, const std::vector<core::Lease>& leases) {
        auto report = store.items().finish(results_of(leases));
        CHECK(report, report.error().message);
        return std::move(*report);
    }

    TemporaryDirectory directory_;
    Secret url_;
    std::unique_ptr<Store> one_;
    std::unique_ptr<Store> two_;
};

TEST_F(PostgresNodes, WhatEndedHasOneOrderOnAllNodes) {
    const ABatch batch(6);
    ASSERT_TRUE(batch.create(*one_));
    const auto at_one = claimed(*one_, batch.id(), 3);
    const auto at_two = claimed(*two_, batch.id(), 3);
    finished(*two_, {at_two[1], at_two[0]});
    finished(*one_, {at_one[2]});
    finished(*two_, {at_two[2]});
    finished(*one_, {at_one[0], at_one[1]});
    for (Store* const store : {one_.get(), two_.get()}) {
        const auto ended = store->batches().read_ended(batch.id(), 0, 9, 1 << 20).value();
        EXPECT_TRUE(ended.is_whole);
        std::vector<std::uint32_t> order;
        for (const ItemLine& line : ended.items) order.push_back(line.item.id.ordinal);
        EXPECT_EQ(order, (std::vector{4U, 3U, 2U, 5U, 0U, 1U}));
    }
}

TEST_F(PostgresNodes, ClaimsOfTwoNodesNeverOverlap) {
    constexpr std::uint32_t kItems = 2'000;
    const ABatch batch(kItems);
    ASSERT_TRUE(batch.create(*one_));
    std::mutex mutex;
    std::set<ItemId> held;
    std::atomic<std::uint32_t> recorded = 0;
    std::atomic<int> ended = 0;
    {
        std::vector<std::jthread> threads;
        for (int at = 0; at < 4; ++at) {
            threads.emplace_back([&, store = at % 2 == 0 ? one_.get() : two_.get()] {
                for (;;) {
                    const auto leases = claimed(*store, batch.id(), 50);
                    if (leases.empty()) return;
                    {
                        const std::scoped_lock lock(mutex);
                        for (const core::Lease& lease : leases)
                            EXPECT_TRUE(held.insert(lease.item.id).second) << "held by two";
                    }
                    const FinishReport report = finished(*store, leases);
                    for (const Recorded each : report.recorded) recorded += each == Recorded::yes ? 1 : 0;
                    ended += static_cast<int>(report.ended.size());
                }
            });
        }
    }
    EXPECT_EQ(held.size(), kItems);
    EXPECT_EQ(recorded, kItems);
    EXPECT_EQ(ended, 1);
    EXPECT_EQ(two_->batches().find(kAlice, batch.id())->counts, (core::Counts{.succeeded = kItems}));
}

TEST_F(PostgresNodes, ADeadNodesLeasesAreClaimedElsewhereOnceTheirTimeIsOver) {
    const ABatch batch(3);
    ASSERT_TRUE(batch.create(*one_));
    const auto lost = claimed(*one_, batch.id(), 2);
    one_.reset();
    EXPECT_EQ(claimed(*two_, batch.id(), 9, kNow + 1s).size(), 1U) << "what it held is not over yet";
    const auto again = claimed(*two_, batch.id(), 9, kNow + 15s);
    ASSERT_EQ(again.size(), 2U);
    EXPECT_EQ(again[0].item.id, lost[0].item.id);
    EXPECT_EQ(again[0].attempt, 2U);
}

TEST_F(PostgresNodes, OfADeadNodesClaimOnlyWhatHasNotEndedRunsAgain) {
    const ABatch batch(5);
    ASSERT_TRUE(batch.create(*one_));
    const auto lost = claimed(*one_, batch.id(), 5);
    finished(*one_, {lost[1], lost[3]});
    one_.reset();
    EXPECT_EQ(claimed(*two_, batch.id(), 1, kNow + 15s).at(0).item.id, lost[0].item.id);
    one_ = open("one");
    const auto again = claimed(*one_, batch.id(), 9);
    ASSERT_EQ(again.size(), 2U) << "its own, at once, but for what the other has";
    EXPECT_EQ(again[0].item.id, lost[2].item.id);
    EXPECT_EQ(again[1].item.id, lost[4].item.id);
}

TEST_F(PostgresNodes, ANodeThatStartsEndsItsOwnLeasesAndNobodyElses) {
    const ABatch batch(4);
    ASSERT_TRUE(batch.create(*one_));
    const auto own = claimed(*one_, batch.id(), 2);
    const auto others = claimed(*two_, batch.id(), 2);
    one_.reset();
    one_ = open("one");
    EXPECT_EQ(claimed(*one_, batch.id(), 9).size(), 2U) << "its own, at once";
    EXPECT_EQ(finished(*two_, others).recorded, (std::vector{Recorded::yes, Recorded::yes}));
    EXPECT_EQ(finished(*two_, own).recorded, (std::vector{Recorded::lease_lost, Recorded::lease_lost}));
}

TEST_F(PostgresNodes, AZombiesLateResultIsRefusedByItsEpoch) {
    const ABatch batch(1);
    ASSERT_TRUE(batch.create(*one_));
    const auto stale = claimed(*one_, batch.id(), 1);
    const auto fresh = claimed(*two_, batch.id(), 1, kNow + 16s);
    ASSERT_EQ(fresh.size(), 1U);
    EXPECT_EQ(finished(*one_, stale).recorded, std::vector{Recorded::lease_lost});
    EXPECT_TRUE(one_->items().renew(stale, kNow + 1h)->empty());
    EXPECT_EQ(finished(*two_, fresh).recorded, std::vector{Recorded::yes});
    EXPECT_EQ(finished(*one_, stale).recorded, std::vector{Recorded::lease_lost});
}

// A crash of the server may undo claims of the last moment, whose holders live on.
TEST_F(PostgresNodes, AnEpochDoesNotComeAgainAfterAClaimWasUndone) {
    const ABatch batch(1);
    ASSERT_TRUE(batch.create(*one_));
    const auto undone = claimed(*one_, batch.id(), 1);
    postgres::Pool pool(url_);
    ASSERT_TRUE(pool.write([](postgres::Connection& db) -> Result<> {
        db.queue("DELETE FROM claims");
        db.queue("UPDATE batches SET cursor = 0, queued = 1, running = 0");
        return {};
    }));
    const auto again = claimed(*two_, batch.id(), 1);
    ASSERT_EQ(again.size(), 1U);
    EXPECT_EQ(finished(*one_, undone).recorded, std::vector{Recorded::lease_lost});
    EXPECT_EQ(finished(*two_, again).recorded, std::vector{Recorded::yes});
}

TEST_F(PostgresNodes, ARenewalKeepsALeaseFromTheOthers) {
    const ABatch batch(1);
    ASSERT_TRUE(batch.create(*one_));
    const auto held = claimed(*one_, batch.id(), 1);
    ASSERT_EQ(one_->items().renew(held, kNow + 1h)->size(), 1U);
    EXPECT_TRUE(claimed(*two_, batch.id(), 1, kNow + 30min).empty());
    EXPECT_EQ(claimed(*two_, batch.id(), 1, kNow + 1h).size(), 1U);
}

TEST_F(PostgresNodes, WhatOneNodeDoesWakesTheOther) {
    Changes changes(*two_);
    changes.settle(*one_);
    const ABatch batch(2);
    const auto wakes = [&](const auto& act) {
        const int before = changes.count();
        act();
        return changes.is_called_after(before);
    };
    EXPECT_TRUE(wakes([&] { ASSERT_TRUE(batch.create(*one_)); }));
    std::vector<core::Lease> leases = claimed(*one_, batch.id(), 1);
    EXPECT_TRUE(wakes([&] { ASSERT_TRUE(one_->items().release(leases)); }));
    EXPECT_TRUE(wakes(
        [&] { ASSERT_TRUE(one_->batches().apply(batch.id(), core::BatchEvent::cancel_requested, kNow)); }));
    leases = claimed(*one_, batch.id(), 1);
    EXPECT_TRUE(wakes([&] { finished(*one_, leases); })) << "the batch ended";
    EXPECT_TRUE(wakes([&] { ASSERT_TRUE(one_->batches().remove(batch.id())); }));
}

TEST_F(PostgresNodes, AListenerThatLostItsConnectionListensAgainAndWakesOnce) {
    Changes changes(*two_);
    changes.settle(*one_);
    const int before = changes.count();
    postgres::TestServer::instance().terminate_connections();
    EXPECT_TRUE(changes.is_called_after(before)) << "something may have been missed";
    changes.settle(*one_);
}

TEST_F(PostgresNodes, NobodyIsCalledAfterOnChangeWasTakenBack) {
    std::atomic<int> calls = 0;
    two_->on_change([&] { ++calls; });
    two_->on_change({});
    const int before = calls;
    ASSERT_TRUE(ABatch(1).create(*one_));
    std::this_thread::sleep_for(300ms);
    EXPECT_EQ(calls, before);
}

TEST_F(PostgresNodes, OneNodeTellsWebhooksAndTheNextWhenItIsGone) {
    const Webhook webhook{.id = WebhookId::make(kNow),
                          .account = kAlice,
                          .dialect = "test",
                          .url = "https://hooks.example/",
                          .secret = Secret("s"),
                          .created_at = kNow};
    ASSERT_TRUE(one_->outbox().insert(webhook));
    const ABatch batch(1);
    ASSERT_TRUE(batch.create(*one_));
    finished(*two_, claimed(*two_, batch.id(), 1));
    EXPECT_EQ(one_->outbox().facts(9)->size(), 1U);
    EXPECT_TRUE(two_->outbox().facts(9)->empty()) << "it would be told twice";
    one_.reset();
    EXPECT_EQ(two_->outbox().facts(9)->size(), 1U);
}

TEST_F(PostgresNodes, AnAssetInProcessingIsTheConcernOfOneNodeUntilThatIsDead) {
    core::Asset asset;
    asset.id = AssetId::make(kNow);
    asset.account = kAlice;
    asset.created_at = kNow;
    ASSERT_TRUE(one_->assets().insert(asset));
    EXPECT_EQ(one_->assets().processing()->size(), 1U);
    EXPECT_TRUE(two_->assets().processing()->empty()) << "the other is working on it";
    one_.reset();
    EXPECT_TRUE(two_->assets().processing()->empty()) << "it may come back";
    postgres::Pool pool(url_);
    ASSERT_TRUE(pool.write([](postgres::Connection& db) {
        return db.run(
            "UPDATE nodes SET seen_at = seen_at - interval '31 s' WHERE node = (SELECT node FROM assets)");
    }));
    EXPECT_EQ(two_->assets().processing()->size(), 1U);
    one_ = open("one");
    EXPECT_TRUE(one_->assets().processing()->empty()) << "taken over";
}

TEST_F(PostgresNodes, ResultsThatWereRemovedElsewhereAreNotServedFromHere) {
    const ABatch batch(2);
    ASSERT_TRUE(batch.create(*one_));
    finished(*one_, claimed(*one_, batch.id(), 2));
    ASSERT_TRUE(one_->batches().publish(batch.id(), {.render = rendered_line}));
    ASSERT_TRUE(two_->batches().open_results(batch.id()));
    ASSERT_TRUE(one_->batches().remove(batch.id()));
    EXPECT_EQ(two_->batches().open_results(batch.id()).error().code, ErrorCode::not_found);
}

TEST_F(PostgresNodes, ADirectoryBelongsToOneNode) {
    EXPECT_EQ(open_postgres_store({.url = url_, .directory = directory_.path() / "one"}).error().code,
              ErrorCode::unavailable);
    const auto beside =
        open_postgres_store({.url = url_, .directory = directory_.path() / "one", .exclusive = false});
    ASSERT_TRUE(beside);
    EXPECT_TRUE((*beside)->keys().list());
    EXPECT_EQ((*beside)->batches().new_body().error().code, ErrorCode::unavailable);
}

TEST_F(PostgresNodes, MigrationsAreAppliedOnceHoweverManyNodesStartAtOnce) {
    const Secret url = postgres::TestServer::instance().fresh_schema();
    std::atomic<int> done = 0;
    {
        std::vector<std::jthread> threads;
        for (int at = 0; at < 6; ++at) {
            threads.emplace_back([&] {
                postgres::Pool pool(url);
                for (int times = 0; times < 2; ++times) {
                    const auto migrated = postgres::migrate(pool);
                    EXPECT_TRUE(migrated) << migrated.error().message;
                    if (migrated) ++done;
                }
            });
        }
    }
    EXPECT_EQ(done, 12);
}

TEST_F(PostgresNodes, ASchemaOfANewerProgramIsRefused) {
    postgres::Pool pool(url_);
    ASSERT_TRUE(
        pool.write([](postgres::Connection& db) { return db.run("INSERT INTO sheaf_schema VALUES (999)"); }));
    EXPECT_EQ(open_postgres_store({.url = url_, .directory = directory_.path() / "three"}).error().code,
              ErrorCode::unavailable);
}

TEST_F(PostgresNodes, AConnectionThatWasEndedBetweenCallsIsNotNoticed) {
    const ABatch batch(4);
    ASSERT_TRUE(batch.create(*one_));
    const auto leases = claimed(*one_, batch.id(), 2);
    for (int round = 0; round < 3; ++round) {
        postgres::TestServer::instance().terminate_connections();
        std::this_thread::sleep_for(20ms);
        EXPECT_TRUE(one_->batches().find(kAlice, batch.id()));
        postgres::TestServer::instance().terminate_connections();
        std::this_thread::sleep_for(20ms);
        EXPECT_EQ(one_->items().renew(leases, kNow + 1min)->size(), 2U);
    }
    EXPECT_EQ(finished(*one_, leases).recorded, (std::vector{Recorded::yes, Recorded::yes}));
}

TEST_F(PostgresNodes, WhileTheServerIsAwayCallsAreUnavailableAndThenGoOn) {
    const ABatch batch(3);
    ASSERT_TRUE(batch.create(*one_));
    const auto leases = claimed(*one_, batch.id(), 2);
    ASSERT_TRUE(ABatch(1).create(*one_)) << "whose sync carries the claim, too";
    postgres::TestServer::instance().stop();
    EXPECT_EQ(one_->batches().find(kAlice, batch.id()).error().code, ErrorCode::unavailable);
    EXPECT_EQ(one_->items().finish(results_of(leases)).error().code, ErrorCode::unavailable);
    EXPECT_TRUE(one_->health()) << "it may come back";
    postgres::TestServer::instance().start();
    Result<FinishReport> report = fail(ErrorCode::unavailable, "");
    for (int tries = 0; !report && tries < 100; ++tries) {
        report = one_->items().finish(results_of(leases));
        if (!report) std::this_thread::sleep_for(100ms);
    }
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(report->recorded, (std::vector{Recorded::yes, Recorded::yes})) << "kept over the crash";
    EXPECT_EQ(one_->batches().find(kAlice, batch.id())->counts, (core::Counts{.queued = 1, .succeeded = 2}));
}

// Connections are ended at random moments while batches are made and run: who repeats what failed neither
// loses nor doubles anything.
TEST_F(PostgresNodes, RepeatingWhatFailedDoublesNothing) {
    std::atomic<bool> done = false;
    std::jthread saboteur([&] {
        while (!done) {
            postgres::TestServer::instance().terminate_connections();
            std::this_thread::sleep_for(15ms);
        }
    });
    std::vector<BatchId> made;
    for (int at = 0; at < 10; ++at) {
        const ABatch batch(20);
        for (;;) {
            const auto stored = batch.create(*one_);
            if (stored || stored.error().code == ErrorCode::conflict) break;
            ASSERT_EQ(stored.error().code, ErrorCode::unavailable) << stored.error().message;
            std::this_thread::sleep_for(5ms);
        }
        made.push_back(batch.id());
        for (Timestamp now = kNow;;) {
            auto claimed =
                two_->items().claim({.batch = batch.id(), .count_max = 7, .now = now, .lease_for = 15s});
            if (!claimed) {
                ASSERT_EQ(claimed.error().code, ErrorCode::unavailable) << claimed.error().message;
                now += 16s;  // the answer may have been lost after the commit: then only time ends the leases
                std::this_thread::sleep_for(5ms);
                continue;
            }
            if (claimed->leases.empty()) {
                const auto batch_now = one_->batches().find(kAlice, batch.id());
                if (batch_now && batch_now->state == core::BatchState::ended) break;
                now += 16s;
                continue;
            }
            const auto results = results_of(claimed->leases);
            while (!two_->items().finish(results)) std::this_thread::sleep_for(5ms);
        }
    }
    done = true;
    saboteur.join();
    for (const BatchId& id : made) {
        Result<core::Batch> batch = one_->batches().find(kAlice, id);
        for (int tries = 0; !batch && tries < 50; ++tries) {
            std::this_thread::sleep_for(50ms);
            batch = one_->batches().find(kAlice, id);
        }
        ASSERT_TRUE(batch);
        EXPECT_EQ(batch->counts, (core::Counts{.succeeded = 20}));
        EXPECT_EQ(batch->usage.input_tokens, 20U);
        EXPECT_EQ(one_->batches().read_lines(id, 0, 100, 1 << 20)->size(), 20U);
    }
    EXPECT_EQ(one_->batches().list({kAlice, "test", {}, {}, {}})->total, made.size());
}

TEST_F(PostgresNodes, AServerThatTakesNoWritesIsNotUsed) {
    const auto store =
        open_postgres_store({.url = Secret(url_.reveal() + "%20-cdefault_transaction_read_only%3Don"),
                             .directory = directory_.path() / "three"});
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().code, ErrorCode::unavailable);
    EXPECT_NE(store.error().message.find("read-only"), std::string::npos) << store.error().message;
}

TEST(PostgresUrl, ItsPasswordIsInNoError) {
    const auto store =
        open_postgres_store({.url = Secret("postgres://sheaf:hunter2@127.0.0.1:1/none?connect_timeout=1"),
                             .directory = testing::TempDir()});
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().code, ErrorCode::unavailable);
    EXPECT_EQ(store.error().message.find("hunter2"), std::string::npos) << store.error().message;
}

}  // namespace
}  // namespace sheaf::store

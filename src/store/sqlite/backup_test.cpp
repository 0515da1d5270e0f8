#include "store/backup.h"

#include <atomic>
#include <thread>

#include "store/sqlite/upkeep_fixture_test.h"

namespace sheaf::store {
namespace {

using core::ItemState;

class SqliteBackups : public UpkeepTest {
protected:
    fs::path copy() const { return directory_.path() / "copy"; }
    std::unique_ptr<Backup> begin() {
        auto begun = begin_sqlite_backup(data(), copy());
        CHECK(begun, begun.error().message);
        return std::move(*begun);
    }
    static void complete(Backup& backup) {
        auto done = backup.copy_files([](std::uint64_t, std::uint64_t) {});
        if (done) done = backup.finish();
        if (done) done = backup.call_it_whole();
        ASSERT_TRUE(done) << done.error().message;
    }
    // From here on the directory under test is the copy.
    void take_the_copy() {
        close();
        fs::remove_all(data());
        fs::rename(copy(), data());
    }
    bool is_on_disk(std::string_view needle) const {
        for (const auto& [path, bytes] : everything()) {
            if (!path.contains("index.db") && bytes.contains(needle)) return true;
        }
        return false;
    }
};

TEST_F(SqliteBackups, TheCopyHasAllThatWasThereWhenItBeganAndNothingLater) {
    const ABatch small(4);
    const ABatch large = ABatch(3).with_bodies_of(100'000);
    const ABatch published(3);
    const ABatch later(2);
    open();
    for (const ABatch* const batch : {&small, &large, &published}) create(*batch);
    run(small, 2);
    run(large, 1);
    run(published, 3);
    publish(published);
    const auto backup = begin();
    run(small, 1);
    run(large, 2);
    publish(large);
    create(later);
    complete(*backup);
    take_the_copy();
    EXPECT_EQ(check(), Told{});
    open();
    EXPECT_EQ(found(small).counts, (core::Counts{.queued = 2, .succeeded = 2}));
    EXPECT_EQ(found(large).counts, (core::Counts{.queued = 2, .succeeded = 1}));
    EXPECT_EQ(store_->batches().find(kAlice, later.id()).error().code, ErrorCode::not_found);
    EXPECT_EQ(line(small, 1), line_of(small.id().item(1)));
    EXPECT_EQ(line(published, 2), line_of(published.id().item(2)));
    run(large, 2);
    publish(large);
    EXPECT_EQ(claim(small, 4).size(), 2U);
}

TEST_F(SqliteBackups, WhatIsRemovedMeanwhileStaysUntilTheBackupHasIt) {
    const ABatch removed(3);
    const ABatch archived = ABatch(2).with_bodies_of(100'000);
    const ABatch both(2);
    open();
    for (const ABatch* const batch : {&removed, &archived, &both}) {
        create(*batch);
        run(*batch, 3);
    }
    publish(archived);
    const std::string line_of_removed = line_of(removed.id().item(1));
    {
        const auto backup = begin();
        ASSERT_TRUE(store_->batches().remove(removed.id()));
        ASSERT_TRUE(store_->batches().archive(archived.id(), kNow));
        ASSERT_TRUE(store_->batches().archive(both.id(), kNow));
        ASSERT_TRUE(store_->batches().remove(both.id()));
        EXPECT_EQ(store_->batches().find(kAlice, removed.id()).error().code, ErrorCode::not_found);
        EXPECT_TRUE(is_on_disk(line_of_removed));
        ASSERT_TRUE(store_->batches().forget_old(kNow));
        EXPECT_TRUE(is_on_disk(line_of_removed)) << "the backup is under way still";
        complete(*backup);
    }
    ASSERT_TRUE(store_->batches().forget_old(kNow));
    for (const ABatch* const batch : {&removed, &archived, &both}) {
        EXPECT_FALSE(is_on_disk(line_of(batch->id().item(1))));
        EXPECT_FALSE(is_on_disk(batch->body_of(1)));
    }
    close();
    EXPECT_EQ(check(), Told{});
    take_the_copy();
    EXPECT_EQ(check(), Told{});
    open();
    EXPECT_EQ(line(removed, 1), line_of_removed) << "it was there when the backup began";
    EXPECT_EQ(line(archived, 1), line_of(archived.id().item(1)));
}

TEST_F(SqliteBackups, ABackupThatDiesHoldsNothingOff) {
    const ABatch batch(3);
    open();
    create(batch);
    run(batch, 3);
    begin().reset();
    ASSERT_TRUE(store_->batches().remove(batch.id()));
    EXPECT_FALSE(is_on_disk(line_of(batch.id().item(1))));
}

TEST_F(SqliteBackups, WhatWasHeldOffWhenTheServerEndsIsSettledByTheNext) {
    const ABatch batch(3);
    open();
    create(batch);
    run(batch, 3);
    auto backup = begin();
    ASSERT_TRUE(store_->batches().remove(batch.id()));
    close();
    backup.reset();
    EXPECT_TRUE(is_on_disk(line_of(batch.id().item(1))));
    EXPECT_EQ(check(), Told{});
    open();
    EXPECT_FALSE(is_on_disk(line_of(batch.id().item(1))));
}

TEST_F(SqliteBackups, AHalfMadeCopyIsNotTakenForAWholeOne) {
    open();
    create(ABatch(2));
    const auto backup = begin();
    EXPECT_FALSE(open_sqlite_store({.directory = copy()}));
    EXPECT_FALSE(open_sqlite_upkeep(copy()));
    EXPECT_FALSE(begin_sqlite_backup(copy(), directory_.path() / "other"));
    EXPECT_EQ(begin_sqlite_backup(data(), copy()).error().code, ErrorCode::conflict) << "it is being written";
    ASSERT_TRUE(backup->copy_files([](std::uint64_t, std::uint64_t) {}));
    ASSERT_TRUE(backup->finish());
    EXPECT_FALSE(open_sqlite_store({.directory = copy()}));
    EXPECT_TRUE(open_sqlite_upkeep(copy(), HalfMade::taken));
    ASSERT_TRUE(backup->call_it_whole());
    EXPECT_TRUE(open_sqlite_store({.directory = copy()}));
}

TEST_F(SqliteBackups, AHalfMadeCopyIsMadeAnewAndAnythingElseIsLeft) {
    const ABatch batch(2);
    open();
    create(batch);
    begin().reset();
    write_whole(copy() / "bodies" / "00000009.seg", "of the one that died");
    complete(*begin());
    EXPECT_FALSE(fs::exists(copy() / "bodies" / "00000009.seg"));
    EXPECT_EQ(begin_sqlite_backup(data(), copy()).error().code, ErrorCode::conflict) << "it is whole";
    EXPECT_EQ(begin_sqlite_backup(directory_.path() / "none", copy()).error().code, ErrorCode::not_found);
}

TEST_F(SqliteBackups, AStoppedAndAKilledServersDirectoriesAreCopiedToo) {
    const ABatch batch(3);
    open();
    create(batch);
    run(batch, 2);
    leave_as_if_killed();
    ASSERT_GT(fs::file_size(data() / "index.db-wal"), 0U);
    complete(*begin());
    open();
    close();
    fs::remove_all(copy());
    complete(*begin());
    take_the_copy();
    EXPECT_EQ(check(), Told{});
    open();
    EXPECT_EQ(found(batch).counts.succeeded, 2U);
}

TEST_F(SqliteBackups, ErasedRangesStayHoles) {
    const ABatch kept(1);
    const ABatch removed = ABatch(60).with_bodies_of(1'000);
    open();
    create(removed);
    create(kept);
    run(removed, 60);
    ASSERT_TRUE(store_->batches().remove(removed.id()));
    complete(*begin());
    EXPECT_EQ(contents(copy() / "bodies" / "00000001.seg"), contents(small_bodies()));
    const auto others = fs::perms::group_all | fs::perms::others_all;
    EXPECT_EQ(fs::status(copy() / "index.db").permissions() & others, fs::perms::none) << "it holds secrets";
    take_the_copy();
    EXPECT_EQ(check(), Told{});
}

TEST_F(SqliteBackups, ABackupOfAnotherVersionIsRefused) {
    open();
    close();
    sql("PRAGMA user_version=3");
    EXPECT_EQ(begin_sqlite_backup(data(), copy()).error().code, ErrorCode::unavailable);
}

TEST_F(SqliteBackups, CopiesTakenWhileThreadsWriteAndRemoveAreWhole) {
    open();
    std::atomic<bool> stop = false;
    std::vector<std::jthread> writers;
    for (int at = 0; at < 3; ++at) {
        writers.emplace_back([&, at] {
            while (!stop) {
                const ABatch batch = ABatch(5).with_bodies_of(at == 0 ? 20'000 : 100);
                create(batch);
                run(batch, at == 1 ? 4 : 5);
                if (at == 1) continue;
                publish(batch);
                if (at == 2) ASSERT_TRUE(store_->batches().remove(batch.id()));
            }
        });
    }
    for (int turn = 0; turn < 5; ++turn) {
        fs::remove_all(copy());
        complete(*begin());
        const auto upkeep = open_sqlite_upkeep(copy());
        ASSERT_TRUE(upkeep) << upkeep.error().message;
        told_.clear();
        ASSERT_TRUE((*upkeep)->check(listener()));
        EXPECT_EQ(told_, Told{});
    }
    stop = true;
}

}  // namespace
}  // namespace sheaf::store

#include <set>

#include "store/sqlite/upkeep_fixture_test.h"

namespace sheaf::store {
namespace {

using core::ItemState;

// Every kind of file that there is: a batch of each size of body, run in part, run whole, published.
class UpkeepCheck : public UpkeepTest {
protected:
    void fill() {
        open();
        for (const ABatch* const batch : {&small, &large, &ended, &published}) create(*batch);
        run(small, 2);
        claim(small, 1);
        run(large, 1);
        run(ended, 3);
        run(published, 2);
        run(published, 1, ItemState::failed);
        publish(published);
    }
    // Nobody opens the store as it is, and who tries is told what to do.
    void expect_refused() {
        for (const bool exclusive : {true, false}) {
            const auto opened = open_sqlite_store({.directory = data(), .exclusive = exclusive});
            ASSERT_FALSE(opened);
            EXPECT_TRUE(opened.error().message.contains("sheaf fsck --repair")) << opened.error().message;
        }
    }
    const ABatch small{4};
    const ABatch large = ABatch(3).with_bodies_of(100'000);
    const ABatch ended{3};
    const ABatch published{3};
};

TEST_F(UpkeepCheck, WhatIsWholeIsWellAndLeftAsItWas) {
    fill();
    close();
    const auto before = everything();
    EXPECT_EQ(check(), Told{});
    EXPECT_EQ(everything(), before);
    EXPECT_EQ(checked_.batches, 4U);
    EXPECT_EQ(checked_.items, 13U);
    EXPECT_EQ(checked_.results, 9U);
    EXPECT_TRUE(checked_.index_was_read);
}

TEST_F(UpkeepCheck, WhatAKilledServerLeftIsReadWithItsWriteAheadLogAndLeftAsItWas) {
    fill();
    leave_as_if_killed();
    ASSERT_GT(fs::file_size(data() / "index.db-wal"), 0U);
    const auto before = everything();
    EXPECT_EQ(check(), Told{});
    EXPECT_EQ(everything(), before);
    EXPECT_EQ(checked_.items, 13U) << "what only the write-ahead log knows is looked at too";
    open();
    EXPECT_EQ(found(small).counts.succeeded, 2U);
}

TEST_F(UpkeepCheck, ARunningServerIsAConflict) {
    fill();
    EXPECT_EQ(open_sqlite_upkeep(data()).error().code, ErrorCode::conflict);
    close();
    EXPECT_TRUE(open_sqlite_upkeep(data()));
    EXPECT_EQ(open_sqlite_upkeep(data() / "none").error().code, ErrorCode::not_found);
    EXPECT_EQ(open_sqlite_upkeep(directory_.path()).error().code, ErrorCode::not_found);
}

TEST_F(UpkeepCheck, ADirectoryThatWasNeverServedOnIsWell) {
    open();
    close();
    EXPECT_EQ(check(), Told{});
}

TEST_F(UpkeepCheck, EachFlippedBitOfALineInTheLogIsFound) {
    fill();
    close();
    const std::string whole = contents(log());
    // The records of `ended` are the last three before the published ones'; all of their bytes count.
    const std::size_t first = whole.find(line_of(ended.id().item(0))) - 24;
    const std::size_t end = whole.find(line_of(ended.id().item(2))) + line_of(ended.id().item(2)).size();
    for (std::size_t at = first; at < end; at += 3) {
        flip_bit(log(), at);
        const Told told = check();
        ASSERT_EQ(told.size(), 1U) << at;
        EXPECT_TRUE(told[0].starts_with("result ")) << told[0];
        write_whole(log(), whole);
    }
    EXPECT_EQ(check(), Told{});
}

TEST_F(UpkeepCheck, EachFlippedBitOfAResultsFileIsFoundAndNoDamagedLineIsServed) {
    fill();
    close();
    const fs::path path = results_of(published);
    const std::string whole = contents(path);
    std::vector<std::string> lines;
    open();
    for (std::uint32_t at = 0; at < 3; ++at) lines.push_back(line(published, at));
    close();
    const std::size_t lines_and_entries = lines[0].size() + lines[1].size() + lines[2].size() + 3 * 16;
    ASSERT_LT(lines_and_entries, whole.size());
    for (std::size_t at = 0; at < whole.size(); at += 5) {
        flip_bit(path, at);
        EXPECT_FALSE(check().empty()) << at;
        open();
        // What ends it is not for clients.
        EXPECT_EQ(store_->batches().open_results(published.id()).has_value(), at >= lines_and_entries) << at;
        for (std::uint32_t item = 0; item < 3; ++item) {
            const std::string got = line(published, item);
            EXPECT_TRUE(got == lines[item] || got == "corrupt") << at << got;
        }
        close();
        write_whole(path, whole);
    }
    EXPECT_EQ(check(), Told{});
}

TEST_F(UpkeepCheck, DamagedRequestsAreNamedByWhatTheyMean) {
    fill();
    close();
    flip_bit_of(body_of(large), large.body_of(2).substr(0, 10));
    flip_bit_of(body_of(large), large.body_of(0).substr(0, 10));
    EXPECT_EQ(check(), (Told{"old request 0", "request 2"}));
    flip_bit(small_bodies(), 25);
    EXPECT_EQ(check(), (Told{"old request 0", "old request 0", "request 2"}))
        << "the first of the small one has run";
}

TEST_F(UpkeepCheck, EachFlippedBitOfASmallBodyIsFound) {
    open();
    create(small);
    close();
    const std::string whole = contents(small_bodies());
    std::set<std::string> kinds;
    for (std::size_t at = 0; at < whole.size(); at += 2) {
        flip_bit(small_bodies(), at);
        const Told told = check();
        ASSERT_FALSE(told.empty()) << at;
        kinds.insert(told[0]);
        write_whole(small_bodies(), whole);
    }
    EXPECT_EQ(kinds,
              (std::set<std::string>{"body", "record", "request 0", "request 1", "request 2", "request 3"}));
}

TEST_F(UpkeepCheck, MissingAndShortFilesAreNamed) {
    fill();
    close();
    const std::string body = contents(body_of(large));
    fs::remove(body_of(large));
    EXPECT_EQ(check(), Told{"body missing"});
    write_whole(body_of(large), body.substr(0, 150'000));
    EXPECT_EQ(check(), (Told{"request 1", "request 2"}));
    write_whole(body_of(large), body + "x");
    EXPECT_EQ(check(), Told{}) << "as one that it shares with an upload";
    write_whole(body_of(large), body.substr(0, body.size() - 1));
    EXPECT_EQ(check(), Told{"body"});
    write_whole(body_of(large), body);

    const std::string results = contents(results_of(published));
    fs::remove(results_of(published));
    EXPECT_EQ(check(), Told{"results missing"});
    write_whole(results_of(published), results.substr(0, 10));
    EXPECT_EQ(check(), Told{"results missing"});
    write_whole(results_of(published), results);

    const std::string lines = contents(log());
    fs::remove(log());
    EXPECT_EQ(check(), (Told{"result 0", "result 1", "result 0", "result 0", "result 1", "result 2",
                             "segment missing: log/00000001.seg"}));
    write_whole(log(), lines.substr(0, 30));
    const Told told = check();
    EXPECT_EQ(told.size(), 7U);
    EXPECT_TRUE(told.back().starts_with("segment short: log/00000001.seg: 30 bytes of ")) << told.back();
    write_whole(log(), lines);
    EXPECT_EQ(check(), Told{});
}

TEST_F(UpkeepCheck, FilesOfNobodyAreNamedAndNoDamage) {
    fill();
    close();
    const ABatch unknown(1);
    fs::copy(body_of(large), body_of(unknown));
    fs::copy(results_of(published), results_of(unknown));
    fs::copy(log(), data() / "log" / "copy.seg");
    fs::copy(log(), data() / "log" / "00000007.seg");
    write_whole(data() / "spool" / "3", "half a body");
    write_whole(data() / "notes.txt", "mine");
    write_whole(data() / "index.db.damaged-20270115T080000000Z", "old");
    const std::set<std::string> told = [&] {
        const Told all = check();
        return std::set<std::string>(all.begin(), all.end());
    }();
    EXPECT_EQ(told, (std::set<std::string>{"stray file: bodies/" + to_string(unknown.id()),
                                           "stray file: results/" + to_string(unknown.id()) + ".jsonl",
                                           "unknown: log/copy.seg", "leftover: log/00000007.seg",
                                           "leftover: spool/3", "unknown: notes.txt",
                                           "kept: index.db.damaged-20270115T080000000Z"}));
    EXPECT_TRUE(is_damage(Fault::stray_file));
    EXPECT_FALSE(is_damage(Fault::leftover));
}

TEST_F(UpkeepCheck, ATornTailIsNoDamage) {
    fill();
    close();
    std::ofstream(log(), std::ios::app) << "half a record";
    EXPECT_EQ(check(), Told{"tail: log/00000001.seg: 13 bytes"});
    EXPECT_FALSE(is_damage(Fault::log_tail));
}

TEST_F(UpkeepCheck, RowsThatDoNotAgreeAreFound) {
    fill();
    close();
    sql(fmt::format("UPDATE batches SET succeeded = 2, queued = 1 WHERE id = x'{}'", to_string(large.id())));
    EXPECT_EQ(check(), Told{"counts"});
    sql(fmt::format("UPDATE batches SET succeeded = 1, queued = 2 WHERE id = x'{}'", to_string(large.id())));
    EXPECT_EQ(check(), Told{});
    sql("DELETE FROM leases");
    EXPECT_EQ(check(), Told{"no lease 2"});
    sql("INSERT INTO leases SELECT max(key), 1, 1, 0 FROM items");
    EXPECT_EQ(check(), (Told{"no lease 2", "stray lease 2"}));
    sql("DELETE FROM leases; INSERT INTO leases SELECT key, 1, 1, 0 FROM items WHERE key = (1 << 20) + 2;"
        "INSERT INTO leases VALUES(77 << 20, 1, 1, 0); INSERT INTO items SELECT key + (50 << 20), state, "
        "body_offset, "
        "body_bytes, body_crc, custom_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM items "
        "WHERE key = "
        "1 << 20");
    EXPECT_EQ(check(), (Told{"rows stray: 1 requests of no batch", "rows stray: 1 leases of no request"}));
    sql("DELETE FROM leases WHERE item = 77 << 20; DELETE FROM items WHERE key > 40 << 20");
    sql("UPDATE segments SET live = live - 1 WHERE stream = 0; UPDATE segments SET live = live + 1 WHERE "
        "stream = 1");
    EXPECT_EQ(check(), (Told{"uncounted: log/00000001.seg: 6 records, 5 counted",
                             "spare: bodies/00000001.seg: 7 records, 8 counted"}));
    sql("UPDATE segments SET live = live + 1 WHERE stream = 0; UPDATE segments SET live = live - 1 WHERE "
        "stream = 1");
    sql("DELETE FROM items WHERE key = (1 << 20) + 3");
    EXPECT_EQ(check(), Told{"items missing"});
}

TEST_F(UpkeepCheck, APlaceOutsideOfItsSegmentIsADamagedResult) {
    fill();
    close();
    sql("UPDATE items SET line_bytes = 1 << 60 WHERE key = 3 << 20");
    EXPECT_EQ(check(), Told{"result 0"});
    sql("UPDATE items SET line_bytes = 40, segment = 9 WHERE key = 3 << 20");
    const Told told = check();
    EXPECT_EQ(told[0], "result 0");
}

TEST_F(UpkeepCheck, ADamagedPlanIsFound) {
    open();
    const ABatch planned = ABatch(3).planned({{2, 7}, {0, 7}, {1, 8}});
    create(planned);
    run(planned, 1);
    close();
    EXPECT_EQ(check(), Told{});
    sql("UPDATE plan_chunks SET entries = substr(entries, 1, 24)");
    EXPECT_EQ(check(), Told{"plan"});
}

TEST_F(UpkeepCheck, AnArchivedAndARemovedBatchLeaveNothingToFind) {
    fill();
    ASSERT_TRUE(store_->batches().archive(published.id(), kNow));
    ASSERT_TRUE(store_->batches().remove(ended.id()));
    close();
    EXPECT_EQ(check(), Told{});
}

TEST_F(UpkeepCheck, ADamagedIndexIsSaidInSqlitesWords) {
    fill();
    close();
    const std::string whole = contents(data() / "index.db");
    const auto size = whole.size();
    int found_in = 0;
    for (std::size_t page = 4096; page < size; page += 4096) {
        std::string damaged = whole;
        damaged.replace(page, 64, 64, '\x5a');
        write_whole(data() / "index.db", damaged);
        const Told told = check();
        if (!told.empty()) ++found_in;
    }
    EXPECT_GT(found_in, static_cast<int>(size / 4096) - 5) << "all but free pages";
    write_whole(data() / "index.db", std::string(size, 'x'));
    EXPECT_EQ(check(), Told{"index damaged"});
    EXPECT_FALSE(checked_.index_was_read);
    fs::remove(data() / "index.db");
    EXPECT_EQ(check(), Told{"index missing: index.db"});
    write_whole(data() / "index.db", "");
    EXPECT_EQ(check(), Told{"index missing: index.db is empty"});
}

TEST_F(UpkeepCheck, ADamagedWriteAheadLogIsFoundWhereverItIs) {
    fill();
    leave_as_if_killed();
    const fs::path path = data() / "index.db-wal";
    const std::string whole = contents(path);
    const std::size_t frame = 4096 + 24;
    ASSERT_GT(whole.size(), 32 + 4 * frame);
    for (const std::size_t at :
         {5UZ, 20UZ, 32UZ + 10, 32UZ + 300, 32UZ + frame + 9, 32UZ + 2 * frame + 4000}) {
        flip_bit(path, at);
        const Told told = check();
        ASSERT_FALSE(told.empty()) << at;
        EXPECT_TRUE(told[0].starts_with("index log") || told[0].starts_with("index missing"))
            << at << told[0];
        write_whole(path, whole);
    }
    // What a power cut leaves of a commit that was never acknowledged.
    write_whole(path, whole + whole.substr(32, 1000));
    EXPECT_EQ(check(), Told{});
}

TEST_F(UpkeepCheck, NobodyTakesOverAWriteAheadLogThatHasLostCommits) {
    fill();
    leave_as_if_killed();
    const fs::path path = data() / "index.db-wal";
    const std::string whole = contents(path);
    const std::size_t frame = 4096 + 24;
    const std::size_t frames = (whole.size() - 32) / frame;
    for (const std::size_t at : {5UZ, 20UZ, 32UZ + 9, 32UZ + 300, 32UZ + 2 * frame + 4000,
                                 32UZ + frames / 2 * frame, 32UZ + (frames - 1) * frame + 2000}) {
        flip_bit(path, at);
        const std::string damaged = contents(path);
        ASSERT_NO_FATAL_FAILURE(expect_refused()) << at;
        EXPECT_TRUE(contents(path) == damaged) << at;
        write_whole(path, whole);
    }
    open();
    EXPECT_EQ(line(small, 0), line_of(small.id().item(0)));
}

TEST_F(UpkeepCheck, AMarkThatIsDamagedOrOfAnotherLogSaysNothing) {
    fill();
    leave_as_if_killed();
    const fs::path path = data() / "index.db-mark";
    const std::string whole = contents(path);
    std::string longer = whole;
    longer[8] = static_cast<char>(longer[8] + 1);
    for (const std::string& mark : {longer, whole.substr(0, 12), std::string()}) {
        write_whole(path, mark);
        EXPECT_EQ(check(), Told{});
    }
    open();
    close();
    write_whole(path, whole);
    open();
    EXPECT_EQ(line(small, 0), line_of(small.id().item(0)));
}

TEST_F(UpkeepCheck, NobodyBeginsANewIndexWhereThereAreBatches) {
    fill();
    close();
    fs::remove(data() / "index.db");
    const auto before = everything();
    ASSERT_NO_FATAL_FAILURE(expect_refused());
    EXPECT_EQ(everything(), before);
    write_whole(data() / "index.db", "");
    EXPECT_FALSE(open_sqlite_store({.directory = data()}));
}

TEST_F(UpkeepCheck, AnIndexOfAnOlderVersionIsReadAndLeftAsItWas) {
    fill();
    close();
    sql("ALTER TABLE batches DROP COLUMN plan_next; DROP TABLE plan_chunks; DROP TABLE ended_order;"
        "DROP TABLE batch_records;"
        "UPDATE segments SET live = live - 4 WHERE stream = 1; PRAGMA user_version=3");
    const auto before = everything();
    EXPECT_EQ(check(), Told{});
    EXPECT_EQ(checked_.items, 13U);
    EXPECT_EQ(everything(), before);
    sql("PRAGMA user_version=99");
    const auto upkeep = open_sqlite_upkeep(data());
    EXPECT_EQ((*upkeep)->check(listener()).error().code, ErrorCode::unavailable);
}

}  // namespace
}  // namespace sheaf::store

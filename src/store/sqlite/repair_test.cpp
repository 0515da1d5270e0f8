#include <set>

#include "store/sqlite/upkeep_fixture_test.h"

namespace sheaf::store {
namespace {

using core::BatchState;
using core::ItemState;

class UpkeepRepair : public UpkeepTest {
protected:
    std::vector<std::string> kept_copies() const {
        std::vector<std::string> names;
        for (const auto& entry : fs::recursive_directory_iterator(data())) {
            const std::string name = entry.path().filename().string();
            if (name.find(".damaged-") != std::string::npos) names.push_back(name);
        }
        return names;
    }
};

TEST_F(UpkeepRepair, ADamagedResultOfARunningBatchRunsAgain) {
    const ABatch batch(3);
    open();
    create(batch);
    run(batch, 2);
    close();
    flip_bit_of(log(), line_of(batch.id().item(1)));
    EXPECT_EQ(repair(), Told{"result 1 (requeued)"});
    EXPECT_EQ(check(), Told{});
    open();
    EXPECT_EQ(found(batch).counts, (core::Counts{.queued = 1, .running = 1, .succeeded = 1}));
    EXPECT_EQ(found(batch).usage.input_tokens, 3U) << "what is run again is counted again";
    const auto leases = claim(batch, 3);
    ASSERT_EQ(leases.size(), 2U);
    EXPECT_EQ(leases[0].item.id.ordinal, 1U);
    EXPECT_EQ(leases[0].attempt, 1U) << "it is not held against the item";
    EXPECT_EQ(leases[0].body, batch.body_of(1));
    std::vector<ItemResult> results;
    for (const core::Lease& lease : leases)
        results.push_back({lease.item.id, lease.epoch, ItemState::succeeded, "again\n", {3, 5}, kNow});
    EXPECT_EQ(store_->items().finish(results)->ended.size(), 1U);
    EXPECT_EQ(line(batch, 0), line_of(batch.id().item(0)));
    EXPECT_EQ(line(batch, 1), "again\n");
    publish(batch);
}

TEST_F(UpkeepRepair, AResultThatIsTakenBackLeavesTheOrderInWhichResultsAreFollowed) {
    const ABatch batch(4);
    open();
    create(batch);
    for (int at = 0; at < 3; ++at) run(batch, 1);
    close();
    flip_bit_of(log(), line_of(batch.id().item(0)));
    EXPECT_EQ(repair(), Told{"result 0 (requeued)"});
    EXPECT_EQ(check(), Told{});
    open();
    run(batch, 4);
    std::vector<std::uint32_t> followed;
    for (const ItemLine& each : store_->batches().read_ended(batch.id(), 0, 9, 1 << 20)->items)
        followed.push_back(each.item.id.ordinal);
    EXPECT_EQ(followed, (std::vector<std::uint32_t>{1, 2, 0, 3}));
}

TEST_F(UpkeepRepair, ADamagedOrderOfResultsIsPutRight) {
    const ABatch batch(4);
    open();
    create(batch);
    for (int at = 0; at < 3; ++at) run(batch, 1);
    close();
    for (const char* const damage :
         {"DELETE FROM ended_order WHERE key = (1 << 20) + 1", "UPDATE ended_order SET ordinals = '00003'",
          "INSERT INTO ended_order(key, ordinals) VALUES((1 << 20) + 9, '00001')"}) {
        sql(damage);
        EXPECT_EQ(check(), Told{"order"});
        EXPECT_EQ(repair(), Told{"order (mended)"});
        EXPECT_EQ(check(), Told{});
    }
    open();
    run(batch, 4);
    EXPECT_EQ(store_->batches().read_ended(batch.id(), 0, 9, 1 << 20)->items.size(), 4U);
}

TEST_F(UpkeepRepair, ADamagedResultOfAPlannedBatchRunsAgain) {
    const ABatch batch = ABatch(3).planned({{2, 7}, {0, 7}, {1, 8}});
    open();
    create(batch);
    run(batch, 2);
    close();
    flip_bit_of(log(), line_of(batch.id().item(2)));
    EXPECT_EQ(repair(), Told{"result 2 (requeued)"});
    open();
    std::set<std::uint32_t> claimed;
    for (const core::Lease& lease : claim(batch, 3)) claimed.insert(lease.item.id.ordinal);
    EXPECT_EQ(claimed, (std::set<std::uint32_t>{1, 2}));
}

TEST_F(UpkeepRepair, ADamagedResultOfAnEndedBatchSaysThatItIsLost) {
    const ABatch batch(3);
    open();
    create(batch);
    run(batch, 3);
    close();
    flip_bit_of(log(), line_of(batch.id().item(1)));
    EXPECT_EQ(repair(), Told{"result 1 (given up)"});
    EXPECT_EQ(check(), Told{});
    open();
    EXPECT_EQ(found(batch).counts, (core::Counts{.succeeded = 2, .failed = 1}));
    EXPECT_EQ(line(batch, 0), line_of(batch.id().item(0)));
    EXPECT_EQ(line(batch, 1), "{\"lost\":1}\n");
    EXPECT_EQ(line(batch, 2), line_of(batch.id().item(2)));
    publish(batch);
    EXPECT_EQ(line(batch, 1), "{\"lost\":1}\n");
    close();
    EXPECT_EQ(check(), Told{});
}

TEST_F(UpkeepRepair, AResultsFileIsWrittenAnewFromWhatTheLogStillHas) {
    const ABatch batch(3);
    open();
    create(batch);
    run(batch, 3);
    publish(batch);
    close();
    const std::string whole = contents(results_of(batch));
    flip_bit_of(results_of(batch), line_of(batch.id().item(1)));
    const std::string damaged = contents(results_of(batch));
    EXPECT_EQ(repair(), Told{"result 1 (mended)"});
    EXPECT_EQ(contents(results_of(batch)), whole);
    ASSERT_EQ(kept_copies().size(), 1U);
    EXPECT_EQ(contents(data() / "results" / kept_copies()[0]), damaged) << "nothing is thrown away";
    EXPECT_EQ(check(), Told{"kept: results/" + kept_copies()[0]});

    fs::remove(results_of(batch));
    EXPECT_EQ(repair()[1], "results missing (mended)");
    EXPECT_EQ(contents(results_of(batch)), whole);
}

TEST_F(UpkeepRepair, ALineThatIsNowhereIsLostAndTheFilesOfTheResultsFollow) {
    const ABatch batch(3);
    const auto ranges = [](const core::Batch& of, std::uint64_t succeeded, std::uint64_t total) {
        std::vector<core::File> files(2);
        files[0].id = core::result_file_id(of.id, core::kOutputFile);
        files[1].id = core::result_file_id(of.id, core::kErrorFile);
        for (core::File& file : files) {
            file.account = of.account;
            file.batch = of.id;
            file.created_at = kNow;
        }
        files[0].bytes = succeeded;
        files[1].offset = succeeded;
        files[1].bytes = total - succeeded;
        if (succeeded == total) files.pop_back();
        return files;
    };
    files_ = ranges;
    open();
    create(batch);
    run(batch, 3);
    ASSERT_TRUE(store_->batches().publish(batch.id(),
                                          {rendered_line, core::ItemCodec::Order::succeeded_first, ranges}));
    EXPECT_FALSE(store_->files().find(kAlice, core::result_file_id(batch.id(), core::kErrorFile), kNow));
    close();
    flip_bit_of(results_of(batch), line_of(batch.id().item(0)));
    flip_bit_of(log(), line_of(batch.id().item(0)));
    EXPECT_EQ(repair(core::ItemCodec::Order::succeeded_first), Told{"result 0 (given up)"});
    open();
    EXPECT_EQ(found(batch).counts, (core::Counts{.succeeded = 2, .failed = 1}));
    EXPECT_EQ(line(batch, 0), "{\"lost\":0}\n");
    EXPECT_EQ(line(batch, 2), line_of(batch.id().item(2)));
    const std::string good = line_of(batch.id().item(1)) + line_of(batch.id().item(2));
    const auto output =
        store_->files().find(kAlice, core::result_file_id(batch.id(), core::kOutputFile), kNow).value();
    const auto errors =
        store_->files().find(kAlice, core::result_file_id(batch.id(), core::kErrorFile), kNow).value();
    EXPECT_EQ(output.bytes, good.size());
    EXPECT_EQ(errors.offset, good.size());
    EXPECT_EQ(contents(results_of(batch)).substr(0, good.size() + errors.bytes), good + "{\"lost\":0}\n");
}

TEST_F(UpkeepRepair, ARepairThatWasCutOffBetweenFileAndIndexIsTakenUp) {
    const ABatch batch(2);
    open();
    create(batch);
    run(batch, 2);
    publish(batch);
    close();
    const std::string whole = contents(results_of(batch));
    sql("UPDATE batches SET results_bytes = results_bytes + 7");
    EXPECT_EQ(check(), Told{"results resized"});
    EXPECT_EQ(repair(), Told{"results resized (mended)"});
    EXPECT_EQ(contents(results_of(batch)), whole);
    open();
    EXPECT_TRUE(store_->batches().open_results(batch.id()));
}

TEST_F(UpkeepRepair, LinesOfItemsThatNeverRanAreWrittenAnew) {
    const ABatch batch(2);
    open();
    create(batch);
    run(batch, 1);
    ASSERT_TRUE(store_->batches().apply(batch.id(), core::BatchEvent::abort_requested, kNow));
    publish(batch);
    close();
    const std::string whole = contents(results_of(batch));
    flip_bit_of(results_of(batch), "canceled");
    EXPECT_EQ(repair(), Told{"result 1 (mended)"});
    EXPECT_EQ(contents(results_of(batch)), whole);
}

TEST_F(UpkeepRepair, CountsLeasesAndSegmentsAreCountedAnew) {
    const ABatch batch(4);
    const ABatch other(2);
    open();
    create(batch);
    create(other);
    run(batch, 2);
    claim(batch, 1);
    run(other, 2);
    close();
    sql("UPDATE batches SET queued = 4, succeeded = 0, running = 0 WHERE row = 1; DELETE FROM leases;"
        "INSERT INTO leases VALUES((1 << 20) + 3, 1, 1, 0); INSERT INTO leases VALUES(77 << 20, 1, 1, 0);"
        "UPDATE segments SET live = 0 WHERE stream = 0; UPDATE segments SET live = 5 WHERE stream = 1;"
        "UPDATE batches SET state = 1, ended_at = NULL, end_reason = 0 WHERE row = 2");
    EXPECT_EQ(repair(),
              (Told{"rows stray: 1 leases of no request (mended)",
                    "uncounted: log/00000001.seg: 4 records, 0 counted (mended)",
                    "spare: bodies/00000001.seg: 4 records, 5 counted (mended)", "no lease 2 (requeued)",
                    "stray lease 3 (mended)", "counts (mended)", "stuck (mended)"}));
    EXPECT_EQ(check(), Told{});
    open();
    EXPECT_EQ(found(batch).counts, (core::Counts{.queued = 1, .running = 1, .succeeded = 2}));
    EXPECT_EQ(claim(batch, 4).size(), 2U);
    EXPECT_EQ(found(other).state, BatchState::ended);
}

TEST_F(UpkeepRepair, LeftoversAreRemovedAndWhatIsNotOursStays) {
    const ABatch batch = ABatch(2).with_bodies_of(100'000);
    const ABatch unknown(1);
    open();
    create(batch);
    close();
    write_whole(data() / "spool" / "3", "half a body");
    write_whole(data() / "spool" / (to_string(unknown.id()) + ".body"), "a body");
    fs::copy(data() / "spool" / (to_string(unknown.id()) + ".body"), body_of(unknown));
    write_whole(data() / "notes.txt", "mine");
    const Told told = repair();
    EXPECT_EQ(std::set<std::string>(told.begin(), told.end()),
              (std::set<std::string>{"unknown: notes.txt", "leftover: spool/3 (mended)",
                                     "leftover: spool/" + to_string(unknown.id()) + ".body (mended)",
                                     "leftover: bodies/" + to_string(unknown.id()) + " (mended)"}));
    EXPECT_TRUE(fs::is_empty(data() / "spool"));
    EXPECT_FALSE(fs::exists(body_of(unknown)));
    EXPECT_TRUE(fs::exists(body_of(batch)));
    EXPECT_EQ(contents(data() / "notes.txt"), "mine");
}

TEST_F(UpkeepRepair, AMissingSegmentCostsItsResultsAndNothingElse) {
    const ABatch batch(3);
    open();
    create(batch);
    run(batch, 2);
    close();
    fs::remove(log());
    EXPECT_EQ(repair(), (Told{"result 0 (requeued)", "result 1 (requeued)",
                              "segment missing: log/00000001.seg (mended)"}));
    EXPECT_EQ(check(), Told{});
    open();
    EXPECT_EQ(claim(batch, 3).size(), 3U);
}

TEST_F(UpkeepRepair, ADamagedRequestIsLeftToFail) {
    const ABatch batch(2);
    open();
    create(batch);
    close();
    flip_bit_of(small_bodies(), batch.body_of(1));
    EXPECT_EQ(repair(), Told{"request 1"});
    open();
    EXPECT_EQ(store_->items().claim({.batch = batch.id(), .count_max = 2, .now = kNow})->damaged.size(), 1U);
}

TEST_F(UpkeepRepair, TwiceIsAsGoodAsOnceAndWhatIsWellIsLeft) {
    const ABatch batch(3);
    open();
    create(batch);
    run(batch, 3);
    publish(batch);
    close();
    EXPECT_EQ(repair(), Told{});
    EXPECT_EQ(repair(), Told{});
    EXPECT_EQ(check(), Told{});
}

}  // namespace
}  // namespace sheaf::store

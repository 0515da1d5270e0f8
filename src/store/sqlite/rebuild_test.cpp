#include <algorithm>
#include <random>
#include <set>

#include "store/sqlite/batch_records.h"
#include "store/sqlite/upkeep_fixture_test.h"

namespace sheaf::store {
namespace {

using core::BatchEvent;
using core::BatchState;
using core::ItemState;

// What clients can see of a batch.
struct Seen {
    core::Batch batch;
    std::vector<core::ItemHead> items;
    std::vector<std::string> lines;
    std::vector<std::string> bodies;
    std::vector<std::uint32_t> ended;  // ordinals, in the order in which they are followed
};

void expect_same(const Seen& now, const Seen& before) {
    const core::Batch& one = now.batch;
    const core::Batch& other = before.batch;
    const std::string id = to_string(other.id) + " " + other.tag;
    EXPECT_EQ(one.id, other.id) << id;
    EXPECT_EQ(one.account, other.account) << id;
    EXPECT_EQ(one.dialect, other.dialect) << id;
    EXPECT_EQ(one.kind, other.kind) << id;
    EXPECT_EQ(one.item_events, other.item_events) << id;
    EXPECT_EQ(one.model, other.model) << id;
    EXPECT_EQ(one.tag, other.tag) << id;
    EXPECT_EQ(one.shared, other.shared) << id;
    EXPECT_EQ(one.state, other.state) << id;
    EXPECT_EQ(one.end_reason, other.end_reason) << id;
    EXPECT_EQ(one.counts.unfinished(), other.counts.unfinished()) << id;
    EXPECT_EQ(one.counts.succeeded, other.counts.succeeded) << id;
    EXPECT_EQ(one.counts.failed, other.counts.failed) << id;
    EXPECT_EQ(one.counts.canceled, other.counts.canceled) << id;
    EXPECT_EQ(one.counts.expired, other.counts.expired) << id;
    EXPECT_EQ(one.usage, other.usage) << id;
    EXPECT_EQ(one.created_at, other.created_at) << id;
    EXPECT_EQ(one.expires_at, other.expires_at) << id;
    EXPECT_EQ(one.purge_at, other.purge_at) << id;
    EXPECT_EQ(one.keep_for, other.keep_for) << id;
    EXPECT_EQ(one.cancel_requested_at, other.cancel_requested_at) << id;
    EXPECT_EQ(one.ended_at, other.ended_at) << id;
    EXPECT_EQ(one.archive_at, other.archive_at) << id;
    EXPECT_EQ(one.results_bytes, other.results_bytes) << id;
    EXPECT_EQ(now.lines, before.lines) << id;
    EXPECT_EQ(now.bodies, before.bodies) << id;
    EXPECT_EQ(now.ended, before.ended) << id;
    ASSERT_EQ(now.items.size(), before.items.size()) << id;
    for (std::size_t at = 0; at < now.items.size(); ++at) {
        EXPECT_EQ(now.items[at].custom_id, before.items[at].custom_id) << id;
        EXPECT_EQ(now.items[at].subject, before.items[at].subject) << id;
        EXPECT_EQ(now.items[at].finished_at, before.items[at].finished_at) << id;
        EXPECT_EQ(core::is_terminal(now.items[at].state), core::is_terminal(before.items[at].state)) << id;
    }
}

class IndexRebuild : public UpkeepTest {
protected:
    IndexRebuild() {
        files_ = [](const core::Batch& of, std::uint64_t succeeded, std::uint64_t total) {
            core::File file;
            file.id = core::result_file_id(of.id, core::kOutputFile);
            file.account = of.account;
            file.batch = of.id;
            file.purpose = "batch_output";
            file.bytes = succeeded;
            file.created_at = kNow;
            core::File errors = file;
            errors.id = core::result_file_id(of.id, core::kErrorFile);
            errors.offset = succeeded;
            errors.bytes = total - succeeded;
            return std::vector{file, errors};
        };
    }

    // Batches in every state that there is.
    void fill() {
        open();
        ASSERT_TRUE(store_->keys().insert({"a-key", kAlice, {}, kNow, {}}));
        const auto add = [&](ABatch batch, std::string tag) -> const ABatch& {
            batch.tagged(std::move(tag));
            create(batch);
            batches_.push_back(batch);
            return batches_.back();
        };
        add(ABatch(3), "new");
        add(ABatch(3).with_bodies_of(100'000).kept_for(std::chrono::hours{5}), "new and large");
        run(add(ABatch(4).named().archived_at(kNow + std::chrono::hours{50}), "begun"), 2);
        const ABatch& planned = add(ABatch(3).planned({{2, 7}, {0, 7}, {1, 8}}), "begun in an order");
        run(planned, 1);
        run(planned, 1);
        run(add(ABatch(2).kept_for(std::chrono::hours{7}).with_bodies_of(90'000), "ended"), 2);
        run(add(ABatch(2).of_kind(core::BatchKind::task).about(core::Subject::url("http://x/y.mp4")),
                "a task"),
            1);
        const ABatch& aborted = add(ABatch(3).telling(core::ItemEvents::to_webhooks), "aborted");
        run(aborted, 1);
        ASSERT_TRUE(
            store_->batches().apply(aborted.id(), BatchEvent::abort_requested, kNow + std::chrono::hours{2}));
        const ABatch& expired = add(ABatch(3), "expired");
        run(expired, 2);
        ASSERT_TRUE(
            store_->batches().apply(expired.id(), BatchEvent::expired, kNow + std::chrono::hours{24}));
        const ABatch& canceled = add(ABatch(3), "canceled");
        run(canceled, 2);
        ASSERT_TRUE(store_->batches().apply(canceled.id(), BatchEvent::cancel_requested,
                                            kNow + std::chrono::hours{1}));
        for (const char* const tag : {"published", "published, aborted"}) {
            const ABatch& published = add(ABatch(4).kept_for(std::chrono::hours{3}), tag);
            finish_last_of_two(published);
            run(published, 1, ItemState::failed);
            run(published, tag == std::string_view("published") ? 9 : 1);
            if (tag != std::string_view("published"))
                ASSERT_TRUE(store_->batches().apply(published.id(), BatchEvent::abort_requested, kNow));
            ASSERT_TRUE(store_->batches().publish(
                published.id(), {rendered_line, core::ItemCodec::Order::succeeded_first, files_}));
        }
        const ABatch gone = ABatch(3).with_bodies_of(30);
        create(gone);
        run(gone, 3);
        ASSERT_TRUE(store_->batches().remove(gone.id()));
        removed_ = gone.id();
        const ABatch archived = ABatch(2).archived_at(kNow);
        create(archived);
        run(archived, 2);
        publish(archived);
        ASSERT_TRUE(store_->batches().archive(archived.id(), kNow));
        archived_ = archived.id();
        before_ = see_all();
    }

    // So that the order of the results is not that of the items.
    void finish_last_of_two(const ABatch& batch) {
        const auto leases = claim(batch, 2);
        ASSERT_EQ(leases.size(), 2U);
        const core::Lease& last = leases[1];
        const ItemResult result{last.item.id,          last.epoch, ItemState::succeeded,
                                line_of(last.item.id), {3, 5},     kNow};
        ASSERT_TRUE(store_->items().finish({&result, 1}));
        ASSERT_TRUE(store_->items().release({leases.data(), 1}));
    }

    std::vector<std::uint32_t> followed(const ABatch& batch) {
        std::vector<std::uint32_t> ordinals;
        for (;;) {
            const auto after = static_cast<std::uint32_t>(ordinals.size());
            const auto page = store_->batches().read_ended(batch.id(), after, 100, 1 << 20);
            EXPECT_TRUE(page) << to_string(batch.id());
            if (!page || page->items.empty()) return ordinals;
            for (const ItemLine& each : page->items) ordinals.push_back(each.item.id.ordinal);
        }
    }

    std::vector<Seen> see_all() {
        std::vector<Seen> all;
        for (const ABatch& batch : batches_) {
            const auto now = store_->batches().find(kAlice, batch.id());
            if (!now) {
                ADD_FAILURE() << to_string(batch.id()) << now.error().message;
                all.emplace_back();
                continue;
            }
            Seen seen{*now, store_->batches().read_heads(batch.id(), 0, 100).value(), {}, {}, {}};
            seen.ended = followed(batch);
            for (std::uint32_t at = 0; at < now->counts.total(); ++at) {
                seen.lines.push_back(line(batch, at));
                seen.bodies.push_back(
                    store_->batches().read_item_body(batch.id().item(at)).value_or("damaged"));
            }
            all.push_back(std::move(seen));
        }
        return all;
    }

    void expect_all_as_before() {
        const auto now = see_all();
        for (std::size_t at = 0; at < now.size(); ++at) expect_same(now[at], before_[at]);
        EXPECT_EQ(store_->batches().find(kAlice, removed_).error().code, ErrorCode::not_found);
        // Its row is all that was left of it.
        const auto archived = store_->batches().find(kAlice, archived_);
        EXPECT_TRUE(archived ? archived->archived_at.has_value()
                             : archived.error().code == ErrorCode::not_found);
    }
    // Whatever was unfinished goes on to its end.
    void run_all_to_the_end() {
        for (const ABatch& batch : batches_) {
            while (found(batch).counts.unfinished() > 0) {
                const auto count = found(batch).counts.unfinished();
                run(batch, 1);
                ASSERT_LT(found(batch).counts.unfinished(), count);
            }
            EXPECT_EQ(found(batch).state, BatchState::ended);
            if (!found(batch).results_bytes) publish(batch);
            for (std::uint32_t at = 0; at < found(batch).counts.total(); ++at)
                EXPECT_NE(line(batch, at), "corrupt");
            EXPECT_EQ(followed(batch).size(), found(batch).counts.total());
        }
    }

    static std::set<std::string> kinds_of(const Told& told) {
        std::set<std::string> kinds;
        for (const std::string& each : told) kinds.insert(each.substr(0, each.find(':')));
        return kinds;
    }
    std::vector<fs::path> put_aside() const {
        std::vector<fs::path> kept;
        for (const auto& entry : fs::directory_iterator(data())) {
            if (entry.path().filename().string().starts_with("index.damaged-")) kept.push_back(entry.path());
        }
        std::ranges::sort(kept);
        return kept;
    }

    std::vector<ABatch> batches_ = [] {
        std::vector<ABatch> none;
        none.reserve(20);
        return none;
    }();
    BatchId removed_;
    BatchId archived_;
    std::vector<Seen> before_;
};

TEST_F(IndexRebuild, OfAMissingIndexEveryBatchIsBuiltAnewFromItsRecords) {
    fill();
    close();
    fs::remove(data() / "index.db");
    const Told told = repair(core::ItemCodec::Order::succeeded_first);
    EXPECT_EQ(kinds_of(told), (std::set<std::string>{"index missing", "rebuilt"}));
    EXPECT_EQ(told.size(), 1 + batches_.size());
    EXPECT_EQ(check(), Told{});
    open();
    expect_all_as_before();
    EXPECT_TRUE(store_->keys().list()->empty()) << "keys stand in the index alone";
    run_all_to_the_end();
    EXPECT_EQ(store_->batches().find_named(kAlice, batches_[2].id(), "c-3")->item.id.ordinal, 3U);
    const auto output =
        store_->files().find(kAlice, core::result_file_id(batches_[9].id(), core::kOutputFile), kNow);
    EXPECT_EQ(output->bytes, 3 * line_of(batches_[9].id().item(0)).size());
    const ABatch next(1);
    create(next);
    close();
    EXPECT_EQ(check(), Told{});
}

TEST_F(IndexRebuild, WhereverAPageIsDamagedEveryBatchIsThereAfterwards) {
    fill();
    close();
    const fs::path index = data() / "index.db";
    const fs::path pristine = directory_.path() / "pristine";
    fs::copy(data(), pristine, fs::copy_options::recursive);
    const std::size_t pages = contents(index).size() / 4096;
    int keys_kept = 0;
    for (std::size_t page = 0; page < pages; ++page) {
        fs::remove_all(data());
        fs::copy(pristine, data(), fs::copy_options::recursive);
        std::string damaged = contents(index);
        // A page of zeros every other time, as a disk gives that lost one.
        const std::size_t bytes = page % 2 == 0 ? 200 : 4096;
        damaged.replace(page * 4096, bytes, bytes, page % 2 == 0 ? '\x5a' : '\0');
        write_whole(index, damaged);
        if (check().empty()) continue;
        const Told told = repair(core::ItemCodec::Order::succeeded_first);
        EXPECT_FALSE(kinds_of(told).contains("stray file")) << page;
        ASSERT_FALSE(put_aside().empty()) << page;
        EXPECT_EQ(contents(put_aside()[0]), damaged);
        for (const std::string& each : check()) EXPECT_TRUE(each.starts_with("kept")) << page << each;
        open();
        expect_all_as_before();
        keys_kept += store_->keys().list()->size() == 1 ? 1 : 0;
        close();
        if (HasFailure()) FAIL() << "page " << page;
    }
    EXPECT_GT(keys_kept, static_cast<int>(pages) / 2);
}

TEST_F(IndexRebuild, OfATruncatedIndexEveryBatchIsThereAfterwards) {
    fill();
    close();
    const fs::path index = data() / "index.db";
    const std::string whole = contents(index);
    const fs::path pristine = directory_.path() / "pristine";
    fs::copy(data(), pristine, fs::copy_options::recursive);
    for (const std::size_t size : {0UZ, 1UZ, 50UZ, 100UZ, 4095UZ, 4096UZ, 5UZ * 4096, whole.size() / 2,
                                   whole.size() - 4096, whole.size() - 1}) {
        fs::remove_all(data());
        fs::copy(pristine, data(), fs::copy_options::recursive);
        write_whole(index, whole.substr(0, size));
        const Told seen = check();
        EXPECT_FALSE(seen.empty()) << size;
        const Told mended = repair(core::ItemCodec::Order::succeeded_first);
        ASSERT_FALSE(put_aside().empty())
            << size << testing::PrintToString(seen) << testing::PrintToString(mended);
        EXPECT_EQ(contents(put_aside()[0]).size(), size);
        for (const std::string& each : check()) EXPECT_TRUE(each.starts_with("kept")) << size << each;
        open();
        expect_all_as_before();
        run_all_to_the_end();
        close();
        if (HasFailure()) FAIL() << size;
    }
}

TEST_F(IndexRebuild, HowABatchWasTurnedIsKnownUntilItsResultsTellIt) {
    open();
    const ABatch canceled(3);
    create(canceled);
    ASSERT_EQ(claim(canceled, 1).size(), 1U);
    ASSERT_TRUE(store_->batches().apply(canceled.id(), BatchEvent::cancel_requested, kNow));
    // Another's lines fill the segment, and leave it again.
    const ABatch other(10);
    create(other);
    const std::string long_line = std::string(8 << 20, 'l') + "\n";
    for (int at = 0; at < 10; ++at) {
        for (const core::Lease& lease : claim(other, 1)) {
            const ItemResult result{lease.item.id, lease.epoch, ItemState::succeeded,
                                    long_line,     {3, 5},      kNow};
            ASSERT_TRUE(store_->items().finish({&result, 1}));
        }
    }
    publish(other);
    EXPECT_TRUE(fs::exists(data() / "log" / "00000002.seg"));
    close();
    EXPECT_EQ(check(), Told{});
    fs::copy_file(data() / "index.db", directory_.path() / "good index");
    fs::remove(data() / "index.db");
    (void)repair();
    open();
    EXPECT_EQ(found(canceled).state, BatchState::ended);
    EXPECT_EQ(found(canceled).counts.canceled, 3U);
    close();
    fs::copy_file(directory_.path() / "good index", data() / "index.db",
                  fs::copy_options::overwrite_existing);
    open();
    ASSERT_TRUE(store_->batches().apply(canceled.id(), BatchEvent::abort_requested, kNow));
    publish(canceled);
    EXPECT_FALSE(fs::exists(log())) << "nobody needs it any more";
    close();
    EXPECT_EQ(check(), Told{});
}

TEST_F(IndexRebuild, ADeleteThatWasAcknowledgedStaysAlsoWhenTheIndexLostIt) {
    fill();
    const ABatch deleted = batches_[8];
    const fs::path before = directory_.path() / "before";
    close();
    fs::copy_file(data() / "index.db", before);
    open();
    ASSERT_TRUE(store_->batches().remove(deleted.id()));
    close();
    // An index from before the delete, and pages of it damaged: its rows are read, and the records tell
    // better.
    std::string old = contents(before);
    old.replace(old.size() - 4096, 200, 200, '\x5a');
    write_whole(data() / "index.db", old);
    ASSERT_FALSE(check().empty());
    (void)repair(core::ItemCodec::Order::succeeded_first);
    open();
    EXPECT_EQ(store_->batches().find(kAlice, deleted.id()).error().code, ErrorCode::not_found);
    batches_.erase(batches_.begin() + 8);
    before_.erase(before_.begin() + 8);
    expect_all_as_before();
}

TEST_F(IndexRebuild, ABatchBehindOneThatWasRemovedIsWholeToo) {
    open();
    const ABatch removed(1);
    const ABatch begun(3);
    create(removed);
    create(begun);
    run(removed, 1);
    run(begun, 1);
    ASSERT_TRUE(store_->batches().remove(removed.id()));
    close();
    fs::remove(data() / "index.db");
    (void)repair();
    open();
    EXPECT_EQ(found(begun).counts, (core::Counts{.running = 2, .succeeded = 1}));
    EXPECT_EQ(found(begun).state, BatchState::running);
}

TEST_F(IndexRebuild, TheRowOfALostBatchIsNotGivenToAnother) {
    open();
    const ABatch first(1);
    const ABatch lost = ABatch(2).of({"carol"});
    create(first);
    create(lost);
    run(lost, 1);
    close();
    fs::remove(data() / "index.db");
    flip_bit_of(small_bodies(), "carol");
    (void)repair();
    open();
    const ABatch next(2);
    create(next);
    EXPECT_EQ(found(next).counts, (core::Counts{.queued = 2}));
    close();
    fs::remove(data() / "index.db");
    (void)repair();
    open();
    EXPECT_EQ(found(next).counts, (core::Counts{.queued = 2})) << "nothing of the lost one's is its";
}

TEST_F(IndexRebuild, OnlyOneAtATime) {
    fill();
    EXPECT_EQ(open_sqlite_upkeep(data()).error().code, ErrorCode::conflict) << "a server runs";
    close();
    fs::remove(data() / "index.db");
    const auto first = open_sqlite_upkeep(data());
    ASSERT_TRUE(first);
    EXPECT_EQ(open_sqlite_upkeep(data()).error().code, ErrorCode::conflict);
    EXPECT_FALSE(open_sqlite_store({.directory = data()}));
}

TEST_F(IndexRebuild, RowsThatCannotBeAreTakenFromTheRecords) {
    fill();
    close();
    for (const char* const statement :
         {"UPDATE batches SET id = x'1234' WHERE row = 3", "UPDATE batches SET state = 77 WHERE row = 10",
          "UPDATE items SET state = 1000 WHERE key = (7 << 20) + 1",
          "UPDATE items SET state = 'x' WHERE key = 10 << 20"}) {
        sql(statement);
        EXPECT_EQ(check(), Told{"index damaged"});
        EXPECT_EQ(repair(core::ItemCodec::Order::succeeded_first)[0], "index damaged (mended)");
        open();
        expect_all_as_before();
        close();
    }
}

TEST_F(IndexRebuild, WhatADamagedWriteAheadLogLostIsInTheRecords) {
    fill();
    leave_as_if_killed();
    const fs::path log = data() / "index.db-wal";
    const std::string whole = contents(log);
    const std::size_t frame = 4096 + 24;
    const std::size_t frames = (whole.size() - 32) / frame;
    const fs::path killed = directory_.path() / "as it was";
    fs::copy(data(), killed, fs::copy_options::recursive);
    for (const std::size_t at : {std::size_t{0}, frames / 4, frames / 2, frames - 4}) {
        fs::remove_all(data());
        fs::copy(killed, data(), fs::copy_options::recursive);
        flip_bit(log, 32 + at * frame + 100);
        const Told told = repair(core::ItemCodec::Order::succeeded_first);
        EXPECT_TRUE(told[0].starts_with("index log") || told[0].starts_with("index missing")) << told[0];
        ASSERT_EQ(put_aside().size(), 2U) << "with its log";
        open();
        expect_all_as_before();
        close();
        for (const std::string& each : check()) EXPECT_TRUE(each.starts_with("kept")) << each;
    }
}

TEST_F(IndexRebuild, ARepairThatWasCutOffIsFinishedByWhoeverComesNext) {
    fill();
    close();
    const std::string old = contents(data() / "index.db");
    fs::remove(data() / "index.db");
    (void)repair(core::ItemCodec::Order::succeeded_first);
    for (const bool by_a_server : {true, false}) {
        // As it is after the new one was finished and before it has its name.
        fs::rename(data() / "index.db", data() / "index.db.new");
        write_whole(data() / "index.db", "what it was");
        write_whole(data() / "index.db-wal", "what its log was");
        EXPECT_EQ((*open_sqlite_upkeep(data()))->check(listener()).error().code, ErrorCode::unavailable);
        EXPECT_FALSE(open_sqlite_store({.directory = data(), .exclusive = false}))
            << "what it wrote would be lost";
        if (by_a_server)
            open();
        else
            EXPECT_EQ(repair(core::ItemCodec::Order::succeeded_first), Told{});
        if (!by_a_server) open();
        expect_all_as_before();
        close();
        EXPECT_EQ(check(), Told{});
    }
}

TEST_F(IndexRebuild, ADamagedRecordCostsItsOwnBatchAlone) {
    fill();
    close();
    fs::remove(data() / "index.db");
    // The head of the first one: it names its account before its items.
    std::string bodies = contents(small_bodies());
    const std::size_t first = bodies.find("alice");
    ASSERT_NE(first, std::string::npos);
    flip_bit(small_bodies(), first);
    (void)repair(core::ItemCodec::Order::succeeded_first);
    open();
    EXPECT_EQ(store_->batches().find(kAlice, batches_[0].id()).error().code, ErrorCode::not_found);
    batches_.erase(batches_.begin());
    before_.erase(before_.begin());
    expect_all_as_before();
}

TEST_F(IndexRebuild, AResultsFileThatDoesNotTellWhatBecameOfItIsPutAsideAndRunsAgain) {
    fill();
    close();
    fs::remove(data() / "index.db");
    const ABatch& published = batches_[9];
    const std::string whole = contents(results_of(published));
    flip_bit(results_of(published), whole.size() - 20);
    const std::string damaged = contents(results_of(published));
    (void)repair(core::ItemCodec::Order::succeeded_first);
    open();
    EXPECT_EQ(found(published).counts.unfinished(), 0U) << "its lines were in the log still";
    EXPECT_FALSE(found(published).results_bytes);
    publish(published);
    EXPECT_EQ(line(published, 1), line_of(published.id().item(1)));
    std::string kept;
    for (const auto& entry : fs::directory_iterator(data() / "results")) {
        if (entry.path().string().contains(".damaged-")) kept = contents(entry.path());
    }
    EXPECT_EQ(kept, damaged);
}

TEST_F(IndexRebuild, DamagedRecordsBesideAGoodIndexAreWrittenAnew) {
    fill();
    close();
    flip_bit_of(small_bodies(), "alice");
    flip_bit(results_of(batches_[9]), contents(results_of(batches_[9])).size() - 20);
    EXPECT_EQ(check(), (Told{"record", "unclosed"}));
    EXPECT_EQ(repair(core::ItemCodec::Order::succeeded_first),
              (Told{"record (mended)", "unclosed (mended)"}));
    fs::remove(data() / "index.db");
    (void)repair(core::ItemCodec::Order::succeeded_first);
    open();
    expect_all_as_before();
}

TEST_F(IndexRebuild, BatchesOfAnEarlierVersionAreBuiltOfWhatTheIndexStillHas) {
    fill();
    close();
    // Without heads: as it was written before there were any.
    sql("DELETE FROM batch_records WHERE stream = 1");
    std::string bodies = contents(small_bodies());
    for (std::size_t at = bodies.find("alice"); at != std::string::npos; at = bodies.find("alice", at + 1))
        bodies[at] = '#';
    write_whole(small_bodies(), bodies);
    (void)repair(core::ItemCodec::Order::succeeded_first);
    EXPECT_EQ(check(), Told{});
    open();
    expect_all_as_before();
    close();
    fs::remove(data() / "index.db");
    const std::set<std::string> kinds = kinds_of(repair(core::ItemCodec::Order::succeeded_first));
    EXPECT_EQ(kinds, (std::set<std::string>{"index missing", "kept", "stray file"}))
        << "nothing of theirs is thrown away";
    EXPECT_TRUE(fs::exists(results_of(batches_[9])));
    EXPECT_TRUE(fs::exists(body_of(batches_[1])));
}

std::string contents_of(const core::Batch& batch, bool items_named,
                        const std::vector<BatchHead::Item>& items) {
    ContentsPacker packer(batch, items_named, items.size());
    for (const BatchHead::Item& item : items)
        packer.add(item.custom_id, item.subject.text, {item.body_offset, item.body_bytes, item.body_crc});
    return packer.take();
}

TEST(BatchRecords, AreReadAsTheyWereWritten) {
    const ABatch batch = ABatch(3).tagged("t").kept_for(std::chrono::hours{1}).archived_at(kNow);
    BatchRow row;
    row.row = 77;
    row.batch = batch.draft().batch;
    row.body_bytes = 5'000'000'000;
    std::vector<BatchHead::Item> items{{"a", core::Subject::url("x"), 100, 5, 0xffff'ffff},
                                       {std::nullopt, {}, 7, 0, 0},
                                       {"", {}, 1'000'000'000'000, 1, 3}};
    const std::string bytes = pack_head(row, contents_of(row.batch, true, items));
    const auto head = unpack_head(bytes);
    ASSERT_TRUE(head);
    EXPECT_EQ(head->row, 77);
    EXPECT_EQ(head->batch.id, row.batch.id);
    EXPECT_EQ(head->batch.shared, row.batch.shared);
    EXPECT_EQ(head->body_segment, std::nullopt);
    EXPECT_EQ(head->body_bytes, row.body_bytes);
    ASSERT_EQ(head->items.size(), 3U);
    EXPECT_EQ(head->items[0].custom_id, "a");
    EXPECT_EQ(head->items[0].body_crc, 0xffff'ffffU);
    EXPECT_EQ(head->items[1].custom_id, std::nullopt);
    EXPECT_EQ(head->items[1].body_offset, 7U);
    EXPECT_EQ(head->items[2].custom_id, "");
    EXPECT_EQ(head->items[2].body_offset, 1'000'000'000'000U);

    const Outcomes outcomes{row.batch.id,
                            {{5, ItemState::failed, kNow, {1, 2, 3, 4}},
                             {1, ItemState::succeeded, kNow - std::chrono::hours{1}, {}}}};
    const auto read = unpack_outcomes(pack_outcomes(outcomes));
    ASSERT_TRUE(read && read->items.size() == 2);
    EXPECT_EQ(read->items[0].usage.reasoning_tokens, 4U);
    EXPECT_EQ(read->items[1].finished_at, kNow - std::chrono::hours{1});
}

TEST(BatchRecords, WhatIsCutShortOrChangedIsReadAsNothingOrAsSomethingWhole) {
    BatchRow row;
    row.row = 1;
    row.batch = ABatch(1).draft().batch;
    const std::vector<BatchHead::Item> items{{"a", {}, 1, 5, 7}, {"b", {}, 7, 5, 7}};
    const std::string head = pack_head(row, contents_of(row.batch, false, items));
    EndedPacker packer(turn_of(row), 1);
    packer.add({0, ItemState::succeeded, kNow, {}});
    const std::string ended = packer.finish(std::vector<std::uint32_t>{0});
    const std::string outcomes = pack_outcomes({row.batch.id, {{0, ItemState::succeeded, kNow, {}}}});
    for (std::size_t size = 0; size < head.size(); ++size)
        EXPECT_FALSE(unpack_head(std::string_view(head).substr(0, size)));
    for (std::size_t size = 0; size < ended.size(); ++size)
        EXPECT_FALSE(unpack_ended(std::string_view(ended).substr(0, size)));
    for (std::size_t size = 0; size < outcomes.size(); ++size)
        EXPECT_FALSE(unpack_outcomes(std::string_view(outcomes).substr(0, size)));
    std::mt19937 random(7);
    for (const std::string& whole : {head, ended, outcomes}) {
        for (int turn = 0; turn < 2'000; ++turn) {
            std::string changed = whole;
            for (int flips = 0; flips < 3; ++flips)
                changed[random() % changed.size()] = static_cast<char>(random());
            (void)unpack_head(changed);
            (void)unpack_ended(changed);
            (void)unpack_outcomes(changed);
            (void)unpack_turn(changed);
            (void)unpack_gone(changed);
        }
    }
}

}  // namespace
}  // namespace sheaf::store

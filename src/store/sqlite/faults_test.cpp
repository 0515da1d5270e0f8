#include <fstream>
#include <functional>
#include <iterator>
#include <thread>

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/sqlite/faulty_disk.h"
#include "store/sqlite/sqlite_store.h"
#include "store/sqlite/temporary_directory.h"
#include "store/store_conformance.h"

namespace sheaf::store {
namespace {

using core::BatchEvent;
using core::ItemState;
namespace fs = std::filesystem;

std::vector<ItemResult> results_of(const std::vector<core::Lease>& leases, std::size_t bytes = 0) {
    std::vector<ItemResult> results;
    for (const core::Lease& lease : leases) {
        std::string line = bytes == 0 ? line_of(lease.item.id) : std::string(bytes, 'z') + '\n';
        results.push_back({lease.item.id, lease.epoch, ItemState::succeeded, std::move(line), {}, kNow});
    }
    return results;
}

std::vector<core::Lease> claim(Store& store, const BatchId& id, std::uint32_t count) {
    return store.items().claim({.batch = id, .count_max = count, .now = kNow})->leases;
}

std::string contents(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

// Whether any file but the index holds `needle`.
bool is_on_disk(const fs::path& directory, std::string_view needle) {
    for (const auto& entry : fs::recursive_directory_iterator(directory)) {
        if (!entry.is_regular_file() || entry.path().filename().string().starts_with("index.db")) continue;
        if (contents(entry.path()).contains(needle)) return true;
    }
    return false;
}

void flip_byte_at(const fs::path& path, std::string_view needle) {
    const std::size_t at = contents(path).find(needle);
    ASSERT_NE(at, std::string::npos) << path;
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(at));
    file.put('#');
}

// While it lives this process gets no descriptor more.
class NoDescriptors {
public:
    NoDescriptors() {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        const int next = ::dup(STDERR_FILENO);
        ::close(next);
        const rlimit none{.rlim_cur = static_cast<rlim_t>(next), .rlim_max = before_.rlim_max};
        CHECK(::setrlimit(RLIMIT_NOFILE, &none) == 0, "a limit can be lowered");
    }
    ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
    NoDescriptors(const NoDescriptors&) = delete;
    NoDescriptors& operator=(const NoDescriptors&) = delete;

private:
    rlimit before_{};
};

fs::path only_file_in(const fs::path& directory) {
    return fs::directory_iterator(directory)->path();
}

class SqliteFaults : public testing::Test {
protected:
    std::unique_ptr<Store> open() {
        auto store = open_sqlite_store({.directory = data()}, std::make_unique<FaultyDisk>(faults_));
        CHECK(store, store.error().message);
        return std::move(*store);
    }
    fs::path data() const { return directory_.path() / "data"; }

    DiskFaults faults_;
    TemporaryDirectory directory_;
};

TEST_F(SqliteFaults, AFailedSyncStopsAllWritesUntilReopened) {
    auto store = open();
    const ABatch batch(3);
    ASSERT_TRUE(batch.create(*store));
    const auto leases = claim(*store, batch.id(), 2);
    faults_.syncs_fail = true;
    EXPECT_EQ(store->items().finish(results_of(leases)).error().code, ErrorCode::unavailable);
    EXPECT_EQ(store->health().error().code, ErrorCode::unavailable);
    faults_.syncs_fail = false;
    const int tried = faults_.syncs_tried;
    EXPECT_EQ(store->items().finish(results_of(leases)).error().code, ErrorCode::unavailable);
    EXPECT_EQ(ABatch(1).create(*store).error().code, ErrorCode::unavailable);
    EXPECT_EQ(store->items().claim({.batch = batch.id(), .now = kNow}).error().code, ErrorCode::unavailable);
    EXPECT_EQ(store->batches().apply(batch.id(), BatchEvent::expired, kNow).error().code,
              ErrorCode::unavailable);
    EXPECT_EQ(store->keys().insert({}).error().code, ErrorCode::unavailable);
    EXPECT_EQ(faults_.syncs_tried, tried) << "a sync is never tried again";
    EXPECT_EQ(store->batches().find(kAlice, batch.id())->counts.running, 2U) << "reading goes on";
    store.reset();

    store = open();
    EXPECT_TRUE(store->health());
    const auto again = claim(*store, batch.id(), 3);
    EXPECT_EQ(again.size(), 3U);
    EXPECT_TRUE(store->items().finish(results_of(again)));
}

TEST_F(SqliteFaults, WhatWasDeletedLeavesTheIndexAndItsLogWithinSeconds) {
    auto store = open();
    const ABatch kept = ABatch(2).tagged("tag-of-the-kept");
    const ABatch deleted = ABatch(2).tagged("tag-of-the-deleted");
    ASSERT_TRUE(kept.create(*store));
    ASSERT_TRUE(deleted.create(*store));
    ASSERT_TRUE(store->batches().apply(deleted.id(), BatchEvent::cancel_requested, kNow));
    ASSERT_TRUE(store->batches().remove(deleted.id()));
    const auto is_in_index = [&](std::string_view needle) {
        return contents(data() / "index.db").contains(needle) ||
               contents(data() / "index.db-wal").contains(needle);
    };
    EXPECT_TRUE(is_in_index("tag-of-the-deleted")) << "or this test shows nothing";
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{10};
    while (is_in_index("tag-of-the-deleted") && std::chrono::steady_clock::now() < until) {
        std::this_thread::sleep_for(std::chrono::milliseconds{100});
        ASSERT_TRUE(store->batches().forget_old(kNow)) << "as the reaper does every second";
    }
    EXPECT_FALSE(is_in_index("tag-of-the-deleted"));
    EXPECT_TRUE(is_in_index("tag-of-the-kept"));
}

TEST_F(SqliteFaults, ABodyWhoseSyncFailedIsNotAccepted) {
    auto store = open();
    const ABatch batch = ABatch(2).with_bodies_of(100'000);
    faults_.syncs_fail = true;
    EXPECT_EQ(batch.create(*store).error().code, ErrorCode::unavailable);
    store.reset();
    faults_.syncs_fail = false;
    store = open();
    EXPECT_EQ(store->batches().find(kAlice, batch.id()).error().code, ErrorCode::not_found);
    EXPECT_TRUE(fs::is_empty(data() / "spool"));
}

TEST_F(SqliteFaults, AFullDiskChangesNothingAndWorkGoesOnWhenThereIsRoom) {
    auto store = open();
    const ABatch batch(2);
    ASSERT_TRUE(batch.create(*store));
    const auto leases = claim(*store, batch.id(), 2);
    ASSERT_TRUE(store->items().finish(results_of({leases[0]})));
    const auto segment = data() / "log" / "00000001.seg";
    const auto size = fs::file_size(segment);

    faults_.is_full = true;
    const int syncs = faults_.syncs_tried;
    EXPECT_EQ(store->items().finish(results_of({leases[1]})).error().code, ErrorCode::no_space);
    EXPECT_GT(faults_.syncs_tried, syncs) << "or what was cut off may come back after a power cut";
    EXPECT_EQ(ABatch(1).create(*store).error().code, ErrorCode::no_space);
    auto spool = store->batches().new_body().value();
    EXPECT_EQ(spool->append(std::string(100'000, 'x')).error().code, ErrorCode::no_space);
    EXPECT_EQ(fs::file_size(segment), size) << "the half-written record was cut off";
    EXPECT_EQ(store->batches().find(kAlice, batch.id())->counts.running, 1U);
    EXPECT_TRUE(store->health());

    faults_.is_full = false;
    EXPECT_EQ(store->items().finish(results_of({leases[1]}))->ended.size(), 1U);
    EXPECT_TRUE(store->batches().publish(batch.id(), {.render = rendered_line}));
    EXPECT_TRUE(ABatch(1).create(*store));
}

TEST_F(SqliteFaults, ARealFullDiskIsSurvived) {
    const auto mounted = directory_.path() / "small";
    fs::create_directories(mounted);
    if (::mount("tmpfs", mounted.c_str(), "tmpfs", 0, "size=3m") != 0) {
        GTEST_SKIP() << "mounting a small tmpfs is not permitted here";
    }
    struct Unmount {
        fs::path path;
        ~Unmount() { ::umount2(path.c_str(), MNT_DETACH); }
    } unmount{mounted};
    {
        const auto store = open_sqlite_store({.directory = mounted / "data"}).value();
        const ABatch batch(60);
        ASSERT_TRUE(batch.create(*store));
        const auto leases = claim(*store, batch.id(), 60);
        std::vector<core::Lease> refused;
        std::uint32_t recorded = 0;
        const std::string ballast(std::size_t{1} << 20, 'b');
        std::ofstream(mounted / "ballast") << ballast;
        for (const core::Lease& lease : leases) {
            const auto report = store->items().finish(results_of({lease}, 60'000));
            if (report) {
                ++recorded;
                continue;
            }
            ASSERT_EQ(report.error().code, ErrorCode::no_space) << report.error().message;
            refused.push_back(lease);
        }
        EXPECT_GT(recorded, 0U);
        ASSERT_FALSE(refused.empty());
        EXPECT_EQ(store->batches().find(kAlice, batch.id())->counts.succeeded, recorded);
        EXPECT_TRUE(store->health());
        fs::remove(mounted / "ballast");
        EXPECT_TRUE(store->items().finish(results_of({refused.front()}, 60'000))) << "there is room again";
        EXPECT_EQ(store->batches().read_lines(batch.id(), 0, 100, 1 << 30)->size(), 60U);
    }
    EXPECT_TRUE(open_sqlite_store({.directory = mounted / "data"}));
}

TEST_F(SqliteFaults, ADamagedBodyIsLeftOutOfTheClaimAndNamed) {
    for (const std::size_t bytes : {20UZ, 100'000UZ}) {
        const ABatch batch = ABatch(3).with_bodies_of(bytes);
        auto store = open();
        ASSERT_TRUE(batch.create(*store));
        store.reset();
        const auto path =
            bytes < 1000 ? data() / "bodies" / "00000001.seg" : data() / "bodies" / to_string(batch.id());
        flip_byte_at(path, batch.body_of(1).substr(0, 10));
        store = open();
        EXPECT_EQ(store->batches().read_item_body(batch.id().item(1)).error().code, ErrorCode::corrupt);
        const auto claimed = store->items().claim({.batch = batch.id(), .count_max = 3, .now = kNow}).value();
        EXPECT_EQ(claimed.leases.size(), 2U);
        ASSERT_EQ(claimed.damaged.size(), 1U);
        EXPECT_EQ(claimed.damaged[0].item.id.ordinal, 1U);
        EXPECT_TRUE(store->items().finish(results_of(claimed.damaged))) << "its caller can fail it";
    }
}

TEST_F(SqliteFaults, ABodyForWhichThereIsNoDescriptorIsNotTakenForDamaged) {
    for (const std::size_t bytes : {20UZ, 100'000UZ}) {
        const ABatch batch = ABatch(3).with_bodies_of(bytes);
        auto store = open();
        ASSERT_TRUE(batch.create(*store));
        store.reset();
        store = open();
        const ClaimRequest request{.batch = batch.id(), .count_max = 3, .now = kNow};
        {
            const NoDescriptors none;
            EXPECT_EQ(store->items().claim(request).error().code, ErrorCode::unavailable);
        }
        EXPECT_TRUE(store->health());
        const auto claimed = store->items().claim(request).value();
        EXPECT_TRUE(claimed.damaged.empty());
        ASSERT_EQ(claimed.leases.size(), 3U);
        EXPECT_EQ(claimed.leases[0].attempt, 1U) << "it was not tried";
        EXPECT_EQ(claimed.leases[0].body, batch.body_of(0));
    }
}

TEST_F(SqliteFaults, ResultsForWhichThereIsNoDescriptorAreNotTakenForLost) {
    auto store = open();
    const ABatch batch(2);
    ASSERT_TRUE(batch.create(*store));
    ASSERT_TRUE(store->items().finish(results_of(claim(*store, batch.id(), 2))));
    ASSERT_TRUE(store->batches().publish(batch.id(), {.render = rendered_line}));
    {
        const NoDescriptors none;
        EXPECT_EQ(store->batches().open_results(batch.id()).error().code, ErrorCode::unavailable);
        EXPECT_EQ(store->batches().read_lines(batch.id(), 0, 2, 1 << 20).error().code,
                  ErrorCode::unavailable);
    }
    EXPECT_TRUE(store->batches().open_results(batch.id()));
}

TEST_F(SqliteFaults, WhatIsRemovedWhileThereAreNoDescriptorsLeavesTheDiskLater) {
    auto store = open();
    const ABatch batch(2);
    ASSERT_TRUE(batch.create(*store));
    ASSERT_TRUE(store->items().finish(results_of(claim(*store, batch.id(), 2))));
    const std::string line = line_of(batch.id().item(1));
    ASSERT_TRUE(is_on_disk(data(), line));
    {
        const NoDescriptors none;
        EXPECT_TRUE(store->batches().remove(batch.id()));
    }
    EXPECT_TRUE(is_on_disk(data(), line)) << "or this test shows nothing";
    EXPECT_EQ(store->batches().find(kAlice, batch.id()).error().code, ErrorCode::not_found);
    ASSERT_TRUE(store->batches().forget_old(kNow)) << "as the reaper does every second";
    EXPECT_FALSE(is_on_disk(data(), line));
    EXPECT_FALSE(is_on_disk(data(), batch.body_of(1)));
}

TEST_F(SqliteFaults, ThereIsRoomForTheIndexOfALongLogFromTheStart) {
    const auto store = open();
    struct stat status{};
    ASSERT_EQ(::stat((data() / "index.db-shm").c_str(), &status), 0);
    EXPECT_GE(status.st_size, 512 << 10);
    EXPECT_GE(status.st_blocks * 512, 512 << 10) << "not merely promised";
}

TEST_F(SqliteFaults, ADamagedLineIsNeverServed) {
    const ABatch batch(2);
    auto store = open();
    ASSERT_TRUE(batch.create(*store));
    ASSERT_TRUE(store->items().finish(results_of(claim(*store, batch.id(), 2))));
    store.reset();
    flip_byte_at(data() / "log" / "00000001.seg", line_of(batch.id().item(1)));
    store = open();
    EXPECT_TRUE(store->batches().read_lines(batch.id(), 0, 1, 1 << 20));
    EXPECT_EQ(store->batches().read_lines(batch.id(), 1, 1, 1 << 20).error().code, ErrorCode::corrupt);
    EXPECT_EQ(store->batches().publish(batch.id(), {.render = rendered_line}).error().code,
              ErrorCode::corrupt);
    EXPECT_TRUE(store->health());
    EXPECT_TRUE(store->batches().remove(batch.id()));
}

TEST_F(SqliteFaults, DamagedResultsAreNeverServed) {
    const ABatch batch(2);
    auto store = open();
    ASSERT_TRUE(batch.create(*store));
    ASSERT_TRUE(store->items().finish(results_of(claim(*store, batch.id(), 2))));
    ASSERT_TRUE(store->batches().publish(batch.id(), {.render = rendered_line}));
    store.reset();
    flip_byte_at(only_file_in(data() / "results"), line_of(batch.id().item(0)).substr(0, 30));
    store = open();
    EXPECT_EQ(store->batches().open_results(batch.id()).error().code, ErrorCode::corrupt);
    EXPECT_EQ(store->batches().read_lines(batch.id(), 0, 1, 1 << 20).error().code, ErrorCode::corrupt);
    EXPECT_TRUE(store->batches().read_lines(batch.id(), 1, 1, 1 << 20));
}

TEST_F(SqliteFaults, TheBytesOfARemovedBatchAreGoneFromTheDisk) {
    auto store = open();
    const ABatch other(1);
    ASSERT_TRUE(other.create(*store));
    ASSERT_TRUE(store->items().finish(results_of(claim(*store, other.id(), 1))));
    for (const std::size_t bytes : {20UZ, 100'000UZ}) {
        for (const bool published : {false, true}) {
            const ABatch batch = ABatch(2).with_bodies_of(bytes);
            ASSERT_TRUE(batch.create(*store));
            ASSERT_TRUE(store->items().finish(results_of(claim(*store, batch.id(), 2))));
            const std::string line = line_of(batch.id().item(1));
            ASSERT_TRUE(is_on_disk(data(), line));
            if (published) ASSERT_TRUE(store->batches().publish(batch.id(), {.render = rendered_line}));
            ASSERT_TRUE(store->batches().remove(batch.id()));
            EXPECT_FALSE(is_on_disk(data(), line)) << bytes << published;
            EXPECT_FALSE(is_on_disk(data(), batch.body_of(1))) << bytes << published;
        }
    }
    EXPECT_TRUE(store->batches().read_lines(other.id(), 0, 1, 1 << 20)) << "others keep theirs";
    EXPECT_EQ(store->batches().read_item_body(other.id().item(0)).value(), other.body_of(0));
}

TEST_F(SqliteFaults, SegmentsWithoutLiveLinesAreRemoved) {
    auto store = open();
    std::vector<BatchId> ids;
    for (int at = 0; at < 3; ++at) {
        const ABatch batch(3);
        ASSERT_TRUE(batch.create(*store));
        ASSERT_TRUE(store->items().finish(results_of(claim(*store, batch.id(), 3), std::size_t{24} << 20)));
        ids.push_back(batch.id());
    }
    EXPECT_TRUE(fs::exists(data() / "log" / "00000003.seg"));
    for (const BatchId& id : ids) ASSERT_TRUE(store->batches().publish(id, {.render = rendered_line}));
    EXPECT_FALSE(fs::exists(data() / "log" / "00000001.seg"));
    EXPECT_FALSE(fs::exists(data() / "log" / "00000002.seg"));
    EXPECT_TRUE(fs::exists(data() / "log" / "00000003.seg")) << "the one being written stays";
    EXPECT_EQ(store->batches().read_lines(ids[0], 2, 1, 1)->front().line->size(),
              (std::size_t{24} << 20) + 1);
}

TEST_F(SqliteFaults, ATornTailIsCutOff) {
    const ABatch batch(2);
    auto store = open();
    ASSERT_TRUE(batch.create(*store));
    ASSERT_TRUE(store->items().finish(results_of(claim(*store, batch.id(), 1))));
    store.reset();
    const auto segment = data() / "log" / "00000001.seg";
    const auto size = fs::file_size(segment);
    std::ofstream(segment, std::ios::app) << "half a record";
    store = open();
    EXPECT_EQ(fs::file_size(segment), size);
    ASSERT_TRUE(store->items().finish(results_of(claim(*store, batch.id(), 1))));
    EXPECT_EQ(store->batches().read_lines(batch.id(), 0, 2, 1 << 20)->at(1).line,
              line_of(batch.id().item(1)));
}

// Another process, and not this one: SQLite's locks are a process's own.
int exit_code_of(const std::function<int()>& work) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(work());
    int status = 0;
    CHECK(::waitpid(child, &status, 0) == child, "a child can be waited for");
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// SQLite's pwrite() on a disk that is full for its index of the write-ahead log alone.
ssize_t write_all_but_the_log_index(int fd, const void* bytes, std::size_t count, off_t offset) {
    std::error_code ignored;
    const auto file = fs::read_symlink("/proc/self/fd/" + std::to_string(fd), ignored);
    if (!file.string().ends_with("-shm")) return ::pwrite(fd, bytes, count, offset);
    errno = ENOSPC;
    return -1;
}

void fill_the_disk_for_the_log_index() {
    sqlite3_vfs* const files = sqlite3_vfs_find(nullptr);
    for (const char* const call : {"pwrite", "pwrite64"}) {
        const int set = files->xSetSystemCall(
            files, call, reinterpret_cast<sqlite3_syscall_ptr>(write_all_but_the_log_index));
        CHECK(set == SQLITE_OK, "SQLite writes by this call");
    }
}

// Creates batches until the index of the log is too short for one more; 0 when that one was refused as it
// should be, and broke the store. The store is not closed, as by a kill: that would settle what is left.
int create_until_the_log_index_is_full(Store& store, const ABatch& last) {
    for (int at = 0; at < 30; ++at)
        if (!ABatch(1).tagged(std::string(400'000, 't')).create(store)) return 1;
    fill_the_disk_for_the_log_index();
    if (last.create(store).error().code != ErrorCode::unavailable) return 2;
    return store.health().error().code == ErrorCode::unavailable ? 0 : 3;
}

TEST_F(SqliteFaults, ACommitThatMayBeThereIsNotTakenForUndone) {
    for (const std::size_t bytes : {20UZ, 100'000UZ}) {
        const ABatch last = ABatch(3).with_bodies_of(bytes).tagged(std::string(8'000'000, 't'));
        faults_.keeps_no_room = true;
        EXPECT_EQ(exit_code_of([&] { return create_until_the_log_index_is_full(*open().release(), last); }),
                  0);
        const auto store = open();
        ASSERT_TRUE(store->batches().find(kAlice, last.id())) << "or this test shows nothing";
        EXPECT_EQ(claim(*store, last.id(), 3).size(), 3U) << "it is whole";
    }
}

// What another process does beside the server: 0 when all of it went as it should.
int keys_beside(const fs::path& data, const BatchId& batch, const std::vector<core::Lease>& leases) {
    const auto beside = open_sqlite_store({.directory = data, .exclusive = false});
    if (!beside) return 1;
    Store& store = **beside;
    if (!store.keys().insert({to_string(leases.front().item.id), kAlice, {}, kNow, {}})) return 2;
    if (store.batches().cached(kAlice, batch)) return 3;
    if (!store.batches().find(kAlice, batch)) return 4;
    if (ABatch(1).create(store).error().code != ErrorCode::unavailable) return 5;
    if (store.items().finish(results_of(leases)).error().code != ErrorCode::unavailable) return 6;
    return 0;
}

TEST_F(SqliteFaults, OneServerAtATimeButKeysBesideIt) {
    auto store = open();
    EXPECT_NE(exit_code_of([&] { return open_sqlite_store({.directory = data()}) ? 0 : 7; }), 0);
    const ABatch batch(3);
    ASSERT_TRUE(batch.create(*store));
    for (int turn = 0; turn < 3; ++turn) {
        const auto leases = claim(*store, batch.id(), 1);
        ASSERT_EQ(leases.size(), 1U);
        EXPECT_EQ(exit_code_of([&] { return keys_beside(data(), batch.id(), leases); }), 0);
        EXPECT_TRUE(store->keys().find(to_string(leases.front().item.id)).value());
        EXPECT_EQ(store->items().finish(results_of(leases))->recorded, std::vector{Recorded::yes})
            << "opening beside a server ends no lease";
        EXPECT_TRUE(fs::exists(data() / "index.db-wal")) << "the server's log was taken from under it";
    }
    store.reset();
    store = open();
    EXPECT_EQ(store->keys().list()->size(), 3U);
    EXPECT_EQ(store->batches().find(kAlice, batch.id())->counts.succeeded, 3U);
}

}  // namespace
}  // namespace sheaf::store

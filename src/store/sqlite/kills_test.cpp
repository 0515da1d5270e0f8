#include <chrono>
#include <map>
#include <random>
#include <set>
#include <thread>

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/sqlite/temporary_directory.h"
#include "store/store_conformance.h"
#include "store/stores.h"

namespace sheaf::store {
namespace {

using namespace std::chrono_literals;

constexpr int kKills = 30;
constexpr std::uint32_t kItemsEach = 12;

// What the child tells once the store has said yes.
struct Told {
    enum class What : std::uint32_t { created, finished, published, removed } what;
    BatchId batch;
    std::uint32_t ordinal = 0;
};

void tell(int pipe, Told told) {
    (void)!::write(pipe, &told, sizeof told);
}

std::unique_ptr<Store> open_at(const std::filesystem::path& directory) {
    auto store = open_sqlite_store({.directory = directory});
    CHECK(store, store.error().message);
    return std::move(*store);
}

// Works on whatever there is, and makes more, until it is killed.
[[noreturn]] void work(const std::filesystem::path& directory, int pipe, unsigned seed) {
    std::minstd_rand random(seed);
    const auto store = open_at(directory);
    for (;;) {
        const ABatch made = ABatch(kItemsEach).with_bodies_of(random() % 3 == 0 ? 6'000 : 40);
        CHECK(made.create(*store), "created");
        tell(pipe, {Told::What::created, made.id()});
        const auto unfinished = store->batches().unfinished().value();
        for (const core::Batch& batch : unfinished) {
            const auto leases = store->items()
                                    .claim({.batch = batch.id,
                                            .count_max = static_cast<std::uint32_t>(1 + random() % 8),
                                            .now = kNow})
                                    .value()
                                    .leases;
            std::vector<ItemResult> results;
            for (const core::Lease& lease : leases) {
                results.push_back({lease.item.id,
                                   lease.epoch,
                                   core::ItemState::succeeded,
                                   line_of(lease.item.id),
                                   {},
                                   kNow});
            }
            CHECK(store->items().finish(results), "finished");
            for (const core::Lease& lease : leases)
                tell(pipe, {Told::What::finished, batch.id, lease.item.id.ordinal});
        }
        const auto unpublished = store->batches().unpublished().value();
        for (const core::Batch& batch : unpublished) {
            CHECK(store->batches().publish(batch.id, {.render = rendered_line}), "published");
            tell(pipe, {Told::What::published, batch.id});
            if (random() % 4 != 0) continue;
            CHECK(store->batches().remove(batch.id), "removed");
            tell(pipe, {Told::What::removed, batch.id});
        }
    }
}

class Expected {
public:
    void hear(const Told& told) {
        switch (told.what) {
            case Told::What::created:
                finished_[told.batch];
                break;
            case Told::What::finished:
                EXPECT_TRUE(finished_[told.batch].insert(told.ordinal).second) << "finished twice";
                break;
            case Told::What::published:
                published_.insert(told.batch);
                break;
            case Told::What::removed:
                removed_.insert(told.batch);
                break;
        }
    }

    void check(Store& store) const {
        for (const auto& [id, ordinals] : finished_) {
            const auto batch = store.batches().find(kAlice, id);
            if (removed_.contains(id)) {
                EXPECT_FALSE(batch);
                continue;
            }
            // Killed in the middle of a removal, it may be gone without a word; only what is published is
            // removed.
            if (!batch && published_.contains(id)) continue;
            ASSERT_TRUE(batch) << "a batch was lost: " << batch.error().message << ", " << ordinals.size()
                               << " results were told";
            EXPECT_EQ(batch->counts.total(), kItemsEach);
            const auto lines = store.batches().read_lines(id, 0, 1000, 1 << 30);
            ASSERT_TRUE(lines) << lines.error().message;
            std::uint32_t succeeded = 0;
            for (const ItemLine& line : *lines) {
                succeeded += line.item.state == core::ItemState::succeeded ? 1 : 0;
                if (ordinals.contains(line.item.id.ordinal)) EXPECT_TRUE(line.line) << "a result was lost";
                if (line.line) EXPECT_EQ(*line.line, line_of(line.item.id));
                EXPECT_TRUE(store.batches().read_item_body(line.item.id)) << "a body was lost";
            }
            EXPECT_EQ(batch->counts.succeeded, succeeded) << "the counts do not add up";
        }
    }

private:
    std::map<BatchId, std::set<std::uint32_t>> finished_;
    std::set<BatchId> published_;
    std::set<BatchId> removed_;
};

TEST(SqliteKills, NothingAcknowledgedIsLostHoweverOftenTheProcessIsKilled) {
    const TemporaryDirectory directory;
    const unsigned seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::minstd_rand random(seed);
    Expected expected;
    for (int kill = 0; kill < kKills; ++kill) {
        int ends[2] = {-1, -1};
        ASSERT_EQ(::pipe(ends), 0);
        const auto child_seed = static_cast<unsigned>(random());
        const pid_t child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            ::close(ends[0]);
            work(directory.path() / "data", ends[1], child_seed);
        }
        ::close(ends[1]);
        std::jthread killer(
            [child, after = 20ms + std::chrono::milliseconds(static_cast<int>(random() % 250))] {
                std::this_thread::sleep_for(after);
                ::kill(child, SIGKILL);
            });
        Told told;
        while (::read(ends[0], &told, sizeof told) == static_cast<ssize_t>(sizeof told)) expected.hear(told);
        ::close(ends[0]);
        killer.join();
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "the child failed by itself";
        if (kill % 5 == 4) {
            const auto store = open_at(directory.path() / "data");
            ASSERT_NO_FATAL_FAILURE(expected.check(*store));
            EXPECT_TRUE(std::filesystem::is_empty(directory.path() / "data" / "spool"));
        }
    }
    // And everything can be brought to its end.
    const auto store = open_at(directory.path() / "data");
    const auto unfinished = store->batches().unfinished().value();
    for (const core::Batch& batch : unfinished) {
        const auto leases =
            store->items().claim({.batch = batch.id, .count_max = 100, .now = kNow}).value().leases;
        EXPECT_EQ(leases.size(), batch.counts.unfinished());
        std::vector<ItemResult> results;
        for (const core::Lease& lease : leases) {
            results.push_back(
                {lease.item.id, lease.epoch, core::ItemState::failed, line_of(lease.item.id), {}, kNow});
        }
        EXPECT_TRUE(store->items().finish(results));
    }
    EXPECT_TRUE(store->batches().unfinished()->empty());
}

}  // namespace
}  // namespace sheaf::store

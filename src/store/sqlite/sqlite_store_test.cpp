#include <sqlite3.h>

#include "store/sqlite/page_checks.h"
#include "store/sqlite/temporary_directory.h"
#include "store/store_conformance.h"
#include "store/stores.h"

namespace sheaf::store {
namespace {

class SqliteUnderTest final : public StoreUnderTest {
public:
    SqliteUnderTest() { open(); }
    Store& store() override { return *store_; }
    bool reopen() override {
        store_.reset();
        open();
        return true;
    }

private:
    void open() {
        auto opened = open_sqlite_store({.directory = directory_.path() / "data"});
        CHECK(opened, opened.error().message);
        store_ = std::move(*opened);
    }

    TemporaryDirectory directory_;
    std::unique_ptr<Store> store_;
};

std::unique_ptr<StoreUnderTest> make_sqlite_under_test() {
    return std::make_unique<SqliteUnderTest>();
}

SHEAF_STORE_CONFORMANCE(Sqlite, make_sqlite_under_test);

// As the index was before the order in which items end was kept.
void forget_ended_order(const std::filesystem::path& index) {
    sqlite3* db = nullptr;
    CHECK(sqlite3_open_v2(index.c_str(), &db, SQLITE_OPEN_READWRITE, checked_pages()) == SQLITE_OK,
          "the index opens");
    CHECK(sqlite3_exec(db, "DROP TABLE ended_order; DROP TABLE batch_records; PRAGMA user_version = 4",
                       nullptr, nullptr, nullptr) == SQLITE_OK,
          "the table is dropped");
    sqlite3_close(db);
}

TEST(SqliteMigrations, ResultsFromBeforeHaveTheOrderInWhichTheyWereWritten) {
    const TemporaryDirectory directory;
    const SqliteOptions options{.directory = directory.path() / "data"};
    const ABatch batch(4);
    const ABatch other(1);
    {
        const auto store = open_sqlite_store(options).value();
        ASSERT_TRUE(batch.create(*store));
        ASSERT_TRUE(other.create(*store));
        const auto leases = store->items().claim({.batch = batch.id(), .count_max = 3, .now = kNow})->leases;
        const auto others = store->items().claim({.batch = other.id(), .count_max = 1, .now = kNow})->leases;
        for (const core::Lease& lease : {leases[2], others[0], leases[0]}) {
            const ItemResult result{lease.item.id,          lease.epoch, core::ItemState::succeeded,
                                    line_of(lease.item.id), {},          kNow};
            ASSERT_TRUE(store->items().finish({&result, 1}));
        }
    }
    forget_ended_order(options.directory / "index.db");
    const auto store = open_sqlite_store(options).value();
    const auto before = store->batches().read_ended(batch.id(), 0, 9, 1 << 20).value();
    ASSERT_EQ(before.items.size(), 2U);
    EXPECT_EQ(before.items[0].item.id.ordinal, 2U);
    EXPECT_EQ(before.items[1].item.id.ordinal, 0U);
    EXPECT_EQ(store->batches().read_ended(other.id(), 0, 9, 1 << 20)->items.size(), 1U);
    // What comes now comes behind them.
    const auto more = store->items().claim({.batch = batch.id(), .count_max = 2, .now = kNow})->leases;
    ASSERT_EQ(more.size(), 2U);
    const ItemResult result{
        more[1].item.id, more[1].epoch, core::ItemState::succeeded, line_of(more[1].item.id), {}, kNow};
    ASSERT_TRUE(store->items().finish({&result, 1}));
    const auto after = store->batches().read_ended(batch.id(), 1, 9, 1 << 20).value();
    ASSERT_EQ(after.items.size(), 2U);
    EXPECT_EQ(after.items[1].item.id, more[1].item.id);
}

}  // namespace
}  // namespace sheaf::store

#include "store/sqlite/page_checks.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "store/sqlite/database.h"
#include "store/sqlite/disk.h"
#include "store/sqlite/temporary_directory.h"
#include "store/sqlite/upkeep_fixture_test.h"

namespace sheaf::store {
namespace {

constexpr std::uint64_t kPageBytes = 4096;
constexpr const char* kMake =
    "CREATE TABLE numbers(n INTEGER PRIMARY KEY, words TEXT);"
    "WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < 2000)"
    "  INSERT INTO numbers SELECT n, 'the number ' || n FROM counted";
constexpr const char* kSum = "SELECT sum(n), sum(length(words)) FROM numbers";

class PageChecks : public testing::Test {
protected:
    PageChecks() { EXPECT_TRUE(disk_.create(path_)); }

    std::unique_ptr<Connection> open(const fs::path& path, Connection::Mode mode) {
        auto opened = Connection::open(path, mode, disk_);
        EXPECT_TRUE(opened);
        return std::move(*opened);
    }
    static Result<std::int64_t> sum(Connection& db) {
        auto rows = db.query(kSum);
        if (!rows) return std::unexpected(rows.error());
        if (const auto row = rows->next(); !row) return std::unexpected(row.error());
        return rows->number(0);
    }
    static std::uint64_t pages_of(const fs::path& path) { return fs::file_size(path) / kPageBytes; }
    void expect_noticed(std::uint64_t at, int bit) {
        flip_bit(path_, at, static_cast<char>(1 << bit));
        Disk disk;
        auto opened = Connection::open(path_, Connection::Mode::look, disk);
        const auto read = opened ? sum(**opened) : Result<std::int64_t>(std::unexpected(opened.error()));
        flip_bit(path_, at, static_cast<char>(1 << bit));
        ASSERT_FALSE(read) << bit << " of " << at;
        EXPECT_EQ(read.error().code, ErrorCode::corrupt) << bit << " of " << at;
    }
    // What a program makes that knows nothing of us.
    static void make_without_room(const fs::path& path) {
        sqlite3* handle = nullptr;
        EXPECT_EQ(sqlite3_open(path.c_str(), &handle), SQLITE_OK);
        EXPECT_EQ(sqlite3_exec(handle, kMake, nullptr, nullptr, nullptr), SQLITE_OK);
        sqlite3_close(handle);
    }

    const TemporaryDirectory directory_;
    Disk disk_;
    const fs::path path_ = directory_.path() / "db";
};

TEST_F(PageChecks, WhateverBitOfWhateverPageIsFlippedNoOtherNumbersAreRead) {
    ASSERT_TRUE(open(path_, Connection::Mode::write)->execute(kMake));
    ASSERT_EQ(sum(*open(path_, Connection::Mode::look)), 2'001'000);
    ASSERT_GT(pages_of(path_), 10);
    for (std::uint64_t page = 0; page < pages_of(path_); ++page) {
        expect_noticed(page * kPageBytes + page * 397 % kPageBytes, static_cast<int>(page % 8));
    }
    for (std::uint64_t at = 0; at < 100; ++at) {
        for (int bit = 0; bit < 8; ++bit) expect_noticed(at, bit);
    }
}

TEST_F(PageChecks, APageInAnothersPlaceIsNotTakenForIt) {
    ASSERT_TRUE(open(path_, Connection::Mode::write)->execute(kMake));
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    std::string page(kPageBytes, '\0');
    file.seekg(4 * kPageBytes);
    file.read(page.data(), kPageBytes);
    file.seekp(5 * kPageBytes);
    file.write(page.data(), kPageBytes);
    file.close();
    const auto read = sum(*open(path_, Connection::Mode::look));
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, ErrorCode::corrupt);
    EXPECT_TRUE(sum(*open(path_, Connection::Mode::look_past_checks)));
}

TEST_F(PageChecks, ADatabaseWithoutRoomForThemIsReadAndWrittenAsEver) {
    const fs::path old = directory_.path() / "old";
    make_without_room(old);
    {
        const auto db = open(old, Connection::Mode::write);
        EXPECT_EQ(sum(*db), 2'001'000);
        ASSERT_TRUE(db->execute("INSERT INTO numbers VALUES(5000, 'more')"));
    }
    EXPECT_EQ(sum(*open(old, Connection::Mode::read)), 2'006'000);
    EXPECT_TRUE(open(old, Connection::Mode::write)->copy_to(directory_.path() / "copy", disk_));
    EXPECT_EQ(sum(*open(directory_.path() / "copy", Connection::Mode::look)), 2'006'000);
}

TEST_F(PageChecks, ACopyHasThemTooOfWhatIsInTheLogAsWell) {
    const fs::path copy = directory_.path() / "copy";
    const auto db = open(path_, Connection::Mode::write);
    ASSERT_TRUE(db->execute(kMake));
    ASSERT_TRUE(db->checkpoint());
    ASSERT_TRUE(db->execute("UPDATE numbers SET words = words || '!' WHERE n % 3 = 0"));
    ASSERT_TRUE(db->copy_to(copy, disk_));
    EXPECT_EQ(sum(*open(copy, Connection::Mode::look)), 2'001'000);
    flip_bit(copy, 7 * kPageBytes + 1000);
    EXPECT_FALSE(sum(*open(copy, Connection::Mode::look)));
}

}  // namespace
}  // namespace sheaf::store

#include "store/sqlite/unused_room.h"

#include <filesystem>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "store/sqlite/database.h"
#include "store/sqlite/disk.h"
#include "store/sqlite/temporary_directory.h"
#include "store/sqlite/upkeep_fixture_test.h"

namespace sheaf::store {
namespace {

std::string page_of(char kind, const std::string& header, const std::string& rest) {
    std::string page = kind + header + rest;
    page.resize(512, 'x');
    return page;
}

std::string cleared(std::string page, bool is_first = false) {
    clear_unused_room(page, is_first);
    return page;
}

// A leaf with two cells, of which the first begins at 256.
const std::string kLeaf("\0\0\0\2\1\0\0", 7);

TEST(UnusedRoom, IsBetweenTheListOfCellsAndTheCells) {
    const std::string page = cleared(page_of(13, kLeaf, "aabbccdd"));
    EXPECT_EQ(page.substr(8, 4), "aabb");
    EXPECT_EQ(page.substr(12, 256 - 12), std::string(256 - 12, '\0'));
    EXPECT_EQ(page.substr(256), std::string(256, 'x'));
}

TEST(UnusedRoom, OfAPageAboveOthersBeginsBehindALongerHeader) {
    const std::string page = cleared(page_of(2, kLeaf, "rrrraabbccdd"));
    EXPECT_EQ(page.substr(8, 8), "rrrraabb");
    EXPECT_EQ(page.substr(16, 256 - 16), std::string(256 - 16, '\0'));
}

TEST(UnusedRoom, OfTheFirstPageBeginsBehindTheDatabasesHeader) {
    const std::string database(100, '\r');
    std::string page = database + '\r' + kLeaf + "aabb";
    page.resize(512, 'x');
    const std::string after = cleared(page, true);
    EXPECT_EQ(after.substr(0, 112), page.substr(0, 112));
    EXPECT_EQ(after.substr(112, 256 - 112), std::string(256 - 112, '\0'));
    EXPECT_EQ(after.substr(256), page.substr(256));
}

TEST(UnusedRoom, OfAFullOrDamagedPageAndOfWhatIsNoPageOfATreeIsNone) {
    const std::string full("\0\0\0\2\0\14\0", 7);
    const std::string too_far("\0\0\0\2\2\1\0", 7);
    const std::string overlapping("\0\0\0\377\0\20\0", 7);
    for (const std::string& page :
         {page_of(13, full, ""), page_of(13, too_far, ""), page_of(13, overlapping, ""),
          page_of(13, kLeaf, "aa" + std::string("\0\77", 2)), page_of(0, kLeaf, ""), page_of(1, kLeaf, "")})
        EXPECT_EQ(cleared(page), page);
}

// Names of two owners in one tree, in no order, whose pages split and are filled anew.
constexpr const char* kMake =
    "CREATE TABLE names(owner INTEGER, name TEXT, PRIMARY KEY(name, owner)) WITHOUT ROWID;"
    "CREATE TABLE numbers(n INTEGER PRIMARY KEY, sum INTEGER);";
constexpr const char* kFill =
    "WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < 700)"
    "  INSERT INTO names SELECT n % 2, hex(randomblob(4 + n % 40)) ||"
    "    CASE n % 2 WHEN 0 THEN ' stays' ELSE ' is deleted' END FROM counted";

class DeletedNames : public testing::Test {
protected:
    DeletedNames() {
        EXPECT_TRUE(disk_.create(path_));
        db_ = std::move(*Connection::open(path_, Connection::Mode::write, disk_));
        EXPECT_TRUE(db_->execute(kMake));
    }
    bool are_in(const char* suffix) const { return contents(path_.string() + suffix).contains("is deleted"); }

    const TemporaryDirectory directory_;
    Disk disk_;
    const fs::path path_ = directory_.path() / "db";
    std::unique_ptr<Connection> db_;
};

TEST_F(DeletedNames, AreNeitherInTheDatabaseNorComeBackIntoItsLog) {
    for (int round = 0; round < 10; ++round) {
        ASSERT_TRUE(db_->execute(kFill));
        EXPECT_TRUE(are_in("-wal"));
        ASSERT_TRUE(db_->execute("DELETE FROM names WHERE owner = 1"));
        ASSERT_TRUE(*db_->empty_log());
        EXPECT_FALSE(are_in("")) << round;
        ASSERT_TRUE(db_->execute("UPDATE names SET owner = owner + 2"));
        EXPECT_FALSE(are_in("-wal")) << round;
        EXPECT_FALSE(are_in("")) << round;
    }
}

}  // namespace
}  // namespace sheaf::store

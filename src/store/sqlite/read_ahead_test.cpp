#include "store/sqlite/read_ahead.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "store/sqlite/disk.h"
#include "store/sqlite/temporary_directory.h"

namespace sheaf::store {
namespace {

class ReadAheadTest : public testing::Test {
protected:
    ReadAheadTest() {
        for (std::size_t at = 0; at < 3 * ReadAhead::kPieceBytes + 100; ++at)
            bytes_ += static_cast<char>(at * 7 % 251);
        std::ofstream(path_, std::ios::binary) << bytes_;
        file_ = open_for_read(path_).value();
    }

    const TemporaryDirectory directory_;
    const std::filesystem::path path_ = directory_.path() / "file";
    std::string bytes_;
    File file_;
};

TEST_F(ReadAheadTest, GivesTheBytesOfAFileInStepsOfAnySizeAndBackToo) {
    for (const std::size_t step : {1UZ << 12, 1000UZ, ReadAhead::kPieceBytes, ReadAhead::kPieceBytes + 1}) {
        ReadAhead read(file_.fd(), bytes_.size());
        for (std::size_t at = 0; at < bytes_.size(); at += step) {
            const std::size_t count = std::min(step, bytes_.size() - at);
            ASSERT_TRUE(*read.bytes(at, count) == std::string_view(bytes_).substr(at, count)) << at;
        }
        EXPECT_EQ(*read.bytes(5, 10), bytes_.substr(5, 10));
        EXPECT_EQ(*read.bytes(bytes_.size(), 0), "");
    }
}

TEST_F(ReadAheadTest, AFileThatIsShorterByNowIsCorruptWhereItEnds) {
    ReadAhead read(file_.fd(), bytes_.size());
    std::filesystem::resize_file(path_, 1000);
    EXPECT_EQ(*read.bytes(900, 100), bytes_.substr(900, 100));
    EXPECT_EQ(read.bytes(901, 100).error().code, ErrorCode::corrupt);
    EXPECT_EQ(*read.bytes(0, 1000), bytes_.substr(0, 1000));
}

}  // namespace
}  // namespace sheaf::store

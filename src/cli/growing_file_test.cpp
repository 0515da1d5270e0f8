#include "cli/growing_file.h"

#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace sheaf::cli {
namespace {

class GrowingFileTest : public testing::Test {
protected:
    ~GrowingFileTest() override { std::filesystem::remove(path_); }
    void write(const std::string& text) const { std::ofstream(path_, std::ios::binary) << text; }
    std::string contents() const {
        std::ifstream in(path_, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }

    const std::filesystem::path path_ =
        std::filesystem::temp_directory_path() / fmt::format("sheaf-growing-{}", ::getpid());
};

TEST_F(GrowingFileTest, BeginsEmptyAndGoesOnWithWhatIsThere) {
    {
        auto file = GrowingFile::open(path_).value();
        EXPECT_EQ(file.lines(), 0U);
        EXPECT_EQ(file.last_line(), "");
        EXPECT_TRUE(file.append("one"));
        EXPECT_EQ(contents(), "one\n") << "each line is there at once";
        EXPECT_TRUE(file.append("two"));
        EXPECT_TRUE(file.sync());
        EXPECT_EQ(file.lines(), 2U);
    }
    auto again = GrowingFile::open(path_).value();
    EXPECT_EQ(again.lines(), 2U);
    EXPECT_EQ(again.last_line(), "two");
    EXPECT_TRUE(again.append("three"));
    EXPECT_EQ(contents(), "one\ntwo\nthree\n");
}

TEST_F(GrowingFileTest, ALastLineThatIsNotWholeIsCutOff) {
    const std::string large(200'000, 'x');
    for (const std::string& whole :
         {std::string(), std::string("a\n"), large + "\n", "a\n" + large + "\nb\n"}) {
        write(whole + "half" + large);
        auto file = GrowingFile::open(path_).value();
        EXPECT_EQ(contents(), whole);
        EXPECT_EQ(file.lines(), static_cast<std::uint64_t>(std::ranges::count(whole, '\n')));
        EXPECT_TRUE(file.append("c"));
        EXPECT_EQ(contents(), whole + "c\n");
    }
}

TEST_F(GrowingFileTest, WhatCannotBeWrittenIsSaid) {
    const auto file = GrowingFile::open(path_ / "below");
    ASSERT_FALSE(file);
    EXPECT_EQ(file.error().exit_code, ExitCode::usage);
}

}  // namespace
}  // namespace sheaf::cli

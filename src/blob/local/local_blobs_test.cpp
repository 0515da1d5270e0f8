#include <filesystem>
#include <fstream>
#include <iterator>

#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/steady_clock.h"
#include "blob/blob_store_conformance.h"
#include "blob/blobs.h"

namespace sheaf::blob {
namespace {

namespace fs = std::filesystem;

fs::path make_temporary_directory() {
    std::string pattern = (fs::temp_directory_path() / "sheaf-blobs-XXXXXX").string();
    EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
    return pattern;
}

// The store in a directory that goes with it.
std::shared_ptr<BlobStore> make_temporary_local_blobs() {
    const fs::path directory = make_temporary_directory();
    auto opened = open_local_blobs(directory / "blobs");
    EXPECT_TRUE(opened);
    return {opened->release(), [directory](BlobStore* store) {
                delete store;
                fs::remove_all(directory);
            }};
}

INSTANTIATE_TEST_SUITE_P(Local, BlobStoreConformance, testing::Values(make_temporary_local_blobs));

std::size_t count_files(const fs::path& directory) {
    std::size_t count = 0;
    for (const auto& entry : fs::recursive_directory_iterator(directory))
        count += entry.is_regular_file() ? 1 : 0;
    return count;
}

std::string read_file(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const fs::path& path, std::string_view bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
}

class LocalBlobs : public testing::Test {
protected:
    ~LocalBlobs() override { fs::remove_all(directory); }
    std::unique_ptr<BlobStore> open() {
        auto opened = open_local_blobs(directory);
        EXPECT_TRUE(opened) << opened.error().message;
        return std::move(*opened);
    }
    static void put(BlobStore& blobs, std::string_view key, std::string_view bytes) {
        auto writer = blobs.create(key);
        ASSERT_TRUE(writer);
        ASSERT_TRUE((*writer)->append(bytes));
        ASSERT_TRUE((*writer)->commit());
    }
    fs::path directory = make_temporary_directory();
};

TEST_F(LocalBlobs, ABlobIsThereAfterOpeningAgain) {
    put(*open(), "assets/1", "kept");
    const auto again = open();
    const auto file = again->open("assets/1");
    ASSERT_TRUE(file);
    EXPECT_EQ(read_whole(*file), "kept");
}

TEST_F(LocalBlobs, WhatAKilledProcessLeftHalfWrittenIsRemovedAtOpen) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        auto blobs = open_local_blobs(directory);
        auto writer = (*blobs)->create("assets/half");
        (void)(*writer)->append("half of it");
        auto whole = (*blobs)->create("assets/whole");
        (void)(*whole)->append("all of it");
        (void)(*whole)->commit();
        ::kill(::getpid(), SIGKILL);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
    EXPECT_EQ(count_files(directory), 2U);

    const auto blobs = open();
    EXPECT_EQ(count_files(directory), 1U);
    EXPECT_EQ(*blobs->list(""), std::vector<std::string>{"assets/whole"});
}

TEST_F(LocalBlobs, NoFileIsLeftByDroppedWritersAndFailedJoins) {
    const auto blobs = open();
    {
        ASSERT_TRUE((*blobs->create("a"))->append("dropped"));
    }
    EXPECT_FALSE(blobs->concatenate("b", {"missing"}));
    EXPECT_EQ(count_files(directory), 0U);
}

TEST_F(LocalBlobs, TheDirectoryOfTheLastBlobGoesWithIt) {
    const auto blobs = open();
    put(*blobs, "chunks/u/1", "x");
    put(*blobs, "chunks/u/2", "x");
    ASSERT_TRUE(blobs->remove("chunks/u/1"));
    EXPECT_TRUE(fs::exists(directory / "chunks/u"));
    ASSERT_TRUE(blobs->remove("chunks/u/2"));
    EXPECT_FALSE(fs::exists(directory / "chunks"));
}

TEST_F(LocalBlobs, NothingButPlainFilesIsOpened) {
    const auto blobs = open();
    fs::create_symlink("/etc/hostname", directory / "link");
    ASSERT_EQ(::mkfifo((directory / "pipe").c_str(), 0600), 0);
    EXPECT_FALSE(blobs->open("link"));
    EXPECT_EQ(blobs->open("pipe").error().code, ErrorCode::not_found);
    EXPECT_TRUE(blobs->list("")->empty());
}

TEST_F(LocalBlobs, ABlobIsReadBesideTheStoreThatHasIt) {
    const auto blobs = open();
    put(*blobs, "assets/1", "kept");
    auto writer = blobs->create("assets/2");
    ASSERT_TRUE(writer);
    EXPECT_EQ(read_whole(read_local_blob(directory, "assets/1").value()), "kept");
    EXPECT_EQ(read_local_blob(directory, "assets/2").error().code, ErrorCode::not_found);
    EXPECT_EQ(read_local_blob(directory / "none", "assets/2").error().code, ErrorCode::not_found);
    EXPECT_EQ(read_local_blob(directory, "../x").error().code, ErrorCode::invalid);
    EXPECT_TRUE((*writer)->commit()) << "what is being written is left alone";
}

TEST_F(LocalBlobs, AVisitTellsOfEachFileAndChangesNothing) {
    put(*open(), "assets/1", "kept");
    std::ofstream(directory / ".unfinished" / "abc") << "half";
    std::ofstream(directory / "assets" / "Mine.TXT") << "x";
    fs::create_symlink("/etc/hostname", directory / "assets" / "link");
    std::vector<std::string> told;
    const auto visit = [&](const LocalFile& file) -> Result<> {
        told.push_back(std::to_string(static_cast<int>(file.kind)) + " " + file.path);
        return {};
    };
    ASSERT_TRUE(visit_local_blobs(directory, visit));
    std::ranges::sort(told);
    EXPECT_EQ(told, (std::vector<std::string>{"0 assets/1", "1 .unfinished/abc", "2 assets/Mine.TXT",
                                              "2 assets/link"}));
    EXPECT_EQ(count_files(directory), 4U) << "a link counts as what it leads to";
    EXPECT_TRUE(visit_local_blobs(directory / "none", visit));
}

TEST_F(LocalBlobs, WhateverBitOfAFileIsFlippedItIsNotBelieved) {
    const auto blobs = open();
    put(*blobs, "assets/1", "thirteen bytes");
    const fs::path path = directory / "assets/1";
    const auto written = read_file(path);
    for (std::size_t bit = 0; bit < written.size() * 8; ++bit) {
        auto flipped = written;
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
        write_file(path, flipped);
        const auto file = blobs->open("assets/1");
        const auto checked = file ? file->check() : Result<>(std::unexpected(file.error()));
        ASSERT_FALSE(checked) << "bit " << bit;
        EXPECT_EQ(checked.error().code, ErrorCode::corrupt) << "bit " << bit;
        EXPECT_EQ(blobs->concatenate("assets/2", {"assets/1"}).error().code, ErrorCode::corrupt);
        EXPECT_EQ(*blobs->list(""), std::vector<std::string>{"assets/1"});
    }
    write_file(path, written);
    EXPECT_TRUE(blobs->open("assets/1")->check());
}

struct TimeOfATest final : SteadyClock::Owner {
    TimeOfATest() { SteadyClock::give_to(this); }
    ~TimeOfATest() override { SteadyClock::give_to(nullptr); }
    SteadyClock::time_point now() const noexcept override { return at; }
    void announce(SteadyClock::time_point) override {}
    SteadyClock::time_point at{};
};

TEST_F(LocalBlobs, ACheckHoldsForAWhileForAllThatOpenTheBlob) {
    TimeOfATest time;
    const auto blobs = open();
    put(*blobs, "assets/1", "whole");
    const fs::path path = directory / "assets/1";
    EXPECT_TRUE(blobs->open("assets/1")->check());
    const auto written = fs::last_write_time(path);
    const auto damage = [&] {
        write_file(path, "W" + read_file(path).substr(1));
        fs::last_write_time(path, written);
    };
    damage();
    EXPECT_TRUE(blobs->open("assets/1")->check());
    EXPECT_EQ(read_whole(*blobs->open("assets/1")), "corrupt") << "what is read is always checked";
    EXPECT_FALSE(open()->open("assets/1")->check()) << "another process knows nothing of it";
    time.at += kCheckHolds;
    EXPECT_FALSE(blobs->open("assets/1")->check());
    put(*blobs, "assets/1", "Whole");
    EXPECT_TRUE(blobs->open("assets/1")->check());
}

TEST_F(LocalBlobs, ACheckIsGivenUpWhenNobodyWaitsForIt) {
    const auto blobs = open();
    put(*blobs, "assets/1", std::string(1 << 20, 'x'));
    int asked = 0;
    const auto checked = blobs->open("assets/1")->check([&] { return ++asked == 2; });
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().code, ErrorCode::canceled);
    EXPECT_EQ(asked, 2);
}

TEST_F(LocalBlobs, AFileThatIsCutOffIsShorter) {
    const auto blobs = open();
    put(*blobs, "assets/1", std::string(100, 'x'));
    const auto before = blobs->open("assets/1");
    fs::resize_file(directory / "assets/1", 70);
    EXPECT_EQ(before->check().error().code, ErrorCode::corrupt);
    EXPECT_EQ(blobs->open("assets/1")->bytes(), 70U);
}

TEST_F(LocalBlobs, WhatAnEarlierVersionWroteIsReadAsItIs) {
    const auto blobs = open();
    fs::create_directories(directory / "assets");
    for (const std::size_t bytes : {0UZ, 1UZ, 19UZ, 20UZ, 21UZ, 100'000UZ}) {
        write_file(directory / "assets/old", std::string(bytes, 'x'));
        const auto file = blobs->open("assets/old");
        ASSERT_TRUE(file);
        EXPECT_EQ(read_whole(*file), std::string(bytes, 'x'));
    }
    put(*blobs, "assets/new", "new");
    ASSERT_TRUE(blobs->concatenate("assets/both", {"assets/new", "assets/old"}));
    EXPECT_EQ(read_whole(*blobs->open("assets/both")), "new" + std::string(100'000, 'x'));
}

TEST_F(LocalBlobs, ACopyIsLikeTheOriginalAlsoWhereThatIsDamaged) {
    const fs::path from = directory / "from", to = directory / "to";
    const auto blobs = open_local_blobs(from).value(), copies = open_local_blobs(to).value();
    put(*blobs, "assets/1", "whole");
    put(*blobs, "assets/2", "damaged");
    write_file(from / "assets/2", "D" + read_file(from / "assets/2").substr(1));
    EXPECT_TRUE(copy_local_blob(from, to, "assets/1"));
    EXPECT_TRUE(copy_local_blob(from, to, "assets/2"));
    EXPECT_EQ(copy_local_blob(from, to, "assets/3").error().code, ErrorCode::not_found);
    EXPECT_EQ(read_whole(*copies->open("assets/1")), "whole");
    EXPECT_EQ(copies->open("assets/2")->check().error().code, ErrorCode::corrupt);
    EXPECT_EQ(count_files(to), 2U);
}

TEST_F(LocalBlobs, OthersMayNotReadTheFiles) {
    put(*open(), "assets/1", "private");
    struct stat status{};
    ASSERT_EQ(::stat((directory / "assets/1").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 077U, 0U);
}

TEST_F(LocalBlobs, AFileInThePlaceOfTheDirectoryIsAnError) {
    std::ofstream(directory / "file") << "x";
    EXPECT_FALSE(open_local_blobs(directory / "file"));
    EXPECT_FALSE(open_local_blobs(directory / "file" / "below"));
}

// A file system of 1 MiB below the test's directory.
class FullDisk : public LocalBlobs {
protected:
    void SetUp() override {
        if (::mount("tmpfs", directory.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "size=1m") != 0) {
            GTEST_SKIP() << "mounting a small file system is not permitted here";
        }
        mounted = true;
    }
    void TearDown() override {
        if (mounted) ::umount2(directory.c_str(), MNT_DETACH);
    }
    bool mounted = false;
};

TEST_F(FullDisk, AFullDiskIsNoSpaceAndLeavesNothing) {
    const auto blobs = open();
    const std::string piece(256 << 10, 'x');
    auto writer = blobs->create("assets/large");
    ASSERT_TRUE(writer);
    Result<> last;
    for (int n = 0; n < 8 && last; ++n) last = (*writer)->append(piece);
    ASSERT_FALSE(last);
    EXPECT_EQ(last.error().code, ErrorCode::no_space);
    EXPECT_EQ(count_files(directory), 0U) << "the room is given back at once, not when the writer goes";
    EXPECT_FALSE((*writer)->commit());
    EXPECT_FALSE((*writer)->append("x"));

    put(*blobs, "assets/small", piece);
    EXPECT_EQ(*blobs->list(""), std::vector<std::string>{"assets/small"});
}

TEST_F(FullDisk, JoiningOnAFullDiskKeepsTheParts) {
    const auto blobs = open();
    put(*blobs, "chunks/u/1", std::string(400 << 10, 'a'));
    put(*blobs, "chunks/u/2", std::string(400 << 10, 'b'));
    const auto joined = blobs->concatenate("assets/u", {"chunks/u/1", "chunks/u/2"});
    ASSERT_FALSE(joined);
    EXPECT_EQ(joined.error().code, ErrorCode::no_space);
    EXPECT_EQ(count_files(directory), 2U);
    EXPECT_TRUE(blobs->remove("chunks/u/1")) << "removing works on a full disk";
}

}  // namespace
}  // namespace sheaf::blob

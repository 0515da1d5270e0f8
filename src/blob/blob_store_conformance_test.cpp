#include "blob/blob_store_conformance.h"

#include <array>
#include <atomic>
#include <thread>

namespace sheaf::blob {
namespace {

TEST_P(BlobStoreConformance, ABlobIsReadAsItWasWritten) {
    auto writer = blobs->create("assets/a1");
    ASSERT_TRUE(writer);
    std::string all;
    for (int n = 0; n < 100; ++n) {
        std::string piece(static_cast<std::size_t>(n) * 997, static_cast<char>(n));
        ASSERT_TRUE((*writer)->append(piece));
        all += piece;
    }
    EXPECT_EQ((*writer)->bytes(), all.size());
    ASSERT_TRUE((*writer)->commit());
    const auto file = blobs->open("assets/a1");
    ASSERT_TRUE(file);
    EXPECT_EQ(file->bytes(), all.size());
    EXPECT_EQ(read_whole(*file), all);
}

TEST_P(BlobStoreConformance, AnEmptyBlobIsABlob) {
    put("empty", "");
    const auto file = blobs->open("empty");
    ASSERT_TRUE(file);
    EXPECT_EQ(file->bytes(), 0U);
}

TEST_P(BlobStoreConformance, NothingIsSeenBeforeCommit) {
    auto writer = blobs->create("assets/a1");
    ASSERT_TRUE(writer);
    ASSERT_TRUE((*writer)->append("half"));
    EXPECT_EQ(get("assets/a1"), "not_found");
    EXPECT_TRUE(list("").empty());
    ASSERT_TRUE((*writer)->commit());
    EXPECT_EQ(get("assets/a1"), "half");
}

TEST_P(BlobStoreConformance, ADroppedWriterLeavesNothing) {
    {
        auto writer = blobs->create("assets/a1");
        ASSERT_TRUE(writer);
        ASSERT_TRUE((*writer)->append("half"));
    }
    EXPECT_EQ(get("assets/a1"), "not_found");
    EXPECT_TRUE(list("").empty());
}

TEST_P(BlobStoreConformance, AWriterCommitsOnce) {
    auto writer = blobs->create("a");
    ASSERT_TRUE(writer);
    ASSERT_TRUE((*writer)->commit());
    EXPECT_FALSE((*writer)->commit());
    EXPECT_EQ(get("a"), "");
}

TEST_P(BlobStoreConformance, CommitAsNamesTheBlobAfterItsBytesAreKnown) {
    auto writer = blobs->create("chunks/u/1");
    ASSERT_TRUE(writer);
    ASSERT_TRUE((*writer)->append("bytes"));
    ASSERT_TRUE((*writer)->commit_as("chunks/u/1-hash"));
    EXPECT_EQ(get("chunks/u/1"), "not_found");
    EXPECT_EQ(get("chunks/u/1-hash"), "bytes");
}

TEST_P(BlobStoreConformance, ASecondCommitReplacesTheBlobAndReadersKeepTheFirst) {
    put("k", "first");
    const auto reader = blobs->open("k");
    ASSERT_TRUE(reader);
    put("k", "second");
    EXPECT_EQ(read_whole(*reader), "first");
    EXPECT_EQ(get("k"), "second");
    EXPECT_EQ(list(""), std::vector<std::string>{"k"});
}

TEST_P(BlobStoreConformance, ARemovedBlobIsGoneButReadToTheEndByThoseWhoOpenedIt) {
    const std::string bytes(300'000, 'x');
    put("dir/k", bytes);
    const auto reader = blobs->open("dir/k");
    ASSERT_TRUE(reader);
    ASSERT_TRUE(blobs->remove("dir/k"));
    EXPECT_EQ(get("dir/k"), "not_found");
    EXPECT_EQ(read_whole(*reader), bytes);
    EXPECT_TRUE(list("").empty());
}

TEST_P(BlobStoreConformance, RemovingWhatIsNotThereIsNoError) {
    EXPECT_TRUE(blobs->remove("never/was"));
    put("dir/k", "x");
    EXPECT_TRUE(blobs->remove("dir"));
    EXPECT_EQ(get("dir/k"), "x");
    EXPECT_EQ(get("dir"), "not_found");
}

TEST_P(BlobStoreConformance, KeysThatLeadElsewhereAreRefused) {
    for (const std::string& key :
         {std::string(), std::string(".."), std::string("../x"), std::string("a/../b"),
          std::string("/etc/passwd"), std::string("a//b"), std::string("a/"), std::string("A"),
          std::string("a.b"), std::string(".unfinished/x"), std::string("a\0b", 3), std::string("a b"),
          std::string("\xc3\xa4"), std::string(129, 'a')}) {
        EXPECT_FALSE(is_blob_key(key)) << key;
        const auto created = blobs->create(key);
        ASSERT_FALSE(created) << key;
        EXPECT_EQ(created.error().code, ErrorCode::invalid);
        EXPECT_EQ(blobs->open(key).error().code, ErrorCode::invalid);
        EXPECT_EQ(blobs->remove(key).error().code, ErrorCode::invalid);
        EXPECT_EQ(blobs->concatenate(key, {}).error().code, ErrorCode::invalid);
        auto writer = blobs->create("good");
        ASSERT_TRUE(writer);
        EXPECT_EQ((*writer)->commit_as(key).error().code, ErrorCode::invalid);
    }
    EXPECT_TRUE(is_blob_key(std::string(128, 'a')));
}

TEST_P(BlobStoreConformance, ConcatenateJoinsInOrderAndRemovesTheParts) {
    const std::string large(3 << 20, 'b');
    put("chunks/u/1", "first,");
    put("chunks/u/2", large);
    put("chunks/u/3", "");
    put("chunks/u/4", ",last");
    ASSERT_TRUE(blobs->concatenate("assets/u", {"chunks/u/1", "chunks/u/2", "chunks/u/3", "chunks/u/4"}));
    EXPECT_EQ(get("assets/u"), "first," + large + ",last");
    EXPECT_EQ(list(""), std::vector<std::string>{"assets/u"});
}

TEST_P(BlobStoreConformance, ConcatenateWithAMissingPartChangesNothing) {
    put("chunks/u/1", "first");
    const auto joined = blobs->concatenate("assets/u", {"chunks/u/1", "chunks/u/2"});
    ASSERT_FALSE(joined);
    EXPECT_EQ(joined.error().code, ErrorCode::not_found);
    EXPECT_EQ(list(""), std::vector<std::string>{"chunks/u/1"});
    EXPECT_EQ(get("chunks/u/1"), "first");
}

TEST_P(BlobStoreConformance, BytesAreGivenInPiecesUntilWhoTakesThemFails) {
    put("a", std::string(3 << 20, 'b'));
    const auto file = blobs->open("a");
    ASSERT_TRUE(file);
    EXPECT_TRUE(file->check());
    int pieces = 0;
    const auto read = file->read([&](std::string_view) {
        return ++pieces == 2 ? Result<>(fail(ErrorCode::canceled, "enough")) : Result<>();
    });
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, ErrorCode::canceled);
    EXPECT_EQ(pieces, 2);
}

TEST_P(BlobStoreConformance, ADescriptorThatWasGivenAwayStaysOpen) {
    put("a", "bytes");
    int given = -1;
    {
        auto file = blobs->open("a");
        ASSERT_TRUE(file);
        given = file->release();
    }
    EXPECT_EQ(read_whole(BlobFile(given, 5)), "bytes");
}

TEST_P(BlobStoreConformance, ListsByPrefixAlsoWithinAName) {
    for (const char* key :
         {"assets/1", "assets/2", "chunks/u/1-a", "chunks/u/10-a", "chunks/u/2-a", "chunks/v/1-a"}) {
        put(key, key);
    }
    EXPECT_EQ(list("").size(), 6U);
    EXPECT_EQ(list("assets/"), (std::vector<std::string>{"assets/1", "assets/2"}));
    EXPECT_EQ(list("chunks/u/1-"), std::vector<std::string>{"chunks/u/1-a"});
    EXPECT_EQ(list("chunks/u/").size(), 3U);
    EXPECT_EQ(list("chunks").size(), 4U);
    EXPECT_TRUE(list("nothing/").empty());
    EXPECT_TRUE(list("../").empty());
}

TEST_P(BlobStoreConformance, ReadersSeeWholeBlobsWhileOthersReplaceAndRemove) {
    std::atomic<bool> over = false;
    std::atomic<int> torn = 0;
    std::array<std::thread, 2> readers;
    for (auto& thread : readers) {
        thread = std::thread([&] {
            while (!over) {
                const auto file = blobs->open("busy/k");
                if (!file) {
                    if (file.error().code != ErrorCode::not_found) ++torn;
                    continue;
                }
                const std::string bytes = read_whole(*file);
                if (bytes.size() != 5000 || bytes.find_first_not_of(bytes.front()) != std::string::npos)
                    ++torn;
            }
        });
    }
    for (int n = 0; n < 60; ++n) {
        put("busy/k", std::string(5000, static_cast<char>('a' + n % 26)));
        if (n % 3 == 0) {
            EXPECT_TRUE(blobs->remove("busy/k"));
        }
    }
    over = true;
    for (auto& thread : readers) thread.join();
    EXPECT_EQ(torn, 0);
}

TEST_P(BlobStoreConformance, NeighboursComeAndGoInOneDirectoryAtOnce) {
    std::array<std::thread, 3> workers;
    std::atomic<int> failures = 0;
    for (std::size_t w = 0; w < workers.size(); ++w) {
        workers[w] = std::thread([&, w] {
            for (int n = 0; n < 30; ++n) {
                const std::string key = "shared/deep/" + std::to_string(w);
                auto writer = blobs->create(key);
                if (!writer || !(*writer)->append("x") || !(*writer)->commit()) ++failures;
                if (!blobs->open(key)) ++failures;
                if (!blobs->remove(key)) ++failures;
            }
        });
    }
    for (auto& worker : workers) worker.join();
    EXPECT_EQ(failures, 0);
    EXPECT_TRUE(list("").empty());
}

TEST_P(BlobStoreConformance, AWriterMayOutliveTheStore) {
    auto writer = blobs->create("k");
    ASSERT_TRUE(writer);
    blobs.reset();
    EXPECT_TRUE((*writer)->append("x"));
}

}  // namespace
}  // namespace sheaf::blob

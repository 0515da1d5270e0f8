#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "blob/blob_store.h"

// What every BlobStore must keep; the rules are in blob_store_conformance_test.cpp. An implementation runs
// them with one line:
//
//   INSTANTIATE_TEST_SUITE_P(Memory, BlobStoreConformance, testing::Values(make_empty_memory_blobs));
namespace sheaf::blob {

using MakeBlobs = std::function<std::shared_ptr<BlobStore>()>;

// Everything in `file`, from its beginning.
inline std::string read_whole(const BlobFile& file) {
    std::string bytes;
    const auto read = file.read([&](std::string_view piece) -> Result<> {
        bytes += piece;
        return {};
    });
    return read ? bytes : std::string(to_string(read.error().code));
}

class BlobStoreConformance : public testing::TestWithParam<MakeBlobs> {
protected:
    void put(std::string_view key, std::string_view bytes) {
        auto writer = blobs->create(key);
        ASSERT_TRUE(writer) << writer.error().message;
        ASSERT_TRUE((*writer)->append(bytes));
        const auto committed = (*writer)->commit();
        ASSERT_TRUE(committed) << committed.error().message;
    }
    std::string get(std::string_view key) {
        const auto file = blobs->open(key);
        return file ? read_whole(*file) : std::string(to_string(file.error().code));
    }
    std::vector<std::string> list(std::string_view prefix) {
        auto keys = blobs->list(prefix);
        EXPECT_TRUE(keys);
        std::ranges::sort(*keys);
        return *keys;
    }

    std::shared_ptr<BlobStore> blobs = GetParam()();
};

}  // namespace sheaf::blob

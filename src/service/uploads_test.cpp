#include "base/hash.h"
#include "service/assets_world.h"

namespace sheaf::service {
namespace {

constexpr std::uint64_t kMebibyte = std::uint64_t{1} << 20;

TEST(ChunkBytesFor, KeepsWithinTwoThousandChunks) {
    EXPECT_EQ(chunk_bytes_for(1), 5 * kMebibyte);
    EXPECT_EQ(chunk_bytes_for(10'000 * kMebibyte), 5 * kMebibyte);
    EXPECT_EQ(chunk_bytes_for(10'000 * kMebibyte + 1), 6 * kMebibyte);
    for (const std::uint64_t total :
         {std::uint64_t{1}, 77 * kMebibyte + 5, 10 * 1024 * kMebibyte, 123'456 * kMebibyte + 1}) {
        const core::Upload upload{.total_bytes = total, .chunk_bytes = chunk_bytes_for(total)};
        EXPECT_LE(upload.chunk_count(), 2000U) << total;
        EXPECT_EQ(upload.chunk_bytes % kMebibyte, 0U);
    }
}

class UploadsTest : public AssetsWorld {
protected:
    // A file of two chunks: the first full of video, the second short.
    core::Upload open_upload(std::uint64_t total = 5 * kMebibyte + 3) {
        auto opened = run(assets->open_upload(
            {.asset = {.account = kTeam, .filename = "large.mp4"}, .total_bytes = total}, {}));
        EXPECT_TRUE(opened);
        return *opened;
    }
    static std::string first_chunk(char fill = '.') {
        std::string bytes(5 * kMebibyte, fill);
        bytes.replace(0, 5, "video");
        return bytes;
    }
    Result<std::string> put(UploadId id, std::uint32_t index, const std::string& bytes) {
        auto file = run(assets->new_chunk(id, index));
        if (!file) return std::unexpected(file.error());
        if (const auto appended = run(file->append(bytes)); !appended)
            return std::unexpected(appended.error());
        return run(assets->put_chunk(id, index, std::move(*file), md5_hex(bytes)));
    }
    Result<store::ChunkReport> report(UploadId id, std::uint32_t index, const std::string& bytes) {
        return run(assets->report_chunks(kTeam, id,
                                         {{.index = index, .bytes = bytes.size(), .etag = md5_hex(bytes)}}));
    }
    void put_and_report_all(const core::Upload& upload) {
        ASSERT_TRUE(put(upload.id, 1, first_chunk()));
        ASSERT_TRUE(put(upload.id, 2, "end"));
        ASSERT_TRUE(report(upload.id, 2, "end"));
        ASSERT_TRUE(report(upload.id, 1, first_chunk()));
    }
};

TEST_F(UploadsTest, ChunksBecomeAnAsset) {
    const core::Upload upload = open_upload();
    EXPECT_EQ(upload.chunk_bytes, 5 * kMebibyte);
    EXPECT_EQ(upload.expires_at, kNoon + 24h);
    EXPECT_EQ(find(upload.asset)->state, core::AssetState::processing);
    EXPECT_EQ(find(upload.asset)->method, core::AssetMethod::multipart);

    EXPECT_EQ(put(upload.id, 2, "end").value_or("?"), md5_hex("end"));
    ASSERT_TRUE(put(upload.id, 1, first_chunk()));
    const auto first = report(upload.id, 2, "end");
    ASSERT_TRUE(first) << first.error().message;
    EXPECT_EQ(first->processed, 1U);
    EXPECT_EQ(first->upload.state, core::UploadState::active);
    const auto second = report(upload.id, 1, first_chunk());
    ASSERT_TRUE(second);
    EXPECT_EQ(second->upload.state, core::UploadState::completed);
    run_all();

    const auto ready = find(upload.asset);
    EXPECT_EQ(ready->state, core::AssetState::ready) << ready->error;
    EXPECT_EQ(ready->bytes, upload.total_bytes);
    EXPECT_EQ(bytes_of(*ready), first_chunk() + "end");
    EXPECT_EQ(keys(), std::set<std::string>{blob_key_of(upload.asset)}) << "the chunks are gone";
    EXPECT_TRUE(report(upload.id, 1, first_chunk())) << "asking again is no error";
    run_all();
    EXPECT_EQ(media.probes, 1);
}

TEST_F(UploadsTest, LimitsAreOfTheType) {
    const auto open = [&](core::MediaType type, std::uint64_t bytes) {
        return run(assets->open_upload({.asset = {.account = kTeam}, .type = type, .total_bytes = bytes},
                                       UploadId::make(kNoon)));
    };
    EXPECT_EQ(open(core::MediaType::video, 0).error().code, ErrorCode::invalid);
    EXPECT_TRUE(open(core::MediaType::image, 32 * kMebibyte));
    EXPECT_EQ(open(core::MediaType::image, 32 * kMebibyte + 1).error().code, ErrorCode::too_large);
    EXPECT_TRUE(open(core::MediaType::video, 10 * 1024 * kMebibyte));
    EXPECT_EQ(open(core::MediaType::audio, 10 * 1024 * kMebibyte + 1).error().code, ErrorCode::too_large);
}

TEST_F(UploadsTest, AChunkHasExactlyItsSize) {
    const core::Upload upload = open_upload();
    EXPECT_EQ(put(upload.id, 2, "en").error().code, ErrorCode::invalid);
    EXPECT_EQ(put(upload.id, 2, "ends").error().code, ErrorCode::too_large);
    EXPECT_EQ(put(upload.id, 0, "end").error().code, ErrorCode::invalid);
    EXPECT_EQ(put(upload.id, 3, "end").error().code, ErrorCode::invalid);
    EXPECT_EQ(put(UploadId::make(kNoon), 1, "end").error().code, ErrorCode::not_found);
    EXPECT_TRUE(keys().empty());
}

TEST_F(UploadsTest, AChunkIsReplacedUntilItIsReported) {
    const core::Upload upload = open_upload();
    ASSERT_TRUE(put(upload.id, 2, "bad"));
    ASSERT_TRUE(put(upload.id, 2, "end"));
    EXPECT_EQ(keys(), std::set<std::string>{blob_key_of(upload.id, 2, md5_hex("end"))});
    EXPECT_EQ(report(upload.id, 2, "bad").error().code, ErrorCode::invalid);
    ASSERT_TRUE(report(upload.id, 2, "end"));
    EXPECT_EQ(put(upload.id, 2, "new").error().code, ErrorCode::conflict);
    EXPECT_EQ(put(upload.id, 2, "end").error().code, ErrorCode::conflict);
    EXPECT_EQ(keys(), std::set<std::string>{blob_key_of(upload.id, 2, md5_hex("end"))})
        << "what was reported stays";

    ASSERT_TRUE(put(upload.id, 1, first_chunk()));
    ASSERT_TRUE(report(upload.id, 1, first_chunk()));
    run_all();
    EXPECT_EQ(bytes_of(*find(upload.asset)), first_chunk() + "end");
}

TEST_F(UploadsTest, AnAssemblyThatACrashInterruptedIsTakenUp) {
    const core::Upload upload = open_upload();
    blobs.disk_is_full = true;
    put_and_report_all(upload);
    run_all();
    EXPECT_EQ(find(upload.asset)->state, core::AssetState::processing) << "there may be room again later";
    run(assets->stop());
    blobs.disk_is_full = false;
    clock.advance(1h);
    start();
    run(assets->resume());
    run_all();
    EXPECT_EQ(find(upload.asset)->state, core::AssetState::ready) << find(upload.asset)->error;
    EXPECT_EQ(bytes_of(*find(upload.asset)), first_chunk() + "end");
}

TEST_F(UploadsTest, ACrashBetweenAssemblyAndItsNoteCostsNothing) {
    const core::Upload upload = open_upload();
    blobs.disk_is_full = true;
    put_and_report_all(upload);
    run_all();
    run(assets->stop());
    // As concatenate leaves it when it dies after the first part it removed.
    put_blob(blob_key_of(upload.asset), first_chunk() + "end");
    ASSERT_TRUE(blobs.remove(blob_key_of(upload.id, 1, md5_hex(first_chunk()))));
    start();
    run(assets->resume());
    run_all();
    EXPECT_EQ(find(upload.asset)->state, core::AssetState::ready);
    EXPECT_EQ(keys(), std::set<std::string>{blob_key_of(upload.asset)});
}

TEST_F(UploadsTest, LostChunksFailTheAsset) {
    const core::Upload upload = open_upload();
    blobs.disk_is_full = true;
    put_and_report_all(upload);
    run_all();
    blobs.disk_is_full = false;
    ASSERT_TRUE(blobs.remove(blob_key_of(upload.id, 1, md5_hex(first_chunk()))));
    run(assets->resume());
    run_all();
    EXPECT_EQ(find(upload.asset)->state, core::AssetState::failed);
    EXPECT_TRUE(keys().empty());
}

TEST_F(UploadsTest, ASessionPastItsTimeIsExpired) {
    const core::Upload upload = open_upload();
    ASSERT_TRUE(put(upload.id, 2, "end"));
    clock.advance(24h);
    EXPECT_EQ(run(assets->new_chunk(upload.id, 2)).error().code, ErrorCode::conflict);
    run(assets->expire_uploads());
    EXPECT_EQ(run(assets->find_upload(kTeam, upload.id))->state, core::UploadState::expired);
    EXPECT_EQ(find(upload.asset)->state, core::AssetState::failed);
    EXPECT_EQ(find(upload.asset)->error, "The upload was not completed in time.");
    EXPECT_TRUE(keys().empty());
    EXPECT_EQ(report(upload.id, 2, "end").error().code, ErrorCode::conflict);
}

TEST_F(UploadsTest, ALateReportFindsTheSessionExpiredWithoutATimer) {
    const core::Upload upload = open_upload();
    ASSERT_TRUE(put(upload.id, 2, "end"));
    clock.advance(24h);
    EXPECT_EQ(report(upload.id, 2, "end").error().code, ErrorCode::conflict);
    EXPECT_EQ(find(upload.asset)->state, core::AssetState::failed);
    EXPECT_TRUE(run(assets->list_uploads(kTeam, {}))->rows.empty());
}

TEST_F(UploadsTest, RemovingTheAssetEndsTheSession) {
    const core::Upload upload = open_upload();
    ASSERT_TRUE(put(upload.id, 2, "end"));
    auto late = run(assets->new_chunk(upload.id, 1));
    ASSERT_TRUE(late);
    ASSERT_TRUE(run(late->append(first_chunk())));
    ASSERT_TRUE(run(assets->remove(kTeam, upload.asset, false)));
    EXPECT_FALSE(run(assets->put_chunk(upload.id, 1, std::move(*late), md5_hex(first_chunk()))));
    EXPECT_TRUE(keys().empty());
    EXPECT_FALSE(put(upload.id, 1, first_chunk()));
}

TEST_F(UploadsTest, ACrashBetweenTheEndOfASessionAndItsAssetIsRepaired) {
    const core::Upload upload = open_upload();
    ASSERT_TRUE(put(upload.id, 2, "end"));
    ASSERT_TRUE(store->assets().end_upload(upload.id, core::UploadState::expired, clock.now()));
    clock.advance(10s);
    restart();
    run(assets->resume());
    run_all();
    EXPECT_EQ(find(upload.asset)->state, core::AssetState::failed);
    EXPECT_TRUE(keys().empty());
}

TEST_F(UploadsTest, OnlyChunksOfNoUploadAreSwept) {
    const core::Upload upload = open_upload();
    ASSERT_TRUE(put(upload.id, 2, "end"));
    const UploadId lost = UploadId::make(clock.now());
    put_blob(blob_key_of(lost, 1, md5_hex("x")), "x");
    clock.advance(10s);
    restart();
    run(assets->resume());
    EXPECT_EQ(keys(), std::set<std::string>{blob_key_of(upload.id, 2, md5_hex("end"))});
    EXPECT_EQ(find(upload.asset)->state, core::AssetState::processing) << "the session goes on";
}

class PresigningTest : public AssetsWorld {
protected:
    // The two values of "expires=…&signature=…".
    static std::pair<std::string, std::string> values_of(const PresignedChunk& chunk) {
        const std::string& text = chunk.expires_and_signature;
        const auto both = text.find("&signature=");
        EXPECT_TRUE(text.starts_with("expires="));
        return {text.substr(8, both - 8), text.substr(both + 11)};
    }
    const UploadId id = UploadId::make(kNoon);
};

TEST_F(PresigningTest, HoldsForItsChunkAndItsTime) {
    const PresignedChunk chunk = assets->presign(id, 7);
    EXPECT_EQ(chunk.index, 7U);
    EXPECT_EQ(chunk.expires_at, kNoon + 1h);
    const auto [expires, signature] = values_of(chunk);
    EXPECT_TRUE(assets->check_presigned(id, 7, expires, signature));
    clock.advance(1h - 1ms);
    EXPECT_TRUE(assets->check_presigned(id, 7, expires, signature));
    clock.advance(1ms);
    EXPECT_EQ(assets->check_presigned(id, 7, expires, signature).error().code, ErrorCode::denied);
}

TEST_F(PresigningTest, NothingElseIsSigned) {
    const auto [expires, signature] = values_of(assets->presign(id, 7));
    const auto code = [&](UploadId upload, std::uint32_t index, std::string_view until,
                          std::string_view signed_with) {
        const auto checked = assets->check_presigned(upload, index, until, signed_with);
        return checked ? ErrorCode::internal : checked.error().code;
    };
    std::string altered = signature;
    altered.back() = altered.back() == '0' ? '1' : '0';
    EXPECT_EQ(code(id, 8, expires, signature), ErrorCode::denied);
    EXPECT_EQ(code(UploadId::make(kNoon + 1s), 7, expires, signature), ErrorCode::denied);
    EXPECT_EQ(code(id, 7, std::to_string(std::stoll(expires) + 1), signature), ErrorCode::denied);
    EXPECT_EQ(code(id, 7, expires, altered), ErrorCode::denied);
    EXPECT_EQ(code(id, 7, expires, ""), ErrorCode::denied);
    EXPECT_EQ(code(id, 7, "", signature), ErrorCode::denied);
    EXPECT_EQ(code(id, 7, expires + "x", signature), ErrorCode::denied);
    EXPECT_EQ(code(id, 7, "99999999999999999999", signature), ErrorCode::denied);
}

}  // namespace
}  // namespace sheaf::service

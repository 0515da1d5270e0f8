#include "store/store_conformance.h"

namespace sheaf::store {
namespace {

using core::AssetState;
using core::MediaType;
using core::UploadState;
using namespace std::chrono_literals;

core::Asset an_asset(std::string filename = "clip.mp4", Timestamp created_at = kNow) {
    core::Asset asset;
    asset.id = AssetId::make(created_at);
    asset.account = kAlice;
    asset.filename = std::move(filename);
    asset.created_at = created_at;
    return asset;
}

core::Upload an_upload(const core::Asset& asset, Timestamp created_at = kNow) {
    core::Upload upload;
    upload.id = UploadId::make(created_at);
    upload.account = asset.account;
    upload.asset = asset.id;
    upload.total_bytes = 25;
    upload.chunk_bytes = 10;
    upload.created_at = created_at;
    upload.updated_at = created_at;
    upload.expires_at = created_at + 24h;
    return upload;
}

core::UploadChunk a_chunk(std::uint32_t index, std::string etag = "e") {
    return {index, index == 3 ? 5U : 10U, std::move(etag), false, kNow};
}

ReportedChunk reported(std::uint32_t index, std::string etag = "e") {
    return {index, index == 3 ? 5U : 10U, std::move(etag)};
}

}  // namespace

TEST_P(AssetsConformance, AnAssetComesBackWhole) {
    core::Asset asset = an_asset();
    asset.method = core::AssetMethod::url;
    asset.state = AssetState::ready;
    asset.source_url = "https://example.org/clip.mp4";
    asset.blob_key = "key";
    asset.bytes = std::uint64_t{1} << 40;
    asset.type = MediaType::video;
    asset.mime_type = "video/mp4";
    asset.duration_s = 12.5;
    asset.details = "{\"fps\":25}";
    asset.user_metadata = "{\"a\":1}";
    asset.error = "none";
    asset.wants_hls = true;
    asset.wants_thumbnail = true;
    ASSERT_TRUE(assets().insert(asset));
    EXPECT_EQ(assets().insert(asset).error().code, ErrorCode::conflict);
    for (int round = 0; round < 2; ++round) {
        const auto read = assets().find(kAlice, asset.id);
        ASSERT_TRUE(read);
        EXPECT_EQ(read->method, asset.method);
        EXPECT_EQ(read->state, asset.state);
        EXPECT_EQ(read->filename, asset.filename);
        EXPECT_EQ(read->source_url, asset.source_url);
        EXPECT_EQ(read->blob_key, asset.blob_key);
        EXPECT_EQ(read->bytes, asset.bytes);
        EXPECT_EQ(read->type, asset.type);
        EXPECT_EQ(read->mime_type, asset.mime_type);
        EXPECT_EQ(read->duration_s, asset.duration_s);
        EXPECT_EQ(read->details, asset.details);
        EXPECT_EQ(read->user_metadata, asset.user_metadata);
        EXPECT_EQ(read->error, asset.error);
        EXPECT_TRUE(read->wants_hls);
        EXPECT_TRUE(read->wants_thumbnail);
        EXPECT_EQ(read->created_at, kNow);
        if (!reopen()) break;
    }
    EXPECT_EQ(assets().find(kBob, asset.id).error().code, ErrorCode::not_found);
}

TEST_P(AssetsConformance, ManyAreFoundInTheOrderAsked) {
    const core::Asset one = an_asset();
    const core::Asset two = an_asset();
    ASSERT_TRUE(assets().insert(one));
    ASSERT_TRUE(assets().insert(two));
    const auto found =
        assets().find_all(kAlice, std::vector{two.id, AssetId::make(kNow), one.id, two.id}).value();
    ASSERT_EQ(found.size(), 4U);
    EXPECT_EQ(found[0]->id, two.id);
    EXPECT_FALSE(found[1]);
    EXPECT_EQ(found[2]->id, one.id);
    EXPECT_EQ(found[3]->id, two.id);
    EXPECT_FALSE(assets().find_all(kBob, std::vector{one.id}).value()[0]);
}

TEST_P(AssetsConformance, ListsAreNewestFirstFilteredAndPaged) {
    core::Asset old = an_asset("Holiday.MP4", kNow);
    old.type = MediaType::video;
    core::Asset young = an_asset("song.mp3", kNow + 1s);
    young.type = MediaType::audio;
    core::Asset same = an_asset("holiday_2.mp4", kNow + 1s);
    same.type = MediaType::video;
    core::Asset others = an_asset();
    others.account = kBob;
    for (const core::Asset& asset : {old, young, same, others}) ASSERT_TRUE(assets().insert(asset));
    const auto list = [&](AssetQuery query) {
        query.account = kAlice;
        const auto page = assets().list(query).value();
        std::vector<AssetId> ids;
        for (const core::Asset& row : page.rows) ids.push_back(row.id);
        return std::pair(ids, page.total);
    };
    const AssetId larger = std::max(young.id, same.id);
    const AssetId smaller = std::min(young.id, same.id);
    EXPECT_EQ(list({}).first, (std::vector{larger, smaller, old.id}));
    EXPECT_EQ(list({.page = {1, 1}}), (std::pair(std::vector{smaller}, std::uint64_t{3})));
    EXPECT_EQ(list({.types = {MediaType::video}}).first, (std::vector{same.id, old.id}));
    EXPECT_EQ(list({.types = {MediaType::video, MediaType::audio}}).second, 3U);
    EXPECT_EQ(list({.filename_part = "HOLI"}).second, 2U);
    EXPECT_EQ(list({.filename_part = "_2"}).second, 1U);
    EXPECT_EQ(list({.filename_part = "%"}).second, 0U);
    EXPECT_EQ(list({.ids = {old.id, others.id}}).first, std::vector{old.id});
    EXPECT_EQ(list({.ids = {old.id}, .types = {MediaType::audio}}).second, 0U);
}

TEST_P(AssetsConformance, AnUpdateComparesTheState) {
    core::Asset asset = an_asset();
    ASSERT_TRUE(assets().insert(asset));
    asset.state = AssetState::ready;
    asset.bytes = 99;
    asset.created_at = kNow + 1h;
    ASSERT_TRUE(assets().update(asset, AssetState::processing));
    EXPECT_EQ(assets().find(kAlice, asset.id)->bytes, 99U);
    EXPECT_EQ(assets().find(kAlice, asset.id)->created_at, kNow) << "never replaced";
    EXPECT_EQ(assets().update(asset, AssetState::processing).error().code, ErrorCode::conflict);
    core::Asset stolen = asset;
    stolen.account = kBob;
    EXPECT_EQ(assets().update(stolen, AssetState::ready).error().code, ErrorCode::not_found);
    EXPECT_EQ(assets().update(an_asset(), AssetState::ready).error().code, ErrorCode::not_found);
}

TEST_P(AssetsConformance, UserMetadataIsSetByItself) {
    const core::Asset asset = an_asset();
    ASSERT_TRUE(assets().insert(asset));
    ASSERT_TRUE(assets().set_user_metadata(kAlice, asset.id, "{\"a\":2}"));
    EXPECT_EQ(assets().find(kAlice, asset.id)->user_metadata, "{\"a\":2}");
    EXPECT_EQ(assets().set_user_metadata(kBob, asset.id, "{}").error().code, ErrorCode::not_found);
    core::Asset read_before = asset;
    read_before.state = AssetState::ready;
    ASSERT_TRUE(assets().update(read_before, AssetState::processing));
    EXPECT_EQ(assets().find(kAlice, asset.id)->user_metadata, "{\"a\":2}") << "an update leaves it alone";
}

TEST_P(AssetsConformance, AnAssetThatUnfinishedItemsReferToStaysUnlessForced) {
    const core::Asset asset = an_asset();
    ASSERT_TRUE(assets().insert(asset));
    const core::Batch batch = created(ABatch(2).about(core::Subject::asset(asset.id)));
    finished(claimed(batch.id, 1));
    EXPECT_EQ(assets().remove(kAlice, asset.id, {}).error().code, ErrorCode::conflict);
    EXPECT_EQ(assets().remove(kBob, asset.id, {.force = true}).error().code, ErrorCode::not_found);
    EXPECT_EQ(assets().remove(kAlice, asset.id, {.force = true})->filename, asset.filename);
    EXPECT_EQ(assets().find(kAlice, asset.id).error().code, ErrorCode::not_found);
    EXPECT_EQ(assets().remove(kAlice, asset.id, {}).error().code, ErrorCode::not_found);

    const core::Asset free = an_asset();
    ASSERT_TRUE(assets().insert(free));
    const core::Batch done = created(ABatch(1).about(core::Subject::asset(free.id)));
    run_to_the_end(done.id);
    EXPECT_TRUE(assets().remove(kAlice, free.id, {}));
}

TEST_P(AssetsConformance, WhatIsStillProcessingIsFoundForAllAccounts) {
    core::Asset asset = an_asset();
    asset.account = kBob;
    ASSERT_TRUE(assets().insert(asset));
    core::Asset ready = an_asset();
    ready.state = AssetState::ready;
    ASSERT_TRUE(assets().insert(ready));
    const auto rows = assets().processing().value();
    ASSERT_EQ(rows.size(), 1U);
    EXPECT_EQ(rows[0].id, asset.id);
}

TEST_P(AssetsConformance, IdsThatNoAssetHasAreAbsent) {
    const core::Asset there = an_asset();
    core::Asset of_bob = an_asset();
    of_bob.account = kBob;
    ASSERT_TRUE(assets().insert(there));
    ASSERT_TRUE(assets().insert(of_bob));
    const AssetId never = AssetId::make(kNow);
    const std::vector<AssetId> ids{there.id, never, of_bob.id};
    EXPECT_EQ(assets().absent(ids).value(), std::vector{never}) << "whoever's they are";
    ASSERT_TRUE(assets().remove(kAlice, there.id, {}));
    EXPECT_EQ(assets().absent(ids).value(), (std::vector{there.id, never}));
}

TEST_P(AssetsConformance, AnUploadAndItsAssetAreInsertedTogetherOrNotAtAll) {
    const core::Asset asset = an_asset();
    const core::Upload upload = an_upload(asset);
    const IdempotencyRecord record{kAlice, "POST /uploads", "k", "h", 201, "{}", kNow + 1h};
    ASSERT_TRUE(assets().insert_upload(upload, asset, record));
    EXPECT_EQ(assets().find_upload(kAlice, upload.id)->asset, asset.id);
    EXPECT_EQ(assets().find_upload(upload.id)->total_bytes, 25U);
    EXPECT_EQ(assets().find_upload(kBob, upload.id).error().code, ErrorCode::not_found);
    EXPECT_TRUE(assets().find(kAlice, asset.id));
    EXPECT_TRUE(batches().find_idempotent(kAlice, "POST /uploads", "k").value());

    const core::Asset second = an_asset();
    EXPECT_EQ(assets().insert_upload(an_upload(second), second, record).error().code, ErrorCode::conflict);
    EXPECT_EQ(assets().find(kAlice, second.id).error().code, ErrorCode::not_found);
    core::Upload same = an_upload(second);
    same.id = upload.id;
    EXPECT_EQ(assets().insert_upload(same, second, {}).error().code, ErrorCode::conflict);
    EXPECT_EQ(assets().find(kAlice, second.id).error().code, ErrorCode::not_found);
}

TEST_P(AssetsConformance, ChunksAreReplacedUntilTheyAreReported) {
    const core::Asset asset = an_asset();
    const core::Upload upload = an_upload(asset);
    ASSERT_TRUE(assets().insert_upload(upload, asset, {}));
    EXPECT_EQ(assets().put_chunk(UploadId::make(kNow), a_chunk(1)).error().code, ErrorCode::not_found);
    ASSERT_TRUE(assets().put_chunk(upload.id, a_chunk(2)));
    ASSERT_TRUE(assets().put_chunk(upload.id, a_chunk(1, "old")));
    ASSERT_TRUE(assets().put_chunk(upload.id, a_chunk(1, "new")));
    auto chunks = assets().chunks(upload.id).value();
    ASSERT_EQ(chunks.size(), 2U);
    EXPECT_EQ(chunks[0].index, 1U);
    EXPECT_EQ(chunks[0].etag, "new");
    EXPECT_FALSE(chunks[0].reported);
    ASSERT_TRUE(assets().report_chunks(kAlice, upload.id, std::vector{reported(1, "new")}, kNow));
    EXPECT_EQ(assets().put_chunk(upload.id, a_chunk(1)).error().code, ErrorCode::conflict);
    EXPECT_TRUE(assets().chunks(upload.id).value()[0].reported);
}

TEST_P(AssetsConformance, ChunksAreAcceptedAllOrNone) {
    const core::Asset asset = an_asset();
    const core::Upload upload = an_upload(asset);
    ASSERT_TRUE(assets().insert_upload(upload, asset, {}));
    ASSERT_TRUE(assets().put_chunk(upload.id, a_chunk(1)));
    ASSERT_TRUE(assets().put_chunk(upload.id, a_chunk(2)));
    const auto missing =
        assets().report_chunks(kAlice, upload.id, std::vector{reported(1), reported(3)}, kNow);
    EXPECT_EQ(missing.error().code, ErrorCode::invalid);
    EXPECT_EQ(missing.error().field, "completed_chunks[1]");
    const auto wrong =
        assets().report_chunks(kAlice, upload.id, std::vector{reported(1), reported(2, "f")}, kNow);
    EXPECT_EQ(wrong.error().code, ErrorCode::invalid);
    ReportedChunk longer = reported(1);
    longer.bytes = 11;
    EXPECT_EQ(assets().report_chunks(kAlice, upload.id, std::vector{longer}, kNow).error().field,
              "completed_chunks[0]");
    EXPECT_EQ(assets().find_upload(upload.id)->chunks_reported, 0U);
    EXPECT_FALSE(assets().chunks(upload.id).value()[0].reported);
    EXPECT_EQ(assets().report_chunks(kBob, upload.id, std::vector{reported(1)}, kNow).error().code,
              ErrorCode::not_found);
}

TEST_P(AssetsConformance, TheLastChunkCompletesTheUploadAndDuplicatesAreCounted) {
    const core::Asset asset = an_asset();
    const core::Upload upload = an_upload(asset);
    ASSERT_TRUE(assets().insert_upload(upload, asset, {}));
    for (std::uint32_t index = 1; index <= 3; ++index)
        ASSERT_TRUE(assets().put_chunk(upload.id, a_chunk(index)));
    auto report = assets().report_chunks(kAlice, upload.id, std::vector{reported(3), reported(3)}, kNow + 1s);
    EXPECT_EQ(report->processed, 1U);
    EXPECT_EQ(report->duplicates, 1U);
    EXPECT_EQ(report->upload.state, UploadState::active);
    report = assets().report_chunks(kAlice, upload.id, std::vector{reported(1), reported(2), reported(3)},
                                    kNow + 2s);
    EXPECT_EQ(report->processed, 2U);
    EXPECT_EQ(report->duplicates, 1U);
    EXPECT_EQ(report->upload.state, UploadState::completed);
    EXPECT_EQ(report->upload.bytes_reported, 25U);
    EXPECT_EQ(report->upload.updated_at, kNow + 2s);
    EXPECT_EQ(assets().find_upload(upload.id)->state, UploadState::completed);
    report = assets().report_chunks(kAlice, upload.id, std::vector{reported(2)}, kNow + 3s);
    EXPECT_EQ(report->duplicates, 1U);
    EXPECT_EQ(assets().put_chunk(upload.id, a_chunk(1)).error().code, ErrorCode::conflict);
}

TEST_P(AssetsConformance, AnUploadThatEndedTakesNoChunks) {
    const core::Asset asset = an_asset();
    const core::Upload upload = an_upload(asset);
    ASSERT_TRUE(assets().insert_upload(upload, asset, {}));
    ASSERT_TRUE(assets().put_chunk(upload.id, a_chunk(1)));
    ASSERT_TRUE(assets().end_upload(upload.id, UploadState::expired, kNow + 1s));
    EXPECT_EQ(assets().find_upload(upload.id)->state, UploadState::expired);
    EXPECT_EQ(assets().find_upload(upload.id)->updated_at, kNow + 1s);
    EXPECT_EQ(assets().put_chunk(upload.id, a_chunk(2)).error().code, ErrorCode::conflict);
    EXPECT_EQ(assets().report_chunks(kAlice, upload.id, std::vector{reported(1)}, kNow).error().code,
              ErrorCode::conflict);
    EXPECT_EQ(assets().end_upload(upload.id, UploadState::failed, kNow).error().code, ErrorCode::conflict);
    EXPECT_EQ(assets().end_upload(UploadId::make(kNow), UploadState::failed, kNow).error().code,
              ErrorCode::not_found);
}

TEST_P(AssetsConformance, ActiveUploadsAreListedAndExpiredOnesFound) {
    std::vector<UploadId> ids;
    for (int at = 0; at < 3; ++at) {
        const core::Asset asset = an_asset("clip.mp4", kNow + at * 1s);
        const core::Upload upload = an_upload(asset, kNow + at * 1s);
        ASSERT_TRUE(assets().insert_upload(upload, asset, {}));
        ids.insert(ids.begin(), upload.id);
    }
    const auto all = assets().list_uploads(kAlice, kNow, {0, 10}).value();
    EXPECT_EQ(all.total, 3U);
    EXPECT_EQ(all.rows[0].id, ids[0]);
    EXPECT_EQ(assets().list_uploads(kAlice, kNow, {1, 1})->rows[0].id, ids[1]);
    EXPECT_EQ(assets().list_uploads(kBob, kNow, {0, 10})->total, 0U);
    EXPECT_EQ(assets().list_uploads(kAlice, kNow + 24h + 1s, {0, 10})->total, 1U);
    EXPECT_EQ(assets().expired_uploads(kNow + 24h + 1s)->size(), 2U);
    ASSERT_TRUE(assets().end_upload(ids[2], UploadState::expired, kNow + 24h));
    EXPECT_EQ(assets().expired_uploads(kNow + 24h + 1s)->size(), 1U);
    EXPECT_EQ(assets().list_uploads(kAlice, kNow, {0, 10})->total, 2U);
}

}  // namespace sheaf::store

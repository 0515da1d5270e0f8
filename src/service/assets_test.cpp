#include <latch>

#include "service/assets_world.h"

namespace sheaf::service {
namespace {

class AssetsTest : public AssetsWorld {
protected:
    async::Task<void> create_and_forget(IncomingFile file) {
        co_await assets->create({.account = kTeam, .filename = "film.mp4"}, std::move(file));
    }
};

TEST_F(AssetsTest, AnAssetIsProcessingThenReady) {
    media.held = true;
    const auto created = create("video bytes");
    ASSERT_TRUE(created);
    EXPECT_EQ(created->state, core::AssetState::processing);
    EXPECT_EQ(find(created->id)->state, core::AssetState::processing) << "durable when the call returns";
    media.held = false;
    run_all();
    const auto ready = find(created->id);
    ASSERT_TRUE(ready);
    EXPECT_EQ(ready->state, core::AssetState::ready);
    EXPECT_EQ(ready->type, core::MediaType::video);
    EXPECT_EQ(ready->mime_type, "video/mp4");
    EXPECT_EQ(ready->duration_s, 12);
    EXPECT_EQ(ready->bytes, 11U);
    EXPECT_EQ(ready->details, "details of video/mp4, 11");
    EXPECT_EQ(ready->filename, "film.mp4");
    EXPECT_EQ(bytes_of(*ready), "video bytes");
}

TEST_F(AssetsTest, ABrokenFileFailsWithASentenceAndGoes) {
    const auto created = create("nothing known");
    run_all();
    const auto failed = find(created->id);
    EXPECT_EQ(failed->state, core::AssetState::failed);
    EXPECT_EQ(failed->error, "The file is broken.");
    EXPECT_TRUE(keys().empty());
    EXPECT_EQ(media.probes, 1) << "asking again would not help";
}

TEST_F(AssetsTest, AnEmptyFileFails) {
    const auto created = create("");
    run_all();
    EXPECT_EQ(find(created->id)->state, core::AssetState::failed);
}

TEST_F(AssetsTest, AProbeThatTheServerCouldNotMakeIsMadeAgain) {
    const auto created = create("machinery");
    run_all();
    EXPECT_EQ(find(created->id)->state, core::AssetState::ready);
    EXPECT_EQ(media.probes, 2);
}

TEST_F(AssetsTest, AnImageAboveItsOwnLimitFails) {
    limits.image_bytes_max = 10;
    restart();
    const auto small = create("image 7890");
    const auto large = create("image 78901");
    run_all();
    EXPECT_EQ(find(small->id)->state, core::AssetState::ready);
    EXPECT_EQ(find(large->id)->state, core::AssetState::failed);
    EXPECT_FALSE(find(large->id)->error.empty());
}

TEST_F(AssetsTest, ADirectFileEndsAtItsLimit) {
    limits.direct_media_bytes_max = 10;
    restart();
    auto file = run(assets->new_file());
    ASSERT_TRUE(file);
    EXPECT_TRUE(run(file->append("video")));
    EXPECT_EQ(run(file->append("123456")).error().code, ErrorCode::too_large);
    EXPECT_TRUE(run(file->append("12345")));
    EXPECT_EQ(file->bytes(), 10U);
}

TEST_F(AssetsTest, ADroppedFileLeavesNothing) {
    {
        auto file = run(assets->new_file());
        ASSERT_TRUE(file);
        ASSERT_TRUE(run(file->append("half")));
    }
    EXPECT_TRUE(keys().empty());
}

TEST_F(AssetsTest, MetadataThatIsSetWhileItIsProbedIsKept) {
    media.held = true;
    const auto created = create("video");
    ASSERT_TRUE(run(assets->set_user_metadata(kTeam, created->id, "{\"a\":1}")));
    media.held = false;
    run_all();
    EXPECT_EQ(find(created->id)->state, core::AssetState::ready);
    EXPECT_EQ(find(created->id)->user_metadata, "{\"a\":1}");
}

TEST_F(AssetsTest, RemovingTakesTheBytesToo) {
    const auto created = create("video");
    run_all();
    EXPECT_EQ(run(assets->remove({"other"}, created->id, false)).error().code, ErrorCode::not_found);
    EXPECT_EQ(keys().size(), 1U);
    EXPECT_TRUE(run(assets->remove(kTeam, created->id, false)));
    EXPECT_TRUE(keys().empty());
    EXPECT_EQ(find(created->id).error().code, ErrorCode::not_found);
}

TEST_F(AssetsTest, AnAssetInUseIsRemovedByForceOnly) {
    const auto created = create("video");
    run_all();
    store::BatchDraft draft;
    draft.batch = {.id = make_batch_id(kNoon),
                   .account = kTeam,
                   .dialect = "test",
                   .created_at = kNoon,
                   .expires_at = kNoon + 24h,
                   .purge_at = kNoon + 48h};
    draft.items.push_back({.subject = core::Subject::asset(created->id), .body_bytes = 2});
    auto body = store->batches().new_body();
    ASSERT_TRUE((*body)->append("{}"));
    ASSERT_TRUE(store->batches().create(std::move(draft), std::move(*body)));
    EXPECT_EQ(run(assets->remove(kTeam, created->id, false)).error().code, ErrorCode::conflict);
    EXPECT_EQ(keys().size(), 1U);
    EXPECT_TRUE(run(assets->remove(kTeam, created->id, true)));
    EXPECT_TRUE(keys().empty());
}

TEST_F(AssetsTest, AnAssetThatIsRemovedWhileItIsProbedStaysAway) {
    media.held = true;
    const auto created = create("video");
    turn_until([&] { return media.probes == 1; });
    ASSERT_TRUE(run(assets->remove(kTeam, created->id, false)));
    media.held = false;
    run_all();
    EXPECT_EQ(find(created->id).error().code, ErrorCode::not_found);
    EXPECT_TRUE(keys().empty());
}

TEST_F(AssetsTest, AProbeThatACrashInterruptedIsTakenUp) {
    media.held = true;
    const auto created = create("video");
    turn_until([&] { return media.probes == 1; });
    run(assets->stop());
    EXPECT_EQ(find(created->id)->state, core::AssetState::processing);
    media.held = false;
    restart();
    run(assets->resume());
    run_all();
    EXPECT_EQ(find(created->id)->state, core::AssetState::ready);
}

TEST_F(AssetsTest, ResumingTwiceProbesOnce) {
    media.held = true;
    const auto created = create("video");
    turn_until([&] { return media.probes == 1; });
    run(assets->resume());
    run(assets->resume());
    media.held = false;
    run_all();
    EXPECT_EQ(find(created->id)->state, core::AssetState::ready);
    EXPECT_EQ(media.probes, 1);
}

TEST_F(AssetsTest, ManyAreProbedAFewAtATime) {
    media.held = true;
    std::vector<AssetId> ids;
    for (int n = 0; n < 40; ++n) ids.push_back(create("video")->id);
    turn_until([&] { return media.probes == 8; });
    io.restart();
    io.run_for(20ms);
    EXPECT_EQ(media.probes, 8);
    media.held = false;
    run_all();
    for (const AssetId& id : ids) EXPECT_EQ(find(id)->state, core::AssetState::ready);
}

TEST_F(AssetsTest, BytesThatAreGoneFailTheAsset) {
    media.held = true;
    const auto created = create("video");
    run(assets->stop());
    ASSERT_TRUE(blobs.remove(created->blob_key));
    media.held = false;
    restart();
    run(assets->resume());
    run_all();
    EXPECT_EQ(find(created->id)->state, core::AssetState::failed);
    EXPECT_FALSE(find(created->id)->error.empty());
}

TEST_F(AssetsTest, AUrlIsFetchedBehindTheCall) {
    fetcher.files["http://host/film.mp4"] = "video from afar";
    const auto created = create_from_url("http://host/film.mp4");
    ASSERT_TRUE(created);
    EXPECT_EQ(created->state, core::AssetState::processing);
    run_all();
    const auto ready = find(created->id);
    EXPECT_EQ(ready->state, core::AssetState::ready) << ready->error;
    EXPECT_EQ(ready->bytes, 15U);
    EXPECT_EQ(bytes_of(*ready), "video from afar");
}

TEST_F(AssetsTest, AUrlThatCannotBeFetchedFailsWithTheReason) {
    const auto created = create_from_url("http://host/gone.mp4");
    run_all();
    EXPECT_EQ(find(created->id)->state, core::AssetState::failed);
    EXPECT_EQ(find(created->id)->error, "The URL's server answered with status 404.");
    EXPECT_TRUE(keys().empty());
}

TEST_F(AssetsTest, AnImageFromAUrlHasTheLimitOfImages) {
    limits.image_bytes_max = 10;
    restart();
    fetcher.files["http://host/picture"] = "image 78901";
    const auto created = create_from_url("http://host/picture");
    run_all();
    EXPECT_EQ(find(created->id)->state, core::AssetState::failed);
    EXPECT_TRUE(keys().empty());
}

TEST_F(AssetsTest, StoppingEndsAFetchAndTheNextStartTakesItUp) {
    const auto created = create_from_url("http://silent/");
    turn_until([&] { return fetcher.calls == 1; });
    run(assets->stop());
    EXPECT_EQ(find(created->id)->state, core::AssetState::processing);
    EXPECT_TRUE(keys().empty());
    restart();
    run(assets->resume());
    turn_until([&] { return fetcher.calls == 2; });
}

TEST_F(AssetsTest, AnAssetThatIsRemovedWhileItIsFetchedLeavesNothing) {
    fetcher.files["http://host/film.mp4"] = "video from afar";
    const auto created = create_from_url("http://host/film.mp4");
    ASSERT_TRUE(run(assets->remove(kTeam, created->id, false)));
    run_all();
    EXPECT_EQ(find(created->id).error().code, ErrorCode::not_found);
    EXPECT_TRUE(keys().empty());
}

TEST_F(AssetsTest, AFetchThatWasCompleteBeforeTheCrashIsNotRepeated) {
    const auto created = create_from_url("http://silent/");
    run(assets->stop());
    put_blob(blob_key_of(created->id), "video that was here");
    const int calls = fetcher.calls;
    restart();
    run(assets->resume());
    run_all();
    EXPECT_EQ(find(created->id)->state, core::AssetState::ready);
    EXPECT_EQ(fetcher.calls, calls);
}

TEST_F(AssetsTest, ARowThatCouldNotBeWrittenLeavesNoBytes) {
    asset_rows.insert_fails = ErrorCode::no_space;
    EXPECT_EQ(create("video").error().code, ErrorCode::no_space);
    EXPECT_TRUE(keys().empty());
}

TEST_F(AssetsTest, BytesStayWhenNobodyKnowsWhetherTheRowWasWritten) {
    asset_rows.insert_fails = ErrorCode::unavailable;
    EXPECT_EQ(create("video").error().code, ErrorCode::unavailable);
    EXPECT_EQ(keys().size(), 1U);
    asset_rows.insert_fails.reset();
    clock.advance(10s);
    restart();
    run(assets->resume());
    EXPECT_TRUE(keys().empty()) << "the next start knows";
}

TEST_F(AssetsTest, AnOutcomeThatCouldNotBeWrittenIsFoundAgain) {
    asset_rows.updates_that_fail = 1;
    const auto created = create("video");
    run_all();
    EXPECT_EQ(find(created->id)->state, core::AssetState::processing);
    run(assets->resume());
    run_all();
    EXPECT_EQ(find(created->id)->state, core::AssetState::ready);
}

TEST_F(AssetsTest, AClientThatGoesAwayDuringCreateLosesNothing) {
    auto file = run(assets->new_file());
    ASSERT_TRUE(run(file->append("video")));
    // The disk is slow, so that the client goes while the bytes are being committed.
    std::latch gate(1);
    const auto wait = [&] { gate.wait(); };
    async::TaskGroup group(io.get_executor());
    group.spawn(lane.run(wait));
    group.spawn(create_and_forget(std::move(*file)));
    io.restart();
    while (io.poll() > 0) {
    }
    group.stop();
    gate.count_down();
    run_all();
    EXPECT_EQ(group.size(), 0U);
    const auto page = run(assets->list({.account = kTeam}));
    ASSERT_TRUE(page);
    ASSERT_EQ(page->rows.size(), 1U) << "bytes without a row would be lost to everybody";
    EXPECT_EQ(page->rows.front().state, core::AssetState::ready);
}

TEST_F(AssetsTest, BytesOfNoAssetAreRemovedAtTheStart) {
    const auto kept = create("video");
    run_all();
    const AssetId lost = AssetId::make(clock.now());
    put_blob(blob_key_of(lost), "left behind");
    clock.advance(10s);
    restart();
    const AssetId coming = AssetId::make(clock.now());
    put_blob(blob_key_of(coming), "its row comes in a moment");
    run(assets->resume());
    EXPECT_EQ(keys(), (std::set<std::string>{blob_key_of(kept->id), blob_key_of(coming)}));
}

}  // namespace
}  // namespace sheaf::service

#include "service/files_world.h"

namespace sheaf::service {
namespace {

class FilesTest : public FilesWorld {
protected:
    ErrorCode find(FileId id, const AccountId& account = {"team"}) {
        const auto found = run(files->find(account, id));
        return found ? ErrorCode::internal : found.error().code;
    }
    void put_blob(const std::string& key) {
        auto writer = blobs.create(key);
        ASSERT_TRUE(writer);
        ASSERT_TRUE((*writer)->append("left"));
        ASSERT_TRUE((*writer)->commit());
    }
};

// A batch of two items, the second of which succeeded, laid out as output and error file.
core::File published_output(store::Store& store, const AccountId& account) {
    store::BatchDraft draft;
    draft.batch.id = make_batch_id(kNoon);
    draft.batch.account = account;
    draft.batch.dialect = "test";
    draft.batch.created_at = kNoon;
    draft.items.resize(2);
    EXPECT_TRUE(store.batches().create(draft, store.batches().new_body().value()));
    const auto claimed = store.items().claim({.batch = draft.batch.id, .count_max = 2, .now = kNoon});
    const store::ItemResult good{draft.batch.id.item(1), 1, core::ItemState::succeeded, "good\n", {}, kNoon};
    const store::ItemResult bad{draft.batch.id.item(0), 1, core::ItemState::failed, "bad!!\n", {}, kNoon};
    EXPECT_TRUE(store.items().finish(std::vector{good, bad}));
    core::File errors;
    const auto files = [&](const core::Batch& batch, std::uint64_t succeeded, std::uint64_t total) {
        errors = {.id = core::result_file_id(batch.id, core::kErrorFile),
                  .account = account,
                  .purpose = "batch_output",
                  .filename = "errors",
                  .bytes = total - succeeded,
                  .expires_at = {},
                  .created_at = kNoon,
                  .blob_key = {},
                  .batch = batch.id,
                  .offset = succeeded};
        return std::vector{errors};
    };
    EXPECT_TRUE(store.batches().publish(draft.batch.id,
                                        {.render = [](const auto&, const auto&) { return std::string(); },
                                         .order = core::ItemCodec::Order::succeeded_first,
                                         .files = files}));
    return errors;
}

TEST_F(FilesTest, AFileIsStoredWithItsBytes) {
    const auto file = create("one\ntwo\n", 1h);
    ASSERT_TRUE(file);
    EXPECT_EQ(file->bytes, 8U);
    EXPECT_EQ(file->purpose, "batch");
    EXPECT_EQ(file->filename, "in.jsonl");
    EXPECT_EQ(file->created_at, kNoon);
    EXPECT_EQ(file->expires_at, kNoon + 1h);
    const auto found = run(files->find(kTeam, file->id));
    ASSERT_TRUE(found);
    EXPECT_EQ(read(*found), "one\ntwo\n");
    EXPECT_EQ(keys_of(blobs), std::set{blob_key_of(file->id)});
    EXPECT_FALSE(create("")->expires_at);
}

TEST_F(FilesTest, AFileThatIsNotHandedOverLeavesNothing) {
    {
        auto coming = run(files->new_file());
        ASSERT_TRUE(run(coming->append("half")));
    }
    EXPECT_TRUE(keys_of(blobs).empty());
    EXPECT_TRUE(run(files->list({.account = kTeam, .purpose = {}, .after = {}, .now = {}}))->rows.empty());
}

TEST_F(FilesTest, BytesBeyondTheLimitAreNotTaken) {
    limits.file_bytes_max = 4;
    start();
    auto coming = run(files->new_file());
    ASSERT_TRUE(run(coming->append("four")));
    EXPECT_EQ(run(coming->append("!")).error().code, ErrorCode::too_large);
    EXPECT_EQ(coming->bytes(), 4U);
    EXPECT_EQ(read(*run(files->create({kTeam, "batch", "f", {}}, std::move(*coming)))), "four");
}

TEST_F(FilesTest, AFullDiskLeavesNothing) {
    auto coming = run(files->new_file());
    ASSERT_TRUE(run(coming->append("bytes")));
    blobs.writers_fail = true;
    EXPECT_EQ(run(coming->append("more")).error().code, ErrorCode::no_space);
    const auto file = run(files->create({kTeam, "batch", "f", {}}, std::move(*coming)));
    EXPECT_EQ(file.error().code, ErrorCode::no_space);
    EXPECT_TRUE(keys_of(blobs).empty());
    EXPECT_TRUE(run(files->list({.account = kTeam, .purpose = {}, .after = {}, .now = {}}))->rows.empty());
}

TEST_F(FilesTest, AnotherAccountSeesNothing) {
    const auto file = create("bytes");
    EXPECT_EQ(find(file->id, kOther), ErrorCode::not_found);
    EXPECT_EQ(run(files->remove(kOther, file->id)).error().code, ErrorCode::not_found);
    EXPECT_EQ(read(*file), "bytes");
}

TEST_F(FilesTest, ARemovedFileIsGoneWithItsBytes) {
    const auto file = create("bytes");
    const auto opened = run(files->open(*file));
    ASSERT_TRUE(opened);
    ASSERT_TRUE(run(files->remove(kTeam, file->id)));
    EXPECT_EQ(find(file->id), ErrorCode::not_found);
    EXPECT_TRUE(keys_of(blobs).empty());
    EXPECT_EQ(run(files->remove(kTeam, file->id)).error().code, ErrorCode::not_found);
    EXPECT_EQ(run(files->open(*file)).error().code, ErrorCode::not_found);
    EXPECT_EQ(text_of(*opened), "bytes") << "whoever has it open reads on";
}

TEST_F(FilesTest, BytesThatAreLostAreNoMissingFile) {
    const auto file = create("bytes");
    ASSERT_TRUE(blobs.remove(file->blob_key));
    EXPECT_EQ(run(files->open(*file)).error().code, ErrorCode::corrupt);
    put_blob(file->blob_key);
    EXPECT_EQ(run(files->open(*file)).error().code, ErrorCode::corrupt) << "of another size";
}

TEST_F(FilesTest, AnExpiredFileIsGoneBeforeItIsCleared) {
    const auto file = create("bytes", 1h);
    const auto stays = create("other");
    clock.advance(1h);
    EXPECT_EQ(find(file->id), ErrorCode::not_found);
    EXPECT_EQ(run(files->remove(kTeam, file->id)).error().code, ErrorCode::not_found);
    EXPECT_EQ(keys_of(blobs).size(), 2U);
    run(files->clear());
    EXPECT_EQ(keys_of(blobs), std::set{stays->blob_key});
    EXPECT_TRUE(store->files().expired(clock.now(), 9)->empty());
}

TEST_F(FilesTest, AResultFileIsARangeOfItsBatchsResults) {
    const core::File errors = published_output(*store, kTeam);
    const auto found = run(files->find(kTeam, errors.id));
    ASSERT_TRUE(found);
    const auto opened = run(files->open(*found));
    ASSERT_TRUE(opened);
    EXPECT_EQ(opened->offset, 5U);
    EXPECT_EQ(text_of(*opened), "bad!!\n");

    ASSERT_TRUE(run(files->remove(kTeam, errors.id)));
    EXPECT_EQ(find(errors.id), ErrorCode::not_found);
    EXPECT_EQ(store->batches().open_results(*errors.batch)->bytes, 11U) << "the batch keeps its results";
}

TEST_F(FilesTest, AResultFileGoesWithItsBatch) {
    const core::File errors = published_output(*store, kTeam);
    ASSERT_TRUE(store->batches().remove(*errors.batch));
    EXPECT_EQ(run(files->open(errors)).error().code, ErrorCode::not_found);
    EXPECT_EQ(find(errors.id), ErrorCode::not_found);
}

TEST_F(FilesTest, ListsLeaveOutWhatIsExpired) {
    ASSERT_TRUE(create("a", 1h));
    const auto stays = create("b");
    clock.advance(2h);
    const auto page = run(files->list({.account = kTeam, .purpose = {}, .after = {}, .now = {}}));
    ASSERT_EQ(page->rows.size(), 1U);
    EXPECT_EQ(page->rows[0].id, stays->id);
}

TEST_F(FilesTest, BytesThatACrashLeftAreRemovedOnce) {
    const auto kept = create("kept");
    const auto lost = create("lost");
    ASSERT_TRUE(store->files().remove(kTeam, lost->id, clock.now())) << "and its bytes stayed";
    const std::string orphan = blob_key_of(FileId::make(clock.now()));
    put_blob(orphan);
    put_blob("assets/of-others");
    clock.advance(2s);
    start();
    const std::string young = blob_key_of(FileId::make(clock.now()));
    put_blob(young);
    run(files->clear());
    EXPECT_EQ(keys_of(blobs), (std::set<std::string>{kept->blob_key, young, "assets/of-others"}));
    put_blob(orphan);
    run(files->clear());
    EXPECT_TRUE(keys_of(blobs).contains(orphan)) << "only at the start";
}

TEST_F(FilesTest, ManyExpiredFilesAreClearedAtOnce) {
    for (int at = 0; at < 250; ++at) ASSERT_TRUE(create("x", 1h));
    clock.advance(1h);
    run(files->clear());
    EXPECT_TRUE(keys_of(blobs).empty());
}

}  // namespace
}  // namespace sheaf::service

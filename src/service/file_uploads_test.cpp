#include "base/hash.h"
#include "service/files_world.h"

namespace sheaf::service {
namespace {

using core::FileUploadState;

class FileUploadsTest : public FilesWorld {
protected:
    Result<CompletedUpload> complete(FileUploadId id, std::vector<FilePartId> order,
                                     std::optional<std::string> md5 = std::nullopt) {
        return run(files->complete(kTeam, id, std::move(order), std::move(md5)));
    }
};

TEST_F(FileUploadsTest, PartsBecomeAFileInTheOrderAsked) {
    const core::FileUpload upload = begin(11);
    EXPECT_EQ(upload.expires_at, kNoon + 1h);
    const auto last = add(upload.id, " world");
    const auto first = add(upload.id, "hello");
    clock.advance(10min);
    const auto completed = complete(upload.id, {first->id, last->id}, md5_hex("hello world"));
    ASSERT_TRUE(completed) << completed.error().message;
    EXPECT_EQ(completed->upload.state, FileUploadState::completed);
    EXPECT_EQ(completed->upload.file, completed->file.id);
    EXPECT_EQ(completed->file.bytes, 11U);
    EXPECT_EQ(completed->file.filename, "large.jsonl");
    EXPECT_EQ(completed->file.created_at, kNoon + 10min);
    EXPECT_EQ(completed->file.expires_at, kNoon + 10min + 2h) << "counted from its own creation";
    EXPECT_EQ(read(*run(files->find(kTeam, completed->file.id))), "hello world");
    EXPECT_EQ(keys_of(blobs), std::set{completed->file.blob_key}) << "the parts are gone";
    EXPECT_TRUE(store->files().parts(upload.id)->empty());
}

TEST_F(FileUploadsTest, AnUploadOfNoBytesBecomesAnEmptyFile) {
    const core::FileUpload upload = begin(0);
    EXPECT_EQ(add(upload.id, "x").error().code, ErrorCode::invalid);
    const auto completed = complete(upload.id, {});
    ASSERT_TRUE(completed);
    EXPECT_EQ(read(completed->file), "");
}

TEST_F(FileUploadsTest, PartsThatAreNotAskedForAreDropped) {
    const core::FileUpload upload = begin(6);
    const auto wanted = add(upload.id, "abcdef");
    ASSERT_TRUE(add(upload.id, ""));
    const auto completed = complete(upload.id, {wanted->id});
    ASSERT_TRUE(completed);
    EXPECT_EQ(keys_of(blobs), std::set{completed->file.blob_key});
}

TEST_F(FileUploadsTest, WhatIsRefusedLeavesTheUploadPending) {
    const core::FileUpload upload = begin(6);
    const auto one = add(upload.id, "abc");
    const auto two = add(upload.id, "def");
    const core::FileUpload other = begin(3);
    const auto foreign = add(other.id, "xyz");
    const auto refused = [&](std::vector<FilePartId> order, std::optional<std::string> md5) {
        const auto completed = complete(upload.id, std::move(order), std::move(md5));
        EXPECT_EQ(completed.error().code, ErrorCode::invalid);
        return completed.error().field;
    };
    EXPECT_EQ(refused({one->id}, {}), "part_ids") << "too few bytes";
    EXPECT_EQ(refused({one->id, one->id}, {}), "part_ids");
    EXPECT_EQ(refused({one->id, foreign->id}, {}), "part_ids");
    EXPECT_EQ(refused({two->id, one->id}, md5_hex("abcdef")), "md5");
    EXPECT_EQ(state_of(upload.id), FileUploadState::pending);
    EXPECT_EQ(keys_of(blobs).size(), 3U) << "the parts, and nothing else";
    EXPECT_TRUE(complete(upload.id, {one->id, two->id}, md5_hex("abcdef")));
}

TEST_F(FileUploadsTest, APartBeyondWhatWasAnnouncedLeavesNothing) {
    const core::FileUpload upload = begin(5);
    ASSERT_TRUE(add(upload.id, "abc"));
    EXPECT_EQ(add(upload.id, "def").error().code, ErrorCode::invalid);
    EXPECT_EQ(keys_of(blobs).size(), 1U);
}

TEST_F(FileUploadsTest, APartIsAsLargeAsAllowed) {
    limits.file_part_bytes_max = 3;
    start();
    const core::FileUpload upload = begin(9);
    ASSERT_TRUE(add(upload.id, "abc"));
    EXPECT_EQ(add(upload.id, "defg").error().code, ErrorCode::too_large);
    EXPECT_EQ(keys_of(blobs).size(), 1U);
}

TEST_F(FileUploadsTest, AnUploadIsAsLargeAsAllowed) {
    limits.file_upload_bytes_max = 10;
    start();
    EXPECT_EQ(run(files->begin_upload({{kTeam, "batch", "f", {}}, "", 11})).error().code,
              ErrorCode::too_large);
    begin(10);
}

TEST_F(FileUploadsTest, ACanceledUploadIsGoneWithItsParts) {
    const core::FileUpload upload = begin(5);
    const auto part = add(upload.id, "abcde");
    const auto canceled = run(files->cancel(kTeam, upload.id));
    ASSERT_TRUE(canceled);
    EXPECT_EQ(canceled->state, FileUploadState::canceled);
    EXPECT_TRUE(keys_of(blobs).empty());
    EXPECT_EQ(run(files->cancel(kTeam, upload.id))->state, FileUploadState::canceled) << "again";
    EXPECT_EQ(add(upload.id, "x").error().code, ErrorCode::conflict);
    EXPECT_EQ(complete(upload.id, {part->id}).error().code, ErrorCode::conflict);
}

TEST_F(FileUploadsTest, ACompletedUploadIsNotCanceled) {
    const core::FileUpload upload = begin(1);
    const auto part = add(upload.id, "x");
    const auto completed = complete(upload.id, {part->id});
    ASSERT_TRUE(completed);
    EXPECT_EQ(run(files->cancel(kTeam, upload.id)).error().code, ErrorCode::conflict);
    EXPECT_EQ(complete(upload.id, {part->id}).error().code, ErrorCode::conflict);
    EXPECT_EQ(read(completed->file), "x");
}

TEST_F(FileUploadsTest, AnUploadIsShownExpiredBeforeItIsCleared) {
    const core::FileUpload upload = begin(5);
    const auto part = add(upload.id, "abcde");
    clock.advance(1h - 1ms);
    EXPECT_EQ(state_of(upload.id), FileUploadState::pending);
    auto coming = run(files->new_part(kTeam, upload.id));
    ASSERT_TRUE(coming);
    clock.advance(1ms);
    EXPECT_EQ(run(files->add_part(kTeam, upload.id, std::move(*coming))).error().code, ErrorCode::conflict);
    EXPECT_EQ(state_of(upload.id), FileUploadState::expired);
    EXPECT_EQ(run(files->new_part(kTeam, upload.id)).error().code, ErrorCode::conflict);
    EXPECT_EQ(complete(upload.id, {part->id}).error().code, ErrorCode::conflict);
    EXPECT_EQ(run(files->cancel(kTeam, upload.id)).error().code, ErrorCode::conflict);
    EXPECT_TRUE(keys_of(blobs).empty());
}

TEST_F(FileUploadsTest, ExpiredUploadsAreClearedThoughNobodyAsks) {
    const core::FileUpload upload = begin(5);
    ASSERT_TRUE(add(upload.id, "abcde"));
    clock.advance(1h);
    run(files->clear());
    EXPECT_TRUE(keys_of(blobs).empty());
    EXPECT_EQ(store->files().find_upload(kTeam, upload.id)->state, FileUploadState::expired);
}

TEST_F(FileUploadsTest, AnotherAccountSeesNothing) {
    const core::FileUpload upload = begin(1);
    const auto part = add(upload.id, "x");
    const auto denied = [](const auto& answer) { return answer.error().code == ErrorCode::not_found; };
    EXPECT_TRUE(denied(run(files->find_upload(kOther, upload.id))));
    EXPECT_TRUE(denied(run(files->new_part(kOther, upload.id))));
    EXPECT_TRUE(denied(run(files->complete(kOther, upload.id, {part->id}, {}))));
    EXPECT_TRUE(denied(run(files->cancel(kOther, upload.id))));
    auto coming = run(files->new_part(kTeam, upload.id));
    EXPECT_TRUE(denied(run(files->add_part(kOther, upload.id, std::move(*coming)))));
    EXPECT_EQ(state_of(upload.id), FileUploadState::pending);
}

TEST_F(FileUploadsTest, AFullDiskLeavesTheUploadAsItWas) {
    const core::FileUpload upload = begin(5);
    const auto part = add(upload.id, "abcde");
    blobs.writers_fail = true;
    EXPECT_EQ(add(upload.id, "").error().code, ErrorCode::no_space);
    EXPECT_EQ(complete(upload.id, {part->id}).error().code, ErrorCode::no_space);
    EXPECT_EQ(keys_of(blobs).size(), 1U);
    blobs.writers_fail = false;
    EXPECT_TRUE(complete(upload.id, {part->id}));
}

TEST_F(FileUploadsTest, PartsThatCouldNotBeRemovedAreRemovedLater) {
    const core::FileUpload upload = begin(5);
    const auto part = add(upload.id, "abcde");
    blobs.removals_fail = true;
    const auto completed = complete(upload.id, {part->id});
    ASSERT_TRUE(completed);
    EXPECT_EQ(keys_of(blobs).size(), 2U);
    run(files->clear());
    EXPECT_EQ(keys_of(blobs).size(), 2U);
    blobs.removals_fail = false;
    run(files->clear());
    EXPECT_EQ(keys_of(blobs), std::set{completed->file.blob_key});
    EXPECT_TRUE(store->files().ended_with_parts(9)->empty());
}

TEST_F(FileUploadsTest, APartWhoseBytesAreLostIsNoMistakeOfTheClient) {
    const core::FileUpload upload = begin(5);
    const auto part = add(upload.id, "abcde");
    ASSERT_TRUE(blobs.remove(part->blob_key));
    EXPECT_EQ(complete(upload.id, {part->id}).error().code, ErrorCode::corrupt);
    EXPECT_TRUE(keys_of(blobs).empty());
}

TEST_F(FileUploadsTest, BytesThatACrashLeftAreRemoved) {
    const core::FileUpload upload = begin(5);
    const auto part = add(upload.id, "abcde");
    const auto put = [&](const std::string& key) { ASSERT_TRUE((*blobs.create(key))->commit()); };
    put(blob_key_of(upload.id, FilePartId::make(clock.now())));
    put(blob_key_of(FileUploadId::make(clock.now()), FilePartId::make(clock.now())));
    clock.advance(2s);
    start();
    // On its way while the others are cleared away.
    const std::string young = blob_key_of(upload.id, FilePartId::make(clock.now()));
    put(young);
    run(files->clear());
    EXPECT_EQ(keys_of(blobs), (std::set{part->blob_key, young}));
    EXPECT_TRUE(complete(upload.id, {part->id}));
}

}  // namespace
}  // namespace sheaf::service

#include <atomic>
#include <thread>

#include "store/store_conformance.h"

namespace sheaf::store {
namespace {

using core::FileUploadState;
using namespace std::chrono_literals;

core::File a_file(std::string purpose = "batch") {
    return {.id = FileId::make(kNow),
            .account = kAlice,
            .purpose = std::move(purpose),
            .filename = "in\xc3\xa4put\"\n.jsonl",
            .bytes = 5'000'000'000,
            .expires_at = kNow + 24h * 30,
            .created_at = kNow,
            .blob_key = "files/1",
            .batch = {},
            .offset = 0};
}

core::FileUpload an_upload(std::uint64_t bytes = 100) {
    return {.id = FileUploadId::make(kNow),
            .account = kAlice,
            .state = FileUploadState::pending,
            .purpose = "batch",
            .filename = "large.jsonl",
            .mime_type = "application/jsonl",
            .bytes = bytes,
            .file_lifetime = 7200s,
            .file = {},
            .created_at = kNow,
            .expires_at = kNow + 1h};
}

core::FilePart a_part(std::uint64_t bytes, std::string key = "parts/1/1") {
    return {FilePartId::make(kNow), bytes, std::move(key), kNow + 1s};
}

FileQuery everything(const AccountId& account = kAlice) {
    return {.account = account, .purpose = {}, .after = {}, .now = kNow};
}

std::vector<FileId> ids_of(const FilePage& page) {
    std::vector<FileId> ids;
    for (const core::File& row : page.rows) ids.push_back(row.id);
    return ids;
}

}  // namespace

TEST_P(FilesConformance, WhatWasInsertedIsFound) {
    const core::File file = a_file();
    core::File plain = a_file();
    plain.expires_at.reset();
    ASSERT_TRUE(files().insert(file));
    ASSERT_TRUE(files().insert(plain));
    EXPECT_EQ(files().insert(file).error().code, ErrorCode::conflict);
    for (int round = 0; round < 2; ++round) {
        const auto read = files().find(kAlice, file.id, kNow);
        ASSERT_TRUE(read);
        EXPECT_EQ(read->id, file.id);
        EXPECT_EQ(read->account, kAlice);
        EXPECT_EQ(read->purpose, file.purpose);
        EXPECT_EQ(read->filename, file.filename);
        EXPECT_EQ(read->bytes, file.bytes);
        EXPECT_EQ(read->expires_at, file.expires_at);
        EXPECT_EQ(read->created_at, kNow);
        EXPECT_EQ(read->blob_key, "files/1");
        EXPECT_FALSE(read->batch);
        EXPECT_EQ(read->offset, 0U);
        EXPECT_FALSE(files().find(kAlice, plain.id, kNow)->expires_at);
        if (!reopen()) break;
    }
}

TEST_P(FilesConformance, AnotherAccountSeesNoFile) {
    const core::File file = a_file();
    ASSERT_TRUE(files().insert(file));
    EXPECT_EQ(files().find(kBob, file.id, kNow).error().code, ErrorCode::not_found);
    EXPECT_EQ(files().remove(kBob, file.id, kNow).error().code, ErrorCode::not_found);
    EXPECT_TRUE(files().list(everything(kBob))->rows.empty());
    FileQuery beside = everything(kBob);
    beside.after = file.id;
    ASSERT_TRUE(files().insert(core::File{.id = FileId::make(kNow), .account = kBob, .purpose = "batch"}));
    EXPECT_TRUE(files().list(beside)->rows.empty()) << "a foreign cursor is not known";
    EXPECT_TRUE(files().find(kAlice, file.id, kNow));
}

TEST_P(FilesConformance, ListsGoInTheOrderOfCreationEitherWay) {
    // Created within one instant: neither time nor id tells the order.
    std::vector<FileId> oldest_first;
    for (int at = 0; at < 5; ++at) {
        const core::File file = a_file(at % 2 == 0 ? "batch" : "vision");
        ASSERT_TRUE(files().insert(file));
        oldest_first.push_back(file.id);
    }
    const std::vector<FileId> newest_first(oldest_first.rbegin(), oldest_first.rend());
    for (int round = 0; round < 2; ++round) {
        for (const bool is_oldest_first : {false, true}) {
            const std::vector<FileId>& expected = is_oldest_first ? oldest_first : newest_first;
            FileQuery query = everything();
            query.oldest_first = is_oldest_first;
            EXPECT_EQ(ids_of(*files().list(query)), expected);
            for (std::uint32_t count = 1; count <= 6; ++count) {
                query.after.reset();
                query.count = count;
                std::vector<FileId> paged;
                for (;;) {
                    const auto page = files().list(query).value();
                    ASSERT_LE(page.rows.size(), count);
                    for (const core::File& row : page.rows) paged.push_back(row.id);
                    EXPECT_EQ(page.has_more, paged.size() < 5);
                    if (!page.has_more) break;
                    query.after = page.rows.back().id;
                }
                EXPECT_EQ(paged, expected);
            }
        }
        if (!reopen()) break;
    }
}

TEST_P(FilesConformance, ListsAreFilteredByPurpose) {
    std::vector<FileId> batch;
    for (const char* const purpose : {"batch", "vision", "batch", "batch_output"}) {
        const core::File file = a_file(purpose);
        ASSERT_TRUE(files().insert(file));
        if (std::string_view(purpose) == "batch") batch.insert(batch.begin(), file.id);
    }
    FileQuery query = everything();
    query.purpose = "batch";
    EXPECT_EQ(ids_of(*files().list(query)), batch);
    query.count = 1;
    EXPECT_TRUE(files().list(query)->has_more);
    query.after = batch[0];
    EXPECT_EQ(ids_of(*files().list(query)), std::vector{batch[1]});
    EXPECT_FALSE(files().list(query)->has_more) << "the file beyond is of another purpose";
    query.oldest_first = true;
    EXPECT_TRUE(files().list(query)->rows.empty());
    query.purpose = "assistants";
    query.after.reset();
    EXPECT_TRUE(files().list(query)->rows.empty());
}

TEST_P(FilesConformance, AFileIsRemovedOnceAndTold) {
    const core::File file = a_file();
    ASSERT_TRUE(files().insert(file));
    const auto removed = files().remove(kAlice, file.id, kNow);
    ASSERT_TRUE(removed);
    EXPECT_EQ(removed->blob_key, file.blob_key);
    for (int round = 0; round < 2; ++round) {
        EXPECT_EQ(files().remove(kAlice, file.id, kNow).error().code, ErrorCode::not_found);
        EXPECT_EQ(files().find(kAlice, file.id, kNow).error().code, ErrorCode::not_found);
        EXPECT_TRUE(files().list(everything())->rows.empty());
        EXPECT_TRUE(files().expired(kNow + 24h * 100, 9)->empty());
        if (!reopen()) break;
    }
}

TEST_P(FilesConformance, ARemovedFileKeepsItsPlaceForThirtyDays) {
    std::vector<FileId> ids;
    for (int at = 0; at < 4; ++at) {
        const core::File file = a_file();
        ASSERT_TRUE(files().insert(file));
        ids.push_back(file.id);
    }
    ASSERT_TRUE(files().remove(kAlice, ids[1], kNow + 1h));
    ASSERT_TRUE(files().remove(kAlice, ids[3], kNow + 1h));
    const core::File later = a_file();
    ASSERT_TRUE(files().insert(later));
    const auto after = [&](const FileId& id, bool oldest_first) {
        FileQuery query = everything();
        query.after = id;
        query.oldest_first = oldest_first;
        return ids_of(*files().list(query));
    };
    for (int round = 0; round < 2; ++round) {
        EXPECT_EQ(after(ids[1], false), std::vector{ids[0]});
        EXPECT_EQ(after(ids[1], true), (std::vector{ids[2], later.id}));
        EXPECT_EQ(after(ids[3], false), (std::vector{ids[2], ids[0]}));
        EXPECT_EQ(after(ids[3], true), std::vector{later.id});
        ASSERT_TRUE(files().forget_removed(kNow + 1h + 24h * 30 - 1ms));
        if (!reopen()) break;
    }
    ASSERT_TRUE(files().forget_removed(kNow + 1h + 24h * 30));
    EXPECT_TRUE(after(ids[1], false).empty());
    EXPECT_EQ(after(ids[2], false), std::vector{ids[0]}) << "what is there keeps its place";
    EXPECT_TRUE(after(FileId::make(kNow), false).empty()) << "never known";
}

TEST_P(FilesConformance, AnExpiredFileIsSeenOnlyByWhoClearsItAway) {
    core::File early = a_file();
    core::File late = a_file();
    core::File never = a_file();
    early.expires_at = kNow + 1h;
    late.expires_at = kNow + 2h;
    never.expires_at.reset();
    for (const core::File& file : {late, early, never}) ASSERT_TRUE(files().insert(file));
    EXPECT_TRUE(files().find(kAlice, early.id, kNow + 1h - 1ms));
    EXPECT_EQ(files().find(kAlice, early.id, kNow + 1h).error().code, ErrorCode::not_found);
    FileQuery query = everything();
    query.now = kNow + 1h;
    EXPECT_EQ(ids_of(*files().list(query)), (std::vector{never.id, late.id}));
    query.after = early.id;
    EXPECT_EQ(ids_of(*files().list(query)), std::vector{late.id}) << "its place is kept";

    EXPECT_TRUE(files().expired(kNow + 1h - 1ms, 9)->empty());
    EXPECT_EQ(files().expired(kNow + 2h, 9)->size(), 2U);
    EXPECT_EQ(files().expired(kNow + 2h, 1)->size(), 1U);
    EXPECT_EQ(files().expired(kNow + 1h, 9)->at(0).id, early.id);
    EXPECT_EQ(files().remove(kAlice, early.id, kNow + 1h)->id, early.id);
    EXPECT_TRUE(files().expired(kNow + 1h, 9)->empty());
}

TEST_P(FilesConformance, IdsThatNameNoFileAreToldApart) {
    const core::File kept = a_file();
    const core::File removed = a_file();
    core::File foreign = a_file();
    foreign.account = kBob;
    core::File expired = a_file();
    expired.expires_at = kNow - 1h;
    for (const core::File& file : {kept, removed, foreign, expired}) ASSERT_TRUE(files().insert(file));
    ASSERT_TRUE(files().remove(kAlice, removed.id, kNow));
    const FileId unknown = FileId::make(kNow);
    EXPECT_EQ(files().absent(std::vector{kept.id, removed.id, foreign.id, unknown, expired.id}).value(),
              (std::vector{removed.id, unknown}));
    EXPECT_TRUE(files().absent({})->empty());
}

TEST_P(FilesConformance, AnUploadIsFoundByItsAccountAlone) {
    const core::FileUpload upload = an_upload();
    core::FileUpload plain = an_upload(0);
    plain.file_lifetime.reset();
    ASSERT_TRUE(files().insert_upload(upload));
    ASSERT_TRUE(files().insert_upload(plain));
    EXPECT_EQ(files().insert_upload(upload).error().code, ErrorCode::conflict);
    for (int round = 0; round < 2; ++round) {
        const auto read = files().find_upload(kAlice, upload.id);
        ASSERT_TRUE(read);
        EXPECT_EQ(read->id, upload.id);
        EXPECT_EQ(read->account, kAlice);
        EXPECT_EQ(read->state, FileUploadState::pending);
        EXPECT_EQ(read->purpose, "batch");
        EXPECT_EQ(read->filename, "large.jsonl");
        EXPECT_EQ(read->mime_type, "application/jsonl");
        EXPECT_EQ(read->bytes, 100U);
        EXPECT_EQ(read->file_lifetime, 7200s);
        EXPECT_FALSE(read->file);
        EXPECT_EQ(read->created_at, kNow);
        EXPECT_EQ(read->expires_at, kNow + 1h);
        EXPECT_FALSE(files().find_upload(kAlice, plain.id)->file_lifetime);
        EXPECT_EQ(files().find_upload(kBob, upload.id).error().code, ErrorCode::not_found);
        if (!reopen()) break;
    }
    EXPECT_EQ(files().find_upload(kAlice, FileUploadId::make(kNow)).error().code, ErrorCode::not_found);
}

TEST_P(FilesConformance, PartsAreToldInTheOrderTheyCame) {
    const core::FileUpload upload = an_upload();
    const core::FileUpload other = an_upload();
    ASSERT_TRUE(files().insert_upload(upload));
    ASSERT_TRUE(files().insert_upload(other));
    const std::vector<core::FilePart> sent{a_part(30, "parts/1/a"), a_part(0, "parts/1/b"),
                                           a_part(70, "parts/1/c")};
    for (const core::FilePart& part : sent) ASSERT_TRUE(files().add_part(upload.id, part));
    ASSERT_TRUE(files().add_part(other.id, a_part(1)));
    for (int round = 0; round < 2; ++round) {
        const auto parts = files().parts(upload.id).value();
        ASSERT_EQ(parts.size(), 3U);
        for (std::size_t at = 0; at < 3; ++at) {
            EXPECT_EQ(parts[at].id, sent[at].id);
            EXPECT_EQ(parts[at].bytes, sent[at].bytes);
            EXPECT_EQ(parts[at].blob_key, sent[at].blob_key);
            EXPECT_EQ(parts[at].created_at, kNow + 1s);
        }
        if (!reopen()) break;
    }
    EXPECT_TRUE(files().parts(FileUploadId::make(kNow))->empty());
}

TEST_P(FilesConformance, PartsMayNotWeighMoreThanWasAnnounced) {
    const core::FileUpload upload = an_upload(100);
    ASSERT_TRUE(files().insert_upload(upload));
    EXPECT_EQ(files().add_part(upload.id, a_part(101)).error().code, ErrorCode::invalid);
    ASSERT_TRUE(files().add_part(upload.id, a_part(60)));
    EXPECT_EQ(files().add_part(upload.id, a_part(41)).error().code, ErrorCode::invalid);
    ASSERT_TRUE(files().add_part(upload.id, a_part(40)));
    EXPECT_EQ(files().parts(upload.id)->size(), 2U);
    EXPECT_EQ(files().add_part(FileUploadId::make(kNow), a_part(1)).error().code, ErrorCode::not_found);
}

TEST_P(FilesConformance, PartsThatComeAtOnceStayWithinWhatWasAnnounced) {
    const core::FileUpload upload = an_upload(10);
    ASSERT_TRUE(files().insert_upload(upload));
    std::atomic<int> taken = 0;
    {
        std::vector<std::jthread> threads;
        for (int at = 0; at < 8; ++at) {
            threads.emplace_back([&] {
                if (files().add_part(upload.id, a_part(3))) ++taken;
            });
        }
    }
    EXPECT_EQ(taken, 3);
    EXPECT_EQ(files().parts(upload.id)->size(), 3U);
}

TEST_P(FilesConformance, ACompletedUploadAndItsFileComeTogether) {
    const core::FileUpload upload = an_upload();
    ASSERT_TRUE(files().insert_upload(upload));
    ASSERT_TRUE(files().add_part(upload.id, a_part(100)));
    const core::File taken = a_file();
    ASSERT_TRUE(files().insert(taken));
    EXPECT_EQ(files().end_upload(upload.id, FileUploadState::completed, taken).error().code,
              ErrorCode::conflict)
        << "the file's id is taken";
    EXPECT_EQ(files().find_upload(kAlice, upload.id)->state, FileUploadState::pending);

    const core::File file = a_file();
    const auto ended = files().end_upload(upload.id, FileUploadState::completed, file);
    ASSERT_TRUE(ended);
    EXPECT_EQ(ended->state, FileUploadState::completed);
    EXPECT_EQ(ended->file, file.id);
    for (int round = 0; round < 2; ++round) {
        EXPECT_EQ(files().find_upload(kAlice, upload.id)->file, file.id);
        EXPECT_TRUE(files().find(kAlice, file.id, kNow));
        if (!reopen()) break;
    }
}

TEST_P(FilesConformance, AnUploadEndsOnce) {
    for (const FileUploadState state :
         {FileUploadState::completed, FileUploadState::canceled, FileUploadState::expired}) {
        const core::FileUpload upload = an_upload();
        ASSERT_TRUE(files().insert_upload(upload));
        ASSERT_TRUE(files().end_upload(upload.id, state, std::nullopt));
        const core::File file = a_file();
        EXPECT_EQ(files().end_upload(upload.id, FileUploadState::completed, file).error().code,
                  ErrorCode::conflict);
        EXPECT_EQ(files().find(kAlice, file.id, kNow).error().code, ErrorCode::not_found);
        EXPECT_EQ(files().add_part(upload.id, a_part(1)).error().code, ErrorCode::conflict);
        EXPECT_EQ(files().find_upload(kAlice, upload.id)->state, state);
    }
    EXPECT_EQ(files().end_upload(FileUploadId::make(kNow), FileUploadState::canceled, {}).error().code,
              ErrorCode::not_found);
}

TEST_P(FilesConformance, PendingUploadsPastTheirTimeAreTold) {
    const core::FileUpload early = an_upload();
    core::FileUpload late = an_upload();
    late.expires_at = kNow + 2h;
    const core::FileUpload ended = an_upload();
    for (const core::FileUpload& upload : {early, late, ended}) ASSERT_TRUE(files().insert_upload(upload));
    ASSERT_TRUE(files().end_upload(ended.id, FileUploadState::canceled, std::nullopt));
    EXPECT_TRUE(files().expired_uploads(kNow + 1h - 1ms, 9)->empty());
    ASSERT_EQ(files().expired_uploads(kNow + 1h, 9)->size(), 1U);
    EXPECT_EQ(files().expired_uploads(kNow + 1h, 9)->at(0).id, early.id);
    EXPECT_EQ(files().expired_uploads(kNow + 2h, 9)->size(), 2U);
    EXPECT_EQ(files().expired_uploads(kNow + 2h, 1)->size(), 1U);
}

TEST_P(FilesConformance, PartsOfEndedUploadsAreToldUntilTheyAreForgotten) {
    const core::FileUpload pending = an_upload();
    const core::FileUpload ended = an_upload();
    const core::FileUpload empty = an_upload();
    for (const core::FileUpload& upload : {pending, ended, empty}) ASSERT_TRUE(files().insert_upload(upload));
    for (const FileUploadId& id : {pending.id, ended.id, ended.id})
        ASSERT_TRUE(files().add_part(id, a_part(1)));
    ASSERT_TRUE(files().end_upload(ended.id, FileUploadState::expired, std::nullopt));
    ASSERT_TRUE(files().end_upload(empty.id, FileUploadState::expired, std::nullopt));
    for (int round = 0; round < 2; ++round) {
        EXPECT_EQ(files().ended_with_parts(9).value(), std::vector{ended.id});
        EXPECT_EQ(files().parts(ended.id)->size(), 2U);
        if (!reopen()) break;
    }
    ASSERT_TRUE(files().forget_parts(ended.id));
    EXPECT_TRUE(files().ended_with_parts(9)->empty());
    EXPECT_TRUE(files().parts(ended.id)->empty());
    EXPECT_EQ(files().parts(pending.id)->size(), 1U);
}

TEST_P(FilesConformance, UploadsThatEndedLongAgoAreForgotten) {
    const core::FileUpload pending = an_upload();
    const core::FileUpload ended = an_upload();
    const core::FileUpload with_parts = an_upload();
    for (const core::FileUpload& upload : {pending, ended, with_parts})
        ASSERT_TRUE(files().insert_upload(upload));
    ASSERT_TRUE(files().add_part(with_parts.id, a_part(1)));
    ASSERT_TRUE(files().end_upload(ended.id, FileUploadState::canceled, std::nullopt));
    ASSERT_TRUE(files().end_upload(with_parts.id, FileUploadState::canceled, std::nullopt));
    ASSERT_TRUE(files().forget_removed(kNow + 24h * 30 - 1ms));
    EXPECT_TRUE(files().find_upload(kAlice, ended.id));
    ASSERT_TRUE(files().forget_removed(kNow + 24h * 30));
    EXPECT_EQ(files().find_upload(kAlice, ended.id).error().code, ErrorCode::not_found);
    EXPECT_TRUE(files().find_upload(kAlice, pending.id));
    EXPECT_TRUE(files().find_upload(kAlice, with_parts.id)) << "its parts' blobs may still be there";
}

}  // namespace sheaf::store

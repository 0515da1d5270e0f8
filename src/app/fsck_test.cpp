#include "app/fsck.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "app/fsck_words.h"
#include "base/check.h"
#include "blob/blobs.h"
#include "core/outcome.h"
#include "dialect/dialects.h"
#include "service/assets.h"
#include "store/stores.h"

namespace sheaf::app {
namespace {

namespace fs = std::filesystem;

constexpr Timestamp kNow{std::chrono::milliseconds{1'800'000'000'000}};

class Fsck : public testing::Test {
protected:
    Fsck() {
        std::string name = (fs::temp_directory_path() / "sheaf-fsck-XXXXXX").string();
        CHECK(::mkdtemp(name.data()) != nullptr, "a test needs a temporary directory");
        data_ = name;
    }
    ~Fsck() override {
        std::error_code ignored;
        fs::remove_all(data_, ignored);
    }

    std::unique_ptr<store::Store> open() {
        auto store = store::open_sqlite_store({.directory = data_});
        CHECK(store, store.error().message);
        return std::move(*store);
    }

    // A batch of two items, of which the first has run.
    static core::Batch add_batch(store::Store& store, const std::string& dialect) {
        store::BatchDraft draft;
        draft.batch.id = make_batch_id(kNow);
        draft.batch.account.name = "default";
        draft.batch.dialect = dialect;
        draft.batch.model = "a-model";
        draft.batch.created_at = kNow;
        draft.batch.expires_at = kNow + std::chrono::hours{24};
        draft.batch.purge_at = core::kNever;
        draft.items = {{"first", {}, 0, 10}, {"sec\x1bond", {}, 10, 10}};
        auto body = store.batches().new_body().value();
        CHECK(body->append("0123456789abcdefghij"), "a body is taken");
        const core::Batch batch = store.batches().create(draft, std::move(body)).value();
        const auto lease =
            store.items().claim({.batch = batch.id, .count_max = 1, .now = kNow})->leases.at(0);
        const std::string line =
            codec_of(dialect)->line(batch, lease.item, core::Failed{{"overloaded", "Too much."}});
        const store::ItemResult result{lease.item.id, lease.epoch, core::ItemState::failed, line, {}, kNow};
        CHECK(store.items().finish(std::array{result}), "a result is taken");
        return batch;
    }
    static std::unique_ptr<core::ItemCodec> codec_of(const std::string& dialect) {
        if (dialect == "anthropic") return dialect::anthropic::make_codec();
        if (dialect == "openai") return dialect::openai::make_codec();
        return dialect::sail::make_codec();
    }

    void flip(const fs::path& path, std::string_view needle) {
        std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
        const std::string bytes{std::istreambuf_iterator<char>(file), {}};
        const std::size_t at = bytes.find(needle);
        ASSERT_NE(at, std::string::npos) << needle;
        file.clear();
        file.seekp(static_cast<std::streamoff>(at));
        file.put('#');
    }

    // What it prints, and its exit code as the last line.
    std::string run(bool repair = false) {
        char* text = nullptr;
        std::size_t size = 0;
        std::FILE* const out = ::open_memstream(&text, &size);
        const int code = fsck({.data = data_, .repair = repair}, {.out = out, .err = stderr, .bars = false});
        std::fclose(out);
        std::string printed(text, size);
        std::free(text);
        return printed + fmt::format("exit {}\n", code);
    }

    fs::path data_;
};

TEST_F(Fsck, WhatIsWellIsSaidInOneLine) {
    add_batch(*open(), "anthropic");
    EXPECT_EQ(run(), "1 batches, 2 items, 1 results: all is well.\nexit 0\n");
}

TEST_F(Fsck, DamageIsSaidByTheVendorsIdsAndWhatItMeans) {
    auto store = open();
    const core::Batch batch = add_batch(*store, "anthropic");
    store.reset();
    flip(data_ / "log" / "00000001.seg", "Too much.");
    flip(data_ / "bodies" / "00000001.seg", "abc");
    const std::string name = "msgbatch_" + to_string(batch.id);
    const std::string log = (data_ / "log" / "00000001.seg").string();
    EXPECT_EQ(
        run(),
        "damaged: batch " + name + ", item \"first\": its result is damaged (" + log +
            " is damaged at byte 0). It is lost: results cannot be read past it. --repair has the item run "
            "again.\n"
            "damaged: batch " +
            name +
            ", item \"sec ond\": its request is damaged. It will be answered as "
            "failed, and says so; submit it again.\n"
            "1 batches, 2 items, 1 results: 2 damaged.\nexit 1\n");
    EXPECT_EQ(
        run(true),
        "mended: batch " + name + ", item \"first\": its result is damaged (" + log +
            " is damaged at byte 0). It was lost; the item is queued again and runs at the next start.\n"
            "damaged: batch " +
            name +
            ", item \"sec ond\": its request is damaged. It will be answered as "
            "failed, and says so; submit it again.\n"
            "1 batches, 2 items, 1 results: 1 damaged, 1 mended.\nexit 1\n");
}

TEST_F(Fsck, ALostResultIsAnsweredInItsDialectsWords) {
    auto store = open();
    const core::Batch batch = add_batch(*store, "openai");
    ASSERT_TRUE(store->batches().apply(batch.id, core::BatchEvent::abort_requested, kNow));
    store.reset();
    flip(data_ / "log" / "00000001.seg", "first");
    const std::string report = run(true);
    EXPECT_TRUE(report.starts_with("lost: batch batch_" + to_string(batch.id))) << report;
    EXPECT_TRUE(report.contains("It is lost; the item is answered as failed, and its line says why."))
        << report;
    EXPECT_TRUE(report.ends_with("1 lost.\nexit 1\n")) << report;
    EXPECT_EQ(run(), "1 batches, 2 items, 1 results: all is well.\nexit 0\n");
    store = open();
    const auto lines = store->batches().read_lines(batch.id, 0, 1, 1 << 20).value();
    EXPECT_TRUE(lines[0].line->contains(
        R"("error":{"code":"server_error","message":"The stored result was damaged and is lost; submit the request again."})"))
        << *lines[0].line;
}

TEST_F(Fsck, UploadedBytesAreComparedWithWhatIsSaidOfThem) {
    auto store = open();
    core::File file;
    file.id = FileId::make(kNow);
    file.account.name = "default";
    file.filename = "requests.jsonl";
    file.bytes = 5;
    file.blob_key = "files/" + to_string(file.id);
    file.created_at = kNow;
    ASSERT_TRUE(store->files().insert(file));
    core::Asset asset;
    asset.id = AssetId::make(kNow);
    asset.account.name = "default";
    asset.filename = "a.mp4";
    asset.state = core::AssetState::ready;
    asset.bytes = 9;
    asset.blob_key = service::blob_key_of(asset.id);
    ASSERT_TRUE(store->assets().insert(asset));
    store.reset();
    const auto put = [&](const std::string& key, std::string_view bytes) {
        const auto blobs = blob::open_local_blobs(data_ / "blobs").value();
        auto writer = blobs->create(key).value();
        ASSERT_TRUE(writer->append(bytes));
        ASSERT_TRUE(writer->commit());
    };
    put(file.blob_key, "12345");
    put(asset.blob_key, "123456789");
    EXPECT_EQ(run(), "0 batches, 0 items, 0 results: all is well.\nexit 0\n");

    put(asset.blob_key, "1234");
    fs::remove(data_ / "blobs" / file.blob_key);
    put("inputs/" + to_string(make_raw_id(kNow)), "x");
    const std::string orphan = "assets/" + to_string(make_raw_id(kNow));
    put(orphan, "x");
    std::ofstream(data_ / "blobs" / ".unfinished" / "abc") << "half";
    const std::string report = run();
    EXPECT_TRUE(report.starts_with(
        "damaged: asset " + to_string(asset.id) +
        " (\"a.mp4\") of the account default: it has 4 bytes instead of 9 (blobs/" + asset.blob_key +
        "). Items about it fail; upload it again.\n" +
        "damaged: file \"requests.jsonl\" of the account default: its bytes are missing (blobs/" +
        file.blob_key + "). It cannot be read; upload it again.\n"))
        << report;
    EXPECT_TRUE(report.contains("note: blobs/" + orphan +
                                " was left by a process that was killed. The next start "
                                "removes it, or --repair.\n"))
        << report;
    EXPECT_TRUE(report.ends_with("2 damaged, 3 to note.\nexit 1\n")) << report;
    EXPECT_TRUE(run(true).ends_with("2 damaged, 3 to note.\nexit 1\n"));
    EXPECT_FALSE(fs::exists(data_ / "blobs" / orphan));
    EXPECT_TRUE(fs::exists(data_ / "blobs" / asset.blob_key));
    EXPECT_TRUE(run().ends_with("2 damaged.\nexit 1\n"));
}

TEST_F(Fsck, ALostIndexIsBuiltAnewAndNothingThatItKnewIsThrownAway) {
    auto store = open();
    const core::Batch batch = add_batch(*store, "sail");
    store.reset();
    const std::string key = "assets/" + to_string(make_raw_id(kNow));
    {
        const auto blobs = blob::open_local_blobs(data_ / "blobs").value();
        auto writer = blobs->create(key).value();
        ASSERT_TRUE(writer->append("a video"));
        ASSERT_TRUE(writer->commit());
    }
    fs::remove(data_ / "index.db");
    const std::string missing = "the index is missing (index.db): nobody knows whose the stored batches are.";
    EXPECT_EQ(
        run(),
        "damaged: " + missing +
            " --repair builds it anew, of what can be read of it and of the records beside requests and "
            "results.\n0 batches, 0 items, 0 results: 1 damaged.\nexit 1\n");
    const std::string report = run(true);
    EXPECT_TRUE(report.starts_with(
        "mended: " + missing +
        " It was built anew. Keys, webhooks and the names of uploads stand in the index alone: those that "
        "could not be read are gone ('sheaf keys create' makes new keys).\nnote: batch batch_" +
        to_string(batch.id) + ": it was built anew from its records: 1 of 2 items have ended.\nnote: blobs/" +
        key + " belongs to nobody that the index knows. It was moved to blobs.damaged-"))
        << report;
    EXPECT_TRUE(report.ends_with("1 batches, 2 items, 1 results: 1 mended, 2 to note.\nexit 0\n")) << report;
    EXPECT_FALSE(fs::exists(data_ / "blobs" / key));
    EXPECT_TRUE(run().ends_with("all is well, 1 to note.\nexit 0\n"));
    store = open();
    EXPECT_EQ(store->batches().find({"default"}, batch.id)->counts.failed, 1U);
}

TEST_F(Fsck, AServerOnTheDirectoryIsSaidPlainly) {
    const auto store = open();
    testing::internal::CaptureStderr();
    EXPECT_EQ(run(), "exit 2\n");
    EXPECT_EQ(testing::internal::GetCapturedStderr(),
              "sheaf fsck: a server runs on " + data_.string() + "; stop it first\n");
}

TEST_F(Fsck, EachFaultHasASentence) {
    core::Batch batch;
    core::ItemHead item;
    for (int fault = 0; fault <= static_cast<int>(store::Fault::unknown_file); ++fault) {
        for (int mending = 0; mending <= static_cast<int>(store::Mending::given_up); ++mending) {
            const std::string text = describe({static_cast<store::Fault>(fault), "a detail", &batch, &item,
                                               static_cast<store::Mending>(mending)});
            EXPECT_TRUE(text.ends_with(".")) << fault << text;
            EXPECT_GT(text.size(), 20U) << fault << text;
            EXPECT_FALSE(text.contains("..")) << fault << text;
        }
    }
}

}  // namespace
}  // namespace sheaf::app

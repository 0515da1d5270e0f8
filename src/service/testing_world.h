#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>
#include <unistd.h>

#include "async/blocking.h"
#include "async/timer.h"
#include "base/clock.h"
#include "blob/blobs.h"
#include "fetch/fetch.h"
#include "media/video.h"
#include "store/stores.h"

// What the tests of services share: an executor that they turn, and ports that keep everything in memory.
namespace sheaf::service {

using namespace std::chrono_literals;

constexpr Timestamp kNoon{std::chrono::milliseconds{1'781'776'800'000}};

// Finds in a file what its first word says: video, audio, image; broken is of the file, machinery is of the
// server.
class WordMedia final : public media::Media {
public:
    async::Task<Result<media::MediaInfo>> probe(std::shared_ptr<const blob::BlobFile> file) override {
        ++probes;
        while (held) co_await async::sleep_for(1ms);
        std::string bytes(8, '\0');
        const auto count = ::pread(file->fd(), bytes.data(), bytes.size(), 0);
        bytes.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
        if (bytes.starts_with("video"))
            co_return media::MediaInfo{
                .type = core::MediaType::video, .mime_type = "video/mp4", .duration_s = 12};
        if (bytes.starts_with("audio"))
            co_return media::MediaInfo{
                .type = core::MediaType::audio, .mime_type = "audio/mpeg", .duration_s = 3};
        if (bytes.starts_with("image"))
            co_return media::MediaInfo{.type = core::MediaType::image, .mime_type = "image/png"};
        if (bytes.starts_with("machine") && failures_left-- > 0)
            co_return fail(ErrorCode::unavailable, "no worker");
        if (bytes.starts_with("machine"))
            co_return media::MediaInfo{.type = core::MediaType::video, .mime_type = "video/mp4"};
        co_return fail(ErrorCode::invalid, "The file is broken.");
    }
    std::shared_ptr<media::Video> open(std::string, std::shared_ptr<const blob::BlobFile>,
                                       media::MediaInfo) override {
        return nullptr;
    }
    media::MediaStats stats() const override { return {.probes = static_cast<std::uint64_t>(probes)}; }

    int probes = 0;
    bool held = false;
    int failures_left = 1;
};

// Serves bytes and errors by URL.
class MapFetcher final : public fetch::Fetcher {
public:
    Result<fetch::Fetched> get(const std::string& url, std::uint64_t bytes_max, const Sink& sink) override {
        ++calls;
        if (url == "http://silent/") {
            while (true) {
                if (const auto asked = sink({}); !asked) return std::unexpected(asked.error());
                std::this_thread::sleep_for(1ms);
            }
        }
        const auto found = files.find(url);
        if (found == files.end())
            return fail(ErrorCode::unavailable, "The URL's server answered with status 404.");
        if (found->second.size() > bytes_max)
            return fail(ErrorCode::too_large, "The file is larger than allowed.");
        for (const char& c : found->second) {
            if (const auto taken = sink({&c, 1}); !taken) return std::unexpected(taken.error());
        }
        return fetch::Fetched{.content_type = "video/mp4", .bytes = found->second.size()};
    }

    std::map<std::string, std::string> files;
    std::atomic<int> calls = 0;
};

class FaultyWriter final : public blob::BlobWriter {
public:
    FaultyWriter(std::unique_ptr<blob::BlobWriter> real, const std::atomic<bool>& disk_is_full)
        : real_(std::move(real)), disk_is_full_(&disk_is_full) {}
    Result<> append(std::string_view bytes) override {
        return *disk_is_full_ ? full() : real_->append(bytes);
    }
    Result<> commit() override { return *disk_is_full_ ? full() : real_->commit(); }
    Result<> commit_as(std::string_view key) override {
        return *disk_is_full_ ? full() : real_->commit_as(key);
    }
    std::uint64_t bytes() const override { return real_->bytes(); }

private:
    static Result<> full() { return fail(ErrorCode::no_space, "full"); }
    std::unique_ptr<blob::BlobWriter> real_;
    const std::atomic<bool>* disk_is_full_;
};

// Blobs that can be told to fail.
class FaultyBlobs final : public blob::BlobStore {
public:
    explicit FaultyBlobs(blob::BlobStore& real) : real_(&real) {}
    Result<std::unique_ptr<blob::BlobWriter>> create(std::string_view key) override {
        auto writer = real_->create(key);
        if (!writer) return writer;
        return std::make_unique<FaultyWriter>(std::move(*writer), writers_fail);
    }
    Result<blob::BlobFile> open(std::string_view key) override { return real_->open(key); }
    Result<> concatenate(std::string_view key, const std::vector<std::string>& parts) override {
        if (disk_is_full) return fail(ErrorCode::no_space, "full");
        return real_->concatenate(key, parts);
    }
    Result<> remove(std::string_view key) override {
        if (removals_fail) return fail(ErrorCode::unavailable, "told to");
        return real_->remove(key);
    }
    Result<std::vector<std::string>> list(std::string_view prefix) override { return real_->list(prefix); }

    std::atomic<bool> disk_is_full = false;  // for whole blobs that are made of others
    std::atomic<bool> writers_fail = false;  // with no_space
    std::atomic<bool> removals_fail = false;

private:
    blob::BlobStore* real_;
};

// Assets that can be told to fail.
class FaultyAssets final : public store::Assets {
public:
    explicit FaultyAssets(store::Assets& real) : real_(&real) {}
    Result<> insert(const core::Asset& asset) override {
        if (insert_fails) return fail(*insert_fails, "told to");
        return real_->insert(asset);
    }
    Result<> update(const core::Asset& asset, core::AssetState expected) override {
        if (updates_that_fail > 0) {
            --updates_that_fail;
            return fail(ErrorCode::unavailable, "told to");
        }
        return real_->update(asset, expected);
    }
    Result<std::vector<AssetId>> absent(std::span<const AssetId> ids) override { return real_->absent(ids); }

    Result<core::Asset> find(const AccountId& account, const AssetId& id) override {
        return real_->find(account, id);
    }
    Result<std::vector<std::optional<core::Asset>>> find_all(const AccountId& account,
                                                             std::span<const AssetId> ids) override {
        return real_->find_all(account, ids);
    }
    Result<store::Page<core::Asset>> list(const store::AssetQuery& query) override {
        return real_->list(query);
    }
    Result<> set_user_metadata(const AccountId& account, const AssetId& id,
                               const std::string& json) override {
        return real_->set_user_metadata(account, id, json);
    }
    Result<core::Asset> remove(const AccountId& account, const AssetId& id, Removal how) override {
        return real_->remove(account, id, how);
    }
    Result<std::vector<core::Asset>> processing() override { return real_->processing(); }
    Result<> insert_upload(const core::Upload& upload, const core::Asset& asset,
                           const std::optional<store::IdempotencyRecord>& idempotency) override {
        return real_->insert_upload(upload, asset, idempotency);
    }
    Result<core::Upload> find_upload(const AccountId& account, const UploadId& id) override {
        return real_->find_upload(account, id);
    }
    Result<core::Upload> find_upload(const UploadId& id) override { return real_->find_upload(id); }
    Result<store::Page<core::Upload>> list_uploads(const AccountId& account, Timestamp now,
                                                   store::PageRange page) override {
        return real_->list_uploads(account, now, page);
    }
    Result<> put_chunk(const UploadId& id, const core::UploadChunk& chunk) override {
        return real_->put_chunk(id, chunk);
    }
    Result<std::vector<core::UploadChunk>> chunks(const UploadId& id) override { return real_->chunks(id); }
    Result<store::ChunkReport> report_chunks(const AccountId& account, const UploadId& id,
                                             std::span<const store::ReportedChunk> reported,
                                             Timestamp now) override {
        return real_->report_chunks(account, id, reported, now);
    }
    Result<> end_upload(const UploadId& id, core::UploadState state, Timestamp now) override {
        return real_->end_upload(id, state, now);
    }
    Result<std::vector<core::Upload>> expired_uploads(Timestamp now) override {
        return real_->expired_uploads(now);
    }

    // Set and read while no work is under way.
    std::optional<ErrorCode> insert_fails;
    std::atomic<int> updates_that_fail = 0;

private:
    store::Assets* real_;
};

class World : public testing::Test {
protected:
    // Until `task` is done; what it left behind may still be going on.
    template <class T>
    T run(async::Task<T> task) {
        std::optional<T> value;
        boost::asio::co_spawn(io, store_into(std::move(task), value), boost::asio::detached);
        turn_until([&] { return value.has_value(); });
        return std::move(*value);
    }
    void run(async::Task<void> task) {
        bool done = false;
        boost::asio::co_spawn(io, note_end(std::move(task), done), boost::asio::detached);
        turn_until([&] { return done; });
    }
    // Until nothing goes on any more.
    void run_all() {
        io.restart();
        io.run_for(30s);
    }
    template <class Done>
    void turn_until(Done done) {
        const auto end = std::chrono::steady_clock::now() + 30s;
        while (!done() && std::chrono::steady_clock::now() < end) {
            io.restart();
            io.run_one_for(100ms);
        }
        ASSERT_TRUE(done()) << "it takes too long";
    }

    boost::asio::io_context io;
    ManualClock clock{kNoon};
    std::unique_ptr<store::Store> store = store::make_memory_store();
    std::unique_ptr<blob::BlobStore> memory_blobs = blob::make_memory_blobs();
    FaultyBlobs blobs{*memory_blobs};
    FaultyAssets asset_rows{store->assets()};
    async::Lane store_lane{1};
    async::Lane lane{1};

private:
    template <class T>
    static async::Task<void> store_into(async::Task<T> task, std::optional<T>& value) {
        value.emplace(co_await std::move(task));
    }
    static async::Task<void> note_end(async::Task<void> task, bool& done) {
        co_await std::move(task);
        done = true;
    }
};

}  // namespace sheaf::service

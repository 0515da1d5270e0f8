#pragma once

#include <functional>
#include <set>

#include "service/assets.h"
#include "service/testing_world.h"

namespace sheaf::service {

// Assets over memory, which can be stopped and started again like the server.
class AssetsWorld : public World {
protected:
    AssetsWorld() { start(); }
    ~AssetsWorld() override {
        media.held = false;
        run(assets->stop());
    }

    void start() {
        assets = std::make_unique<Assets>(Assets::Parts{
            .executor = io.get_executor(),
            .store = {asset_rows, store_lane},
            .blobs = {blobs, lane},
            .lane = &lane,
            .fetch_lane = &fetch_lane,
            .fetcher = &fetcher,
            .media = &media,
            .clock = &clock,
            .limits = limits,
            .signing_key = Secret("a key"),
            .render_details = render,
        });
    }
    void restart() {
        run(assets->stop());
        start();
    }

    Result<core::Asset> create(std::string_view bytes) {
        auto file = run(assets->new_file());
        if (!file) return std::unexpected(file.error());
        if (const auto appended = run(file->append(bytes)); !appended)
            return std::unexpected(appended.error());
        return run(assets->create({.account = kTeam, .filename = "film.mp4"}, std::move(*file)));
    }
    Result<core::Asset> create_from_url(const std::string& url) {
        return run(assets->create_from_url({.account = kTeam, .filename = "film.mp4"}, url));
    }
    Result<core::Asset> find(AssetId id) { return run(assets->find(kTeam, id)); }

    void put_blob(const std::string& key, std::string_view bytes) {
        auto writer = blobs.create(key);
        ASSERT_TRUE(writer);
        ASSERT_TRUE((*writer)->append(bytes));
        ASSERT_TRUE((*writer)->commit());
    }
    std::set<std::string> keys() {
        const auto all = blobs.list("");
        return {all->begin(), all->end()};
    }
    std::string bytes_of(const core::Asset& asset) {
        const auto file = blobs.open(asset.blob_key);
        if (!file) return file.error().message;
        std::string bytes(file->bytes(), '\0');
        EXPECT_EQ(::pread(file->fd(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
        return bytes;
    }

    const AccountId kTeam{"team"};
    Limits limits;
    std::function<std::string(const media::MediaInfo&, std::uint64_t)> render =
        [](const media::MediaInfo& info, std::uint64_t bytes) {
            return fmt::format("details of {}, {}", info.mime_type, bytes);
        };
    WordMedia media;
    MapFetcher fetcher;
    async::Lane fetch_lane{2};
    std::unique_ptr<Assets> assets;
};

}  // namespace sheaf::service

#pragma once

#include <atomic>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "async/blocking.h"
#include "backend/backend.h"
#include "base/clock.h"
#include "blob/blob_store.h"
#include "core/inference.h"
#include "core/outcome.h"
#include "fetch/fetch.h"
#include "media/video.h"
#include "service/limits.h"
#include "store/assets.h"

namespace sheaf::scheduler {

// What an analysis refers to, at hand: its video, opened and within the rules, and its images.
//
// Files that were fetched or sent inline have no name any more: their bytes live as long as this.
struct Prepared {
    std::shared_ptr<media::Video> video;
    std::vector<backend::ImageInput> images;
};

// Gets the files that items refer to. Belongs to the scheduler's executor.
class Inputs {
public:
    struct Parts {
        async::Blocking<store::Assets> assets;
        async::Blocking<blob::BlobStore> blobs;
        async::Lane* fetch_lane = nullptr;
        fetch::Fetcher* fetcher = nullptr;
        media::Media* media = nullptr;
        const Clock* clock = nullptr;
        service::Limits limits;
    };
    explicit Inputs(Parts parts) : parts_(std::move(parts)) {}

    // Refused: the item's fault, such as asset_unavailable or video_duration_too_short. Broken: it may pass.
    async::Task<std::variant<Prepared, core::Refused, core::Broken>> prepare(AccountId account,
                                                                             core::VideoAnalysis analysis);
    // Removes what an earlier process fetched and did not clear away. Before the first prepare().
    async::Task<void> clear_leftovers();

private:
    struct File {
        std::string key;
        std::shared_ptr<const blob::BlobFile> bytes;
    };
    template <class T>
    using Found = std::variant<T, core::Refused, core::Broken>;

    async::Task<Found<File>> find_file(AccountId account, core::MediaSource source, core::MediaType wanted);
    async::Task<Found<File>> asset_file(AccountId account, AssetId id, core::MediaType wanted);
    async::Task<Found<File>> inline_file(std::string base64, core::MediaType wanted);
    async::Task<Found<File>> fetched_file(std::string url, core::MediaType wanted);
    async::Task<Found<std::shared_ptr<media::Video>>> open_video(AccountId account, core::MediaSource source);
    async::Task<Found<backend::ImageInput>> read_image(AccountId account, core::NamedImage image);
    async::Task<Result<media::MediaInfo>> probe(File file);
    std::string new_key() const;

    Parts parts_;

    // What a probe found, by blob key, newest first: many items ask about one asset.
    struct Probed {
        std::string key;
        media::MediaInfo info;
    };
    std::list<Probed> probed_;
    std::unordered_map<std::string, std::list<Probed>::iterator> probed_by_key_;
};

// The image type that the first bytes tell: "image/jpeg", "image/png", "image/webp", "image/gif",
// "image/bmp"; else empty.
std::string_view sniff_image(std::string_view bytes);

}  // namespace sheaf::scheduler

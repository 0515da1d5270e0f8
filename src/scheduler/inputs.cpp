#include "scheduler/inputs.h"

#include <algorithm>
#include <iterator>

#include <openssl/evp.h>

#include "base/log.h"
#include "scheduler/video_rules.h"

namespace sheaf::scheduler {
namespace {

using core::Broken;
using core::Failure;
using core::Refused;

constexpr std::size_t kProbedMax = 4096;
constexpr std::string_view kInlinePrefix = "inputs/";

Refused refuse(std::string code, std::string message) {
    return {Failure{std::move(code), std::move(message)}};
}

Broken broken(const Error& error) {
    return {Failure{"internal_server_error", error.message}};
}

Result<std::string> decode_base64(std::string_view text) {
    std::string bytes(text.size() / 4 * 3 + 3, '\0');
    const int size =
        EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                        reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
    if (size < 0) return fail(ErrorCode::invalid, "The base64 text cannot be decoded.");
    std::size_t padding = 0;
    while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
    bytes.resize(static_cast<std::size_t>(size) - padding);
    return bytes;
}

Result<> write_blob(blob::BlobStore& blobs, std::string_view key, std::string_view bytes) {
    auto writer = blobs.create(key);
    if (!writer) return std::unexpected(writer.error());
    if (auto written = (*writer)->append(bytes); !written) return written;
    return (*writer)->commit();
}

Result<std::string> read_file(const blob::BlobFile& file) {
    std::string bytes;
    bytes.reserve(file.bytes());
    const auto read = file.read([&](std::string_view piece) -> Result<> {
        bytes += piece;
        return {};
    });
    if (!read) return std::unexpected(read.error());
    return bytes;
}

// Opens a temporary blob and removes its name: the bytes live as long as the descriptor.
Result<blob::BlobFile> open_and_unname(blob::BlobStore& blobs, std::string_view key) {
    auto file = blobs.open(key);
    if (auto removed = blobs.remove(key); !removed) {
        log::warning("a temporary file could not be removed",
                     {{"key", key}, {"why", removed.error().message}});
    }
    return file;
}

bool is_ours_to_fix(const Error& error) {
    return error.code == ErrorCode::unavailable || error.code == ErrorCode::no_space ||
           error.code == ErrorCode::internal;
}

}  // namespace

std::string_view sniff_image(std::string_view bytes) {
    using namespace std::string_view_literals;
    if (bytes.starts_with("\xff\xd8\xff"sv)) return "image/jpeg";
    if (bytes.starts_with("\x89PNG\r\n\x1a\n"sv)) return "image/png";
    if (bytes.size() > 12 && bytes.starts_with("RIFF"sv) && bytes.substr(8, 4) == "WEBP"sv)
        return "image/webp";
    if (bytes.starts_with("GIF87a"sv) || bytes.starts_with("GIF89a"sv)) return "image/gif";
    if (bytes.size() > 26 && bytes.starts_with("BM"sv)) return "image/bmp";
    return {};
}

std::string Inputs::new_key() const {
    return std::string(kInlinePrefix) + to_string(make_raw_id(parts_.clock->now()));
}

async::Task<void> Inputs::clear_leftovers() {
    auto cleared = co_await parts_.blobs([](blob::BlobStore& blobs) -> Result<> {
        auto keys = blobs.list(kInlinePrefix);
        if (!keys) return std::unexpected(keys.error());
        for (const std::string& key : *keys) {
            if (auto removed = blobs.remove(key); !removed) return removed;
        }
        return {};
    });
    if (!cleared) log::warning("temporary files of an earlier run stay", {{"why", cleared.error().message}});
}

async::Task<Inputs::Found<Inputs::File>> Inputs::asset_file(AccountId account, AssetId id,
                                                            core::MediaType wanted) {
    const std::string unavailable =
        wanted == core::MediaType::video ? "asset_unavailable" : "media_source_unavailable";
    auto asset = co_await parts_.assets([&](store::Assets& assets) { return assets.find(account, id); });
    if (!asset && asset.error().code == ErrorCode::not_found) {
        co_return refuse(unavailable, "The asset " + to_string(id) + " no longer exists.");
    }
    if (!asset) co_return broken(asset.error());
    if (asset->state != core::AssetState::ready) {
        co_return refuse(unavailable, "The asset " + to_string(id) + " is not ready.");
    }
    if (asset->type != wanted) {
        co_return refuse(unavailable,
                         "The asset " + to_string(id) + " is not of the kind that is needed here.");
    }
    auto file = co_await parts_.blobs([&](blob::BlobStore& blobs) { return blobs.open(asset->blob_key); });
    if (!file && is_ours_to_fix(file.error())) co_return broken(file.error());
    if (!file || file->bytes() != asset->bytes)
        co_return refuse(unavailable, "The bytes of the asset " + to_string(id) + " are missing or damaged.");
    co_return File{asset->blob_key, std::make_shared<const blob::BlobFile>(std::move(*file))};
}

async::Task<Inputs::Found<Inputs::File>> Inputs::inline_file(std::string base64, core::MediaType wanted) {
    const std::string key = new_key();
    auto file = co_await parts_.blobs([&](blob::BlobStore& blobs) -> Result<blob::BlobFile> {
        auto bytes = decode_base64(base64);
        if (!bytes) return std::unexpected(bytes.error());
        if (auto written = write_blob(blobs, key, *bytes); !written) return std::unexpected(written.error());
        return open_and_unname(blobs, key);
    });
    if (!file && is_ours_to_fix(file.error())) co_return broken(file.error());
    if (!file) {
        co_return refuse(wanted == core::MediaType::video ? "video_file_broken" : "media_source_unavailable",
                         file.error().message);
    }
    co_return File{key, std::make_shared<const blob::BlobFile>(std::move(*file))};
}

async::Task<Inputs::Found<Inputs::File>> Inputs::fetched_file(std::string url, core::MediaType wanted) {
    const std::string key = new_key();
    const std::uint64_t bytes_max =
        wanted == core::MediaType::video ? parts_.limits.url_media_bytes_max : parts_.limits.image_bytes_max;
    fetch::Fetcher& fetcher = *parts_.fetcher;
    blob::BlobStore& blobs = parts_.blobs.now();
    std::optional<Error> ours;  // the disk, not the URL
    auto file = co_await parts_.fetch_lane->run_stoppable(
        [&](const std::atomic<bool>& stop) -> Result<blob::BlobFile> {
            auto writer = blobs.create(key);
            if (!writer) {
                ours = writer.error();
                return std::unexpected(writer.error());
            }
            auto fetched = fetcher.get(url, bytes_max, [&](std::string_view bytes) -> Result<> {
                if (stop) return fail(ErrorCode::canceled, "Nobody waits for this file any more.");
                auto written = (*writer)->append(bytes);
                if (!written) ours = written.error();
                return written;
            });
            if (!fetched) return std::unexpected(fetched.error());
            if (auto committed = (*writer)->commit(); !committed) {
                ours = committed.error();
                return std::unexpected(committed.error());
            }
            return open_and_unname(blobs, key);
        });
    if (ours) co_return broken(*ours);
    if (!file) {
        co_return refuse(wanted == core::MediaType::video ? "asset_unavailable" : "media_source_unavailable",
                         "The URL could not be fetched: " + file.error().message);
    }
    co_return File{key, std::make_shared<const blob::BlobFile>(std::move(*file))};
}

async::Task<Inputs::Found<Inputs::File>> Inputs::find_file(AccountId account, core::MediaSource source,
                                                           core::MediaType wanted) {
    if (const auto* asset = std::get_if<core::FromAsset>(&source))
        co_return co_await asset_file(account, asset->id, wanted);
    if (auto* url = std::get_if<core::FromUrl>(&source))
        co_return co_await fetched_file(std::move(url->url), wanted);
    co_return co_await inline_file(std::move(std::get<core::FromBase64>(source).text), wanted);
}

async::Task<Result<media::MediaInfo>> Inputs::probe(File file) {
    if (const auto known = probed_by_key_.find(file.key); known != probed_by_key_.end()) {
        probed_.splice(probed_.begin(), probed_, known->second);
        co_return known->second->info;
    }
    auto info = co_await parts_.media->probe(file.bytes);
    if (info && !probed_by_key_.contains(file.key)) {
        probed_.push_front({file.key, *info});
        probed_by_key_[file.key] = probed_.begin();
        if (probed_.size() > kProbedMax) {
            probed_by_key_.erase(probed_.back().key);
            probed_.pop_back();
        }
    }
    co_return info;
}

async::Task<Inputs::Found<std::shared_ptr<media::Video>>> Inputs::open_video(AccountId account,
                                                                             core::MediaSource source) {
    auto found = co_await find_file(account, std::move(source), core::MediaType::video);
    if (auto* refused = std::get_if<Refused>(&found)) co_return std::move(*refused);
    if (auto* failed = std::get_if<Broken>(&found)) co_return std::move(*failed);
    const File file = std::get<File>(found);
    auto info = co_await probe(file);
    if (!info && is_ours_to_fix(info.error())) co_return broken(info.error());
    if (!info) co_return refuse("video_file_broken", info.error().message);
    co_return parts_.media->open(file.key, file.bytes, std::move(*info));
}

async::Task<Inputs::Found<backend::ImageInput>> Inputs::read_image(AccountId account,
                                                                   core::NamedImage image) {
    const std::string name = image.name;
    auto found = co_await find_file(account, std::move(image.source), core::MediaType::image);
    if (auto* refused = std::get_if<Refused>(&found)) {
        refused->failure.message = "The image <@" + name + ">: " + refused->failure.message;
        co_return std::move(*refused);
    }
    if (auto* failed = std::get_if<Broken>(&found)) co_return std::move(*failed);
    const File& file = std::get<File>(found);
    auto bytes = co_await parts_.blobs([&](blob::BlobStore&) { return read_file(*file.bytes); });
    if (!bytes && is_ours_to_fix(bytes.error())) co_return broken(bytes.error());
    if (!bytes)
        co_return refuse("media_source_unavailable", "The image <@" + name + ">: " + bytes.error().message);
    const std::string_view mime_type = sniff_image(*bytes);
    if (mime_type.empty()) {
        co_return refuse("media_source_unavailable",
                         "The image <@" + name + "> is not a JPEG, PNG, WebP, GIF or BMP file.");
    }
    co_return backend::ImageInput{name, std::string(mime_type), std::move(*bytes)};
}

async::Task<std::variant<Prepared, Refused, Broken>> Inputs::prepare(AccountId account,
                                                                     core::VideoAnalysis analysis) {
    Prepared prepared;
    auto video = co_await open_video(account, analysis.video);
    if (auto* refused = std::get_if<Refused>(&video)) co_return std::move(*refused);
    if (auto* failed = std::get_if<Broken>(&video)) co_return std::move(*failed);
    prepared.video = std::get<std::shared_ptr<media::Video>>(std::move(video));
    if (auto fault = find_video_fault(prepared.video->info(), analysis, parts_.limits))
        co_return Refused{std::move(*fault)};

    std::vector<core::NamedImage> images = std::move(analysis.prompt.images);
    if (auto* segments = std::get_if<core::SegmentsOutput>(&analysis.output)) {
        for (core::SegmentDefinition& definition : segments->definitions) {
            std::ranges::move(definition.images, std::back_inserter(images));
        }
    }
    for (core::NamedImage& image : images) {
        auto read = co_await read_image(account, std::move(image));
        if (auto* refused = std::get_if<Refused>(&read)) co_return std::move(*refused);
        if (auto* failed = std::get_if<Broken>(&read)) co_return std::move(*failed);
        prepared.images.push_back(std::get<backend::ImageInput>(std::move(read)));
    }
    co_return prepared;
}

}  // namespace sheaf::scheduler

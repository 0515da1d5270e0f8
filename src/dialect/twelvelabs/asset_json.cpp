#include "dialect/twelvelabs/asset_json.h"

#include "dialect/twelvelabs/words.h"
#include "jsonl/writer.h"

namespace sheaf::dialect::twelvelabs {
namespace {

using jsonl::Writer;

void write_asset_members(Writer& json, const core::Asset& asset) {
    json.member("_id", to_string(asset.id)).member("method", to_word(asset.method));
    json.member("status", to_word(asset.state));
    if (!asset.filename.empty()) json.member("filename", asset.filename);
    if (!asset.mime_type.empty()) json.member("file_type", asset.mime_type);
    json.member("created_at", to_rfc3339(asset.created_at));
    if (!asset.user_metadata.empty()) json.member_raw("user_metadata", asset.user_metadata);
}

// Neither is made here. Who asked for one is told so, and does not wait for it.
void write_not_made(Writer& json, std::string_view name) {
    json.key(name).open_object().member("status", "error").close_object();
}

void write_detail(Writer& json, const core::Asset& asset) {
    json.open_object();
    write_asset_members(json, asset);
    if (asset.state == core::AssetState::ready) {
        json.member("size", asset.bytes);
        if (asset.duration_s && asset.type != core::MediaType::image)
            json.member("duration", *asset.duration_s);
    }
    if (asset.state != core::AssetState::processing && !asset.details.empty()) {
        json.member_raw("technical_metadata", asset.details);
    }
    if (asset.state == core::AssetState::failed) {
        const std::string_view why =
            asset.error.empty() ? "The file could not be used." : std::string_view(asset.error);
        json.key("error").open_object().member("message", why).close_object();
    }
    if (asset.wants_hls) write_not_made(json, "hls");
    if (asset.wants_thumbnail) write_not_made(json, "thumbnail");
    json.close_object();
}

}  // namespace

std::string render_asset(const core::Asset& asset) {
    Writer json;
    json.open_object();
    write_asset_members(json, asset);
    json.close_object();
    return json.take();
}

std::string render_asset_detail(const core::Asset& asset) {
    Writer json;
    write_detail(json, asset);
    return json.take();
}

std::string render_asset_list(const store::Page<core::Asset>& page, const PageRequest& asked) {
    Writer json;
    json.open_object().key("data").open_array();
    for (const core::Asset& asset : page.rows) write_detail(json, asset);
    json.close_array();
    write_page_info(json, asked, page.total);
    json.close_object();
    return json.take();
}

std::optional<core::MediaType> parse_asset_type(std::string_view word) {
    if (word == "video") return core::MediaType::video;
    if (word == "audio") return core::MediaType::audio;
    if (word == "image") return core::MediaType::image;
    if (word == "document") return core::MediaType::unknown;
    return std::nullopt;
}

}  // namespace sheaf::dialect::twelvelabs

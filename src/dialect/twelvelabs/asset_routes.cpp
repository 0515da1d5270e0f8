#include "dialect/twelvelabs/asset_routes.h"

#include <fmt/format.h>

#include "dialect/twelvelabs/asset_form.h"
#include "dialect/twelvelabs/asset_json.h"
#include "dialect/twelvelabs/body.h"
#include "dialect/twelvelabs/user_metadata.h"
#include "dialect/twelvelabs/words.h"

namespace sheaf::dialect::twelvelabs {
namespace {

// Nullopt: the filters match nothing.
Checked<std::optional<store::AssetQuery>> read_filters(const Call& call, const PageRequest& page) {
    store::AssetQuery query;
    query.account = call.account;
    query.page = page.range();
    bool possible = true;
    const auto ids = read_values(call.request, "asset_ids");
    for (const std::string& text : ids) {
        if (const auto id = AssetId::parse(text)) query.ids.push_back(*id);
    }
    if (!ids.empty() && query.ids.empty()) possible = false;
    const auto types = read_values(call.request, "asset_types");
    for (const std::string& word : types) {
        const auto type = parse_asset_type(word);
        if (!type) {
            return refuse(400, code::kParameterInvalid,
                          "asset_types must be image, video, audio or document.", "asset_types");
        }
        if (*type != core::MediaType::unknown) query.types.push_back(*type);
    }
    if (!types.empty() && query.types.empty()) possible = false;
    query.filename_part = call.request.parameter("filename").value_or("");
    if (!possible) return std::nullopt;
    return query;
}

}  // namespace

void AssetRoutes::add_to(http::Router& router, Gate& gate) {
    const std::string all = std::string(kPrefix) + "/assets";
    const std::string one = all + "/{asset_id}";
    const std::string metadata = one + "/user-metadata";
    // A refused upload cannot be sent again by clients that stream a file: it is not counted.
    router.add("POST", all, gate.keyed([this](Call& call) { return create(call); }, Gate::Rate::free));
    router.add("GET", all, gate.keyed([this](Call& call) { return list(call); }));
    router.add("GET", one, gate.keyed([this](Call& call) { return retrieve(call); }));
    router.add("DELETE", one, gate.keyed([this](Call& call) { return remove(call); }));
    router.add("PUT", metadata, gate.keyed([this](Call& call) { return replace_metadata(call); }));
    router.add("PATCH", metadata, gate.keyed([this](Call& call) { return patch_metadata(call); }));
    router.add("DELETE", metadata, gate.keyed([this](Call& call) { return clear_metadata(call); }));
}

async::Task<Reply> AssetRoutes::create(Call& call) {
    AssetForm form(*assets_);
    if (auto read = co_await form.read(call.request); !read) co_return std::unexpected(read.error());
    const auto asset = co_await form.create(call.account);
    if (!asset) co_return std::unexpected(asset.error());
    co_return json_response(201, render_asset(*asset));
}

async::Task<Reply> AssetRoutes::list(Call& call) {
    const auto page = read_page(call.request);
    if (!page) co_return std::unexpected(page.error());
    auto query = read_filters(call, *page);
    if (!query) co_return std::unexpected(query.error());
    store::Page<core::Asset> found;
    if (*query) {
        auto rows = co_await assets_->list(std::move(**query));
        if (!rows) co_return refuse(rows.error());
        found = std::move(*rows);
    }
    co_return json_response(200, render_asset_list(found, *page));
}

async::Task<Reply> AssetRoutes::retrieve(Call& call) {
    const auto id = call.id<AssetId>();
    if (!id) co_return refuse_unknown();
    const auto asset = co_await assets_->find(call.account, *id);
    if (!asset) co_return refuse(asset.error());
    co_return json_response(200, render_asset_detail(*asset));
}

async::Task<Reply> AssetRoutes::remove(Call& call) {
    const auto force = read_flag(call.request, "force");
    if (!force) co_return std::unexpected(force.error());
    const auto id = call.id<AssetId>();
    if (!id) co_return refuse_unknown();
    const auto removed = co_await assets_->remove(call.account, *id, *force);
    if (removed) co_return empty_response(204);
    if (removed.error().code == ErrorCode::conflict) {
        co_return refuse(409, code::kAssetInUse,
                         "Unfinished analyses refer to the asset; force=true removes it anyway.");
    }
    co_return refuse(removed.error());
}

async::Task<Reply> AssetRoutes::replace_metadata(Call& call) {
    const auto body = co_await read_json(call.request, kSmallBodyMax);
    if (!body) co_return std::unexpected(body.error());
    Findings findings;
    ObjectReader reader(body->document.root(), "", findings);
    std::string json;
    if (const auto value = reader.find("user_metadata", Need::required)) {
        json = read_user_metadata(*value, "user_metadata", findings);
    }
    reader.finish();
    if (findings.any()) co_return findings.refusal();
    const auto id = call.id<AssetId>();
    if (!id) co_return refuse_unknown();
    co_return co_await set_metadata(call, *id, std::move(json));
}

async::Task<Reply> AssetRoutes::patch_metadata(Call& call) {
    const auto body = co_await read_json(call.request, kSmallBodyMax);
    if (!body) co_return std::unexpected(body.error());
    const auto id = call.id<AssetId>();
    if (!id) co_return refuse_unknown();
    const auto asset = co_await assets_->find(call.account, *id);
    if (!asset) co_return refuse(asset.error());
    Findings findings;
    ObjectReader reader(body->document.root(), "", findings);
    std::string json;
    if (const auto value = reader.find("user_metadata", Need::required)) {
        json = patch_user_metadata(asset->user_metadata, *value, "user_metadata", findings);
    }
    reader.finish();
    if (findings.any()) co_return findings.refusal();
    co_return co_await set_metadata(call, *id, std::move(json));
}

async::Task<Reply> AssetRoutes::clear_metadata(Call& call) {
    const auto id = call.id<AssetId>();
    if (!id) co_return refuse_unknown();
    co_return co_await set_metadata(call, *id, {});
}

async::Task<Reply> AssetRoutes::set_metadata(Call& call, AssetId id, std::string json) {
    const auto set = co_await assets_->set_user_metadata(call.account, id, std::move(json));
    if (!set) co_return refuse(set.error());
    co_return empty_response(204);
}

}  // namespace sheaf::dialect::twelvelabs

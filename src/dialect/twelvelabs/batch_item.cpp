#include "dialect/twelvelabs/batch_item.h"

namespace sheaf::dialect::twelvelabs {
namespace {

// Only an uploaded asset: a batch lives long, and what a URL points to may be gone by then.
AssetId read_asset_video(dom::element value, const std::string& path, Findings& findings) {
    ObjectReader reader(value, path, findings);
    const auto type = reader.text("type", Need::required);
    if (type && *type != "asset_id") {
        findings.invalid(reader.path_of("type"), "must be \"asset_id\": batches take uploaded assets only");
    }
    AssetId asset;
    if (const auto text = reader.text("asset_id", Need::required)) {
        const auto id = AssetId::parse(*text);
        if (!id) {
            findings.invalid(reader.path_of("asset_id"),
                             "must be an asset identifier of 24 hexadecimal characters");
        }
        asset = id.value_or(AssetId{});
    }
    reader.finish();
    return asset;
}

}  // namespace

BatchItemRequest read_batch_item(dom::element value, const std::string& path, const ParamsRules& rules,
                                 Findings& findings) {
    ObjectReader reader(value, path, findings);
    BatchItemRequest item;
    if (const auto video = reader.find("video", Need::required)) {
        item.asset = read_asset_video(*video, reader.path_of("video"), findings);
    }
    item.custom_id = reader.text("custom_id");
    if (item.custom_id && !is_plain_name(*item.custom_id)) {
        findings.invalid(reader.path_of("custom_id"),
                         "must be 1 to 64 letters, digits, hyphens or underscores");
    }
    item.params = read_batch_params(reader, rules);
    reader.finish();
    return item;
}

AnalysisParams read_defaults(dom::element value, const std::string& path, const ParamsRules& rules,
                             Findings& findings) {
    ObjectReader reader(value, path, findings);
    AnalysisParams params = read_batch_params(reader, rules);
    reader.finish();
    return params;
}

}  // namespace sheaf::dialect::twelvelabs

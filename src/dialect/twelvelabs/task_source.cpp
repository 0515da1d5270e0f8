#include "dialect/twelvelabs/task_source.h"

#include <fmt/format.h>

namespace sheaf::dialect::twelvelabs {
namespace {

constexpr std::string_view kOlderModel = "pegasus1.2";

struct Use {
    AssetId id;
    std::string path;
    core::MediaType type;
};

std::vector<Use> list_uses(const TaskRequest& request) {
    std::vector<Use> uses;
    if (const auto* const asset = std::get_if<core::FromAsset>(&request.video)) {
        uses.push_back({asset->id, "video.asset_id", core::MediaType::video});
    }
    for_each_image_asset(request.params, [&uses](const AssetId& id, const std::string& path) {
        uses.push_back({id, path, core::MediaType::image});
    });
    return uses;
}

}  // namespace

Checked<std::string> choose_model(const TaskRequest& request, const service::LiveRunner& live,
                                  std::string_view default_model) {
    if (!request.model) return std::string(default_model);
    if (live.knows_model(*request.model)) return *request.model;
    Findings findings;
    if (*request.model != kOlderModel) {
        findings.invalid("model_name", "is not the name of a model that this server has");
        return findings.refusal();
    }
    const AnalysisParams& params = request.params;
    const bool is_plain = request.mode == Mode::general && params.prompt_form == PromptForm::plain &&
                          !params.start_time && !params.end_time;
    if (is_plain) return std::string(default_model);
    findings.invalid("model_name",
                     fmt::format("must be \"{}\" for segments, windows and prompt_v2", default_model));
    return findings.refusal();
}

async::Task<Checked<>> check_task_assets(service::Assets& assets, AccountId account,
                                         const TaskRequest& request, AssetRules rules) {
    const std::vector<Use> uses = list_uses(request);
    if (uses.empty()) co_return Checked<>{};
    std::vector<AssetId> ids;
    for (const Use& use : uses) ids.push_back(use.id);
    const auto found = co_await assets.find_all(account, std::move(ids));
    if (!found) co_return refuse(found.error());
    for (std::size_t i = 0; i < uses.size(); ++i) {
        const auto& asset = (*found)[i];
        const std::string& path = uses[i].path;
        if (!asset) {
            co_return refuse(rules.missing_status, code::kResourceNotExist,
                             fmt::format("{} does not exist, or you cannot access it.", path), path);
        }
        if (asset->state != core::AssetState::ready) {
            co_return refuse(400, code::kAssetNotReady,
                             fmt::format("{} is an asset that is not ready.", path), path);
        }
        if (asset->type != uses[i].type) {
            const std::string_view wanted = uses[i].type == core::MediaType::image ? "an image" : "a video";
            co_return refuse(400, code::kParameterInvalid, fmt::format("{} must be {}.", path, wanted), path);
        }
        const bool is_video = uses[i].type == core::MediaType::video;
        if (is_video && rules.video_seconds_max && asset->duration_s.value_or(0) > *rules.video_seconds_max) {
            co_return refuse(400, code::kVideoDurationTooLong,
                             fmt::format("{} is longer than {} seconds; create a task for it.", path,
                                         *rules.video_seconds_max),
                             path);
        }
    }
    co_return Checked<>{};
}

core::Subject subject_of(const core::MediaSource& video) {
    if (const auto* const asset = std::get_if<core::FromAsset>(&video))
        return core::Subject::asset(asset->id);
    if (const auto* const url = std::get_if<core::FromUrl>(&video)) return core::Subject::url(url->url);
    return {};
}

}  // namespace sheaf::dialect::twelvelabs

#include "dialect/twelvelabs/batch_create.h"

#include <array>
#include <unordered_map>

#include <fmt/format.h>

#include "dialect/spooling.h"
#include "dialect/twelvelabs/batch_json.h"
#include "dialect/twelvelabs/body.h"

namespace sheaf::dialect::twelvelabs {
namespace {

constexpr std::string_view kScope = "POST /analyze/batches";
// Others get their turn after so much of a batch was checked.
constexpr std::size_t kCheckedAtOnce = 256 * 1024;

std::string_view type_name(core::MediaType type) {
    return type == core::MediaType::image ? "an image" : "a video";
}

std::unexpected<Problem> refuse_active(std::uint32_t limit) {
    return refuse(429, code::kActiveBatchLimitExceeded,
                  fmt::format("The account already has {} active batches; wait until one has ended.", limit));
}

Reply replay(const store::IdempotencyRecord& record) {
    return json_response(record.status, record.response);
}

}  // namespace

async::Task<Reply> BatchCreator::create(Call& call) {
    if (auto type = check_json_type(call.request); !type) co_return std::unexpected(type.error());
    auto spool = co_await spool_body(call.request, *batches_, batches_->limits().json_body_bytes_max);
    if (!spool) co_return std::unexpected(to_creation_problem(spool.error()));
    const auto body = co_await spool->bytes();
    if (!body) co_return std::unexpected(to_creation_problem(body.error()));
    auto repeatable = co_await read_repeatable(call, kScope, *body);
    if (!repeatable) co_return std::unexpected(repeatable.error());
    if (*repeatable) {
        const auto earlier = co_await find_earlier(*batches_, **repeatable);
        if (!earlier) co_return std::unexpected(earlier.error());
        if (*earlier) co_return replay(**earlier);
    }
    const auto request = co_await read_request(*body);
    if (!request) co_return std::unexpected(request.error());
    if (auto active = co_await check_active(call.account); !active) co_return std::unexpected(active.error());
    if (auto assets = co_await check_assets(call.account, *request); !assets) {
        co_return std::unexpected(assets.error());
    }
    co_return co_await submit(call.account, *request, *body, std::move(*spool), std::move(*repeatable));
}

async::Task<Checked<BatchRequest>> BatchCreator::read_request(std::string_view body) {
    auto request = BatchRequest::read_frame(
        body, batches_->limits(), [this](std::string_view model) { return live_->knows_model(model); });
    if (!request) co_return std::unexpected(request.error());
    std::size_t checked = 0;
    for (std::size_t i = 0; i < request->item_count(); ++i) {
        if (auto read = request->read_item(i); !read) co_return std::unexpected(read.error());
        checked += request->items().back().text.size() + request->defaults().size();
        if (checked < kCheckedAtOnce) continue;
        checked = 0;
        co_await async::yield_to_others();
    }
    co_return std::move(*request);
}

async::Task<Checked<>> BatchCreator::check_active(const AccountId& account) {
    const std::uint32_t limit = batches_->limits().active_batches_max;
    if (limit == 0) co_return Checked<>{};
    store::BatchQuery query;
    query.account = account;
    query.dialect = kDialectName;
    query.states = {{core::BatchState::accepted}, {core::BatchState::running}, {core::BatchState::canceling}};
    query.page.count = 1;
    const auto active = co_await batches_->list(std::move(query));
    if (!active) co_return std::unexpected(to_creation_problem(active.error()));
    if (active->total >= limit) co_return refuse_active(limit);
    co_return Checked<>{};
}

async::Task<Checked<>> BatchCreator::check_assets(const AccountId& account, const BatchRequest& request) {
    std::vector<AssetId> ids;
    std::unordered_map<AssetId, std::size_t> places;
    for (const AssetUse& use : request.uses()) {
        if (places.emplace(use.id, ids.size()).second) ids.push_back(use.id);
    }
    const auto assets = co_await assets_->find_all(account, std::move(ids));
    if (!assets) co_return std::unexpected(to_creation_problem(assets.error()));
    for (const AssetUse& use : request.uses()) {
        if (!(*assets)[places.at(use.id)]) {
            co_return refuse(404, code::kResourceNotExist,
                             fmt::format("{} does not exist, or you cannot access it.", use.path), use.path);
        }
    }
    for (const AssetUse& use : request.uses()) {
        if ((*assets)[places.at(use.id)]->state != core::AssetState::ready) {
            co_return refuse(409, code::kAssetNotReady,
                             fmt::format("{} is an asset that is not ready.", use.path), use.path);
        }
    }
    double seconds = 0;
    for (const AssetUse& use : request.uses()) {
        const core::Asset& asset = *(*assets)[places.at(use.id)];
        if (asset.type != use.type) {
            co_return refuse(400, code::kParameterInvalid,
                             fmt::format("{} must be {}.", use.path, type_name(use.type)), use.path);
        }
        if (use.type == core::MediaType::video) seconds += asset.duration_s.value_or(0);
    }
    const double hours_max = batches_->limits().batch_content_hours_max;
    if (seconds > hours_max * 3600) {
        co_return refuse(400, code::kParameterInvalid,
                         fmt::format("requests refer to more than {} hours of video.", hours_max),
                         "requests");
    }
    co_return Checked<>{};
}

async::Task<Reply> BatchCreator::submit(const AccountId& account, const BatchRequest& request,
                                        std::string_view body, service::Spool spool,
                                        std::optional<RepeatableCall> repeatable) {
    const service::Limits& limits = batches_->limits();
    const Timestamp now = batches_->now();
    store::BatchDraft draft;
    draft.active_max = limits.active_batches_max;
    draft.batch.id = make_batch_id(now);
    draft.batch.account = account;
    draft.batch.dialect = kDialectName;
    draft.batch.model = request.model();
    draft.batch.tag = to_word(request.mode());
    draft.batch.shared = request.defaults();
    draft.batch.item_events = core::ItemEvents::to_webhooks;
    draft.batch.created_at = now;
    draft.batch.expires_at = now + limits.batch_time;
    draft.batch.purge_at = now + limits.retention;
    std::vector<std::optional<std::string>> custom_ids;
    for (const auto& item : request.items()) {
        draft.items.push_back({item.custom_id, core::Subject::asset(item.asset),
                               static_cast<std::uint64_t>(item.text.data() - body.data()), item.text.size()});
        custom_ids.push_back(item.custom_id);
    }
    if (repeatable) {
        draft.idempotency =
            repeatable->record(201, render_created(draft.batch, custom_ids), now + limits.idempotency_time);
    }
    const auto batch = co_await batches_->submit(std::move(draft), std::move(spool));
    if (batch) co_return json_response(201, render_created(*batch, custom_ids));
    // Two calls under one key at once: the other one won.
    if (repeatable && batch.error().code == ErrorCode::conflict) {
        const auto earlier = co_await find_earlier(*batches_, *repeatable);
        if (!earlier) co_return std::unexpected(earlier.error());
        if (*earlier) co_return replay(**earlier);
    }
    if (batch.error().code == ErrorCode::exhausted) co_return refuse_active(limits.active_batches_max);
    co_return std::unexpected(to_creation_problem(batch.error()));
}

}  // namespace sheaf::dialect::twelvelabs

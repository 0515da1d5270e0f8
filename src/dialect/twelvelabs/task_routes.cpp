#include "dialect/twelvelabs/task_routes.h"

#include <fmt/format.h>

#include "dialect/twelvelabs/body.h"
#include "dialect/twelvelabs/codec.h"
#include "dialect/twelvelabs/idempotency.h"
#include "dialect/twelvelabs/request_params.h"
#include "dialect/twelvelabs/task_source.h"

namespace sheaf::dialect::twelvelabs {
namespace {

constexpr std::string_view kScope = "POST /analyze/tasks";

std::string render_created_task(const ItemId& id) {
    jsonl::Writer json;
    json.open_object().member("task_id", to_string(id)).member("status", "queued").close_object();
    return json.take();
}

std::unexpected<Problem> refuse_filter(std::string_view name, std::string_view value) {
    return refuse(400, code::kParameterInvalid,
                  fmt::format("{}: \"{}\" is not a known value.", name, value.substr(0, 64)),
                  std::string(name));
}

// Nullopt: the filters exclude each other, so that nothing matches.
Checked<std::optional<store::ItemQuery>> read_filters(const Call& call, const PageRequest& page) {
    store::ItemQuery query;
    query.account = call.account;
    query.dialect = kDialectName;
    query.page = page.range();
    bool possible = true;
    if (const auto word = call.request.parameter("status")) {
        auto states = parse_task_status(*word);
        if (!states) return refuse_filter("status", *word);
        possible = !states->empty();
        query.states = std::move(*states);
    }
    if (const auto word = call.request.parameter("analysis_mode")) {
        if (!parse_mode(*word)) return refuse_filter("analysis_mode", *word);
        query.tag = *word;
    }
    const auto narrow = [&](core::Subject subject) {
        if (query.subject && *query.subject != subject) possible = false;
        query.subject = std::move(subject);
    };
    if (const auto url = call.request.parameter("video_url")) narrow(core::Subject::url(std::string(*url)));
    // An older name of the same filter.
    for (const std::string_view name : {"asset_id", "video_id"}) {
        const auto text = call.request.parameter(name);
        if (!text) continue;
        const auto id = AssetId::parse(*text);
        if (id)
            narrow(core::Subject::asset(*id));
        else
            possible = false;
    }
    if (!possible) return std::nullopt;
    return query;
}

// The max_tokens that rendered request_params name, or their mode's default.
std::uint32_t max_tokens_of(std::string_view request_params, std::string_view mode) {
    const auto document = jsonl::Document::parse(request_params, {.depth_max = 128});
    std::uint64_t number = 0;
    if (document && document->root()["max_tokens"].get(number) == simdjson::SUCCESS) {
        return static_cast<std::uint32_t>(number);
    }
    return to_analysis({}, parse_mode(mode).value_or(Mode::general), {}, {}).max_tokens;
}

}  // namespace

void TaskRoutes::add_to(http::Router& router, Gate& gate) {
    const std::string all = std::string(kPrefix) + "/analyze/tasks";
    const std::string one = all + "/{task_id}";
    router.add("POST", all, gate.keyed([this](Call& call) { return create(call); }));
    router.add("GET", all, gate.keyed([this](Call& call) { return list(call); }));
    router.add("GET", one, gate.keyed([this](Call& call) { return retrieve(call); }));
    router.add("DELETE", one, gate.keyed([this](Call& call) { return remove(call); }));
}

async::Task<Reply> TaskRoutes::create(Call& call) {
    service::Batches& batches = *parts_.batches;
    const service::Limits& limits = batches.limits();
    const auto body = co_await read_json(call.request, kMediaBodyMax);
    if (!body) co_return std::unexpected(body.error());
    const auto repeatable = co_await read_repeatable(call, kScope, body->text);
    if (!repeatable) co_return std::unexpected(repeatable.error());
    if (*repeatable) {
        const auto earlier = co_await find_earlier(batches, **repeatable);
        if (!earlier) co_return std::unexpected(earlier.error());
        if (*earlier) co_return json_response((**earlier).status, (**earlier).response);
    }
    Findings findings;
    const TaskRequest request = read_task_request(body->document.root(), limits, findings);
    if (findings.any()) co_return findings.refusal();
    auto model = choose_model(request, *parts_.live, parts_.default_model);
    if (!model) co_return std::unexpected(model.error());
    const AssetRules rules{.missing_status = 400};
    if (auto checked = co_await check_task_assets(*parts_.assets, call.account, request, rules); !checked) {
        co_return std::unexpected(checked.error());
    }
    auto spool = co_await batches.new_body();
    if (!spool) co_return refuse(spool.error());
    if (auto appended = co_await spool->append(body->text); !appended) co_return refuse(appended.error());

    const Timestamp now = batches.now();
    store::BatchDraft draft;
    draft.batch.id = make_batch_id(now);
    draft.batch.account = call.account;
    draft.batch.dialect = kDialectName;
    draft.batch.kind = core::BatchKind::task;
    draft.batch.item_events = core::ItemEvents::to_webhooks;
    draft.batch.model = std::move(*model);
    draft.batch.tag = to_word(request.mode);
    draft.batch.shared = render_request_params(request.params, request.mode);
    draft.batch.created_at = now;
    draft.batch.expires_at = now + limits.batch_time;
    draft.batch.purge_at = now + limits.retention;
    draft.items.push_back({request.custom_id, subject_of(request.video), 0, body->text.size()});
    if (*repeatable) {
        draft.idempotency =
            (**repeatable)
                .record(202, render_created_task(draft.batch.id.item(0)), now + limits.idempotency_time);
    }
    const auto batch = co_await batches.submit(std::move(draft), std::move(*spool));
    if (batch) co_return json_response(202, render_created_task(batch->id.item(0)));
    if (*repeatable && batch.error().code == ErrorCode::conflict) {
        const auto earlier = co_await find_earlier(batches, **repeatable);
        if (!earlier) co_return std::unexpected(earlier.error());
        if (*earlier) co_return json_response((**earlier).status, (**earlier).response);
    }
    co_return refuse(batch.error());
}

async::Task<Reply> TaskRoutes::list(Call& call) {
    const auto page = read_page(call.request);
    if (!page) co_return std::unexpected(page.error());
    const auto query = read_filters(call, *page);
    if (!query) co_return std::unexpected(query.error());
    store::Page<store::ItemOfBatch> found;
    if (*query) {
        auto rows = co_await parts_.batches->list_items(**query);
        if (!rows) co_return refuse(rows.error());
        found = std::move(*rows);
    }
    const Durations durations = co_await find_durations(call.account, found.rows);
    auto tellings = co_await find_tellings(found.rows);
    if (!tellings) co_return std::unexpected(tellings.error());
    jsonl::Writer json;
    json.open_object().key("data").open_array();
    for (std::size_t at = 0; at < found.rows.size(); ++at) {
        const store::ItemOfBatch& task = found.rows[at];
        auto view = co_await describe(task);
        // Removed since the list was read.
        if (!view && view.error().status == 404) continue;
        if (!view) co_return std::unexpected(view.error());
        view->request_params = abbreviate_request_params(view->request_params);
        view->with_result = false;
        view->tellings = std::move((*tellings)[at]);
        const auto duration = durations.find(asset_of(task.item.subject).value_or(AssetId{}));
        if (duration != durations.end()) view->video_seconds = duration->second;
        if (task.item.state == core::ItemState::failed) {
            auto line = co_await parts_.batches->read_line(task.item.id);
            if (line) view->line = std::move(*line);
        }
        write_task(json, *view);
    }
    json.close_array();
    write_page_info(json, *page, found.total);
    json.close_object();
    co_return json_response(200, json.take());
}

async::Task<Reply> TaskRoutes::retrieve(Call& call) {
    const auto task = co_await find(call);
    if (!task) co_return std::unexpected(task.error());
    auto view = co_await describe(*task);
    if (!view) co_return std::unexpected(view.error());
    const Durations durations = co_await find_durations(call.account, {*task});
    if (!durations.empty()) view->video_seconds = durations.begin()->second;
    auto line = co_await parts_.batches->read_line(task->item.id);
    if (!line) co_return refuse(line.error());
    view->line = std::move(*line);
    auto tellings = co_await find_tellings({*task});
    if (!tellings) co_return std::unexpected(tellings.error());
    view->tellings = std::move(tellings->front());
    jsonl::Writer json;
    write_task(json, *view);
    co_return json_response(200, json.take());
}

async::Task<Reply> TaskRoutes::remove(Call& call) {
    const auto task = co_await find(call);
    if (!task) co_return std::unexpected(task.error());
    if (task->batch.kind == core::BatchKind::batch) {
        co_return refuse(409, code::kTaskCannotBeDeleted, "The task belongs to a batch and goes with it.");
    }
    const auto busy = refuse(409, code::kTaskCannotBeDeleted, "The task is being processed.");
    if (task->item.state == core::ItemState::running) co_return busy;
    if (task->item.state == core::ItemState::queued) {
        const auto canceled = co_await parts_.batches->cancel(call.account, task->batch.id);
        // A conflict: it ended in between, and may be removed all the same.
        if (!canceled && canceled.error().code != ErrorCode::conflict) co_return refuse(canceled.error());
    }
    const auto removed = co_await parts_.batches->remove(call.account, task->batch.id);
    if (removed) co_return empty_response(204);
    if (removed.error().code == ErrorCode::conflict) co_return busy;
    co_return refuse(removed.error());
}

async::Task<Checked<store::ItemOfBatch>> TaskRoutes::find(Call& call) {
    const auto id = parse_item_id(call.request.path_parameters.at(0));
    if (!id) co_return refuse_unknown();
    auto task = co_await parts_.batches->find_item(call.account, *id);
    if (!task) co_return refuse(task.error());
    if (task->batch.dialect != kDialectName) co_return refuse_unknown();
    co_return std::move(*task);
}

async::Task<Checked<TaskView>> TaskRoutes::describe(const store::ItemOfBatch& task) {
    TaskView view;
    view.batch = &task.batch;
    view.item = &task.item;
    if (task.batch.kind == core::BatchKind::task) {
        view.request_params = task.batch.shared;
    } else {
        const auto body = co_await parts_.batches->read_item_body(task.item.id);
        if (!body) co_return refuse(body.error());
        const auto item = read_stored_item(task.batch, *body, parts_.batches->limits());
        if (!item) co_return refuse(500, code::kInternalServerError, "The stored request cannot be read.");
        view.request_params =
            render_request_params(item->params, parse_mode(task.batch.tag).value_or(Mode::general));
    }
    view.max_tokens = max_tokens_of(view.request_params, task.batch.tag);
    co_return view;
}

async::Task<TaskRoutes::Durations> TaskRoutes::find_durations(AccountId account,
                                                              const std::vector<store::ItemOfBatch>& tasks) {
    Durations durations;
    std::vector<AssetId> ids;
    for (const store::ItemOfBatch& task : tasks) {
        if (const auto id = asset_of(task.item.subject)) ids.push_back(*id);
    }
    if (ids.empty()) co_return durations;
    const auto assets = co_await parts_.assets->find_all(account, std::move(ids));
    // Only a courtesy: a task is shown without it.
    if (!assets) co_return durations;
    for (const auto& asset : *assets) {
        if (asset && asset->duration_s) durations.emplace(asset->id, *asset->duration_s);
    }
    co_return durations;
}

async::Task<Checked<std::vector<std::vector<service::Telling>>>> TaskRoutes::find_tellings(
    const std::vector<store::ItemOfBatch>& tasks) {
    std::vector<store::Topic> topics;
    for (const store::ItemOfBatch& task : tasks) topics.push_back({task.batch.id, task.item.id.ordinal});
    auto found = co_await parts_.webhooks->tellings(std::move(topics));
    if (!found) co_return refuse(found.error());
    co_return std::move(*found);
}

}  // namespace sheaf::dialect::twelvelabs

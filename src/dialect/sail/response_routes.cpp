#include "dialect/sail/response_routes.h"

#include <charconv>

#include "dialect/sail/batch_routes.h"
#include "dialect/sail/codec.h"
#include "dialect/sail/item_params.h"
#include "dialect/sail/response_json.h"
#include "dialect/sail/webhook_events.h"
#include "dialect/sail/words.h"

namespace sheaf::dialect::sail {
namespace {

bool is_true(const Members& members, std::string_view name) {
    return members.find(name) == "true";
}

std::string render_reply(std::string_view body, const core::Answer& answer) {
    ResponseView view{
        .id = {}, .custom_id = {}, .status = {}, .usage = render_usage(answer.usage), .error = {}};
    view.request = Members::of(body).value_or(Members());
    view.answer = Members::of(answer.reply).value_or(Members());
    view.id = string_in(view.answer.find("id").value_or("")).value_or("");
    const std::string status = string_in(view.answer.find("status").value_or("")).value_or("completed");
    view.status = status;
    const std::string_view created = view.answer.find("created_at").value_or("0");
    std::from_chars(created.data(), created.data() + created.size(), view.created_at);
    return render_response(view);
}

std::string render_error_event(const core::Ending& ending) {
    const ErrorObject problem = to_problem(ending);
    jsonl::Writer json;
    json.open_object().member("type", "error").member("code", problem.code);
    json.member("message", problem.message).member_null("param").close_object();
    return "event: error\ndata: " + json.take() + "\n\n";
}

CallForm event_form() {
    return {.keep_alive = ": still at work\n\n",
            .refusal = [](const core::Ending& ending) { return to_response(to_problem(ending)); },
            .failed_event = render_error_event};
}

}  // namespace

void ResponseRoutes::add_to(http::Router& router, Gate& gate) {
    const std::string all = std::string(kPrefix) + "/responses";
    router.add("POST", all, gate.keyed([this](Call& call) { return create(call); }));
    router.add("GET", all + "/{response_id}", gate.keyed([this](Call& call) { return retrieve(call); }));
}

async::Task<Reply> ResponseRoutes::retrieve(Call& call) {
    const auto id = parse_response_id(call.request.path_parameters.at(0));
    if (!id) co_return refuse_unknown();
    auto found = co_await parts_.batches->find_item(call.caller.account, *id);
    if (!found) co_return refuse(found.error());
    if (found->batch.dialect != kDialectName) co_return refuse_unknown();
    const auto stored = co_await read_stored(*parts_.batches, std::move(*found));
    if (!stored) co_return std::unexpected(stored.error());
    co_return json_response(
        200, render_stored_response(stored->found.batch, stored->found.item, stored->body, stored->line));
}

async::Task<Reply> ResponseRoutes::create(Call& call) {
    call.request.body->set_limit(parts_.body_bytes_max);
    auto body = co_await http::read_all(*call.request.body, parts_.body_bytes_max);
    if (!body) co_return refuse(body.error());
    const ParamsRules rules{.setting = Setting::live, .knows_model = [this](std::string_view model) {
                                return parts_.live->knows_model(model);
                            }};
    if (auto checked = check_params(*body, rules); !checked) co_return std::unexpected(checked.error());
    const auto members = Members::of(*body);
    if (!members) co_return refuse(members.error());
    const bool streams = is_true(*members, "stream");
    if (is_true(*members, "background")) {
        if (streams)
            co_return refuse(code::kInvalidValue, "stream", "A response in the background cannot stream.");
        co_return co_await create_in_background(call.caller.account, std::move(*body));
    }
    if (streams) co_return co_await answer_as_stream(call.caller.account, std::move(*body));
    co_return co_await answer_whole(call.caller.account, std::move(*body));
}

async::Task<Reply> ResponseRoutes::create_in_background(const AccountId& account, std::string body) {
    auto spool = co_await parts_.batches->new_body();
    if (!spool) co_return refuse(spool.error());
    if (const auto appended = co_await spool->append(body); !appended) co_return refuse(appended.error());
    store::BatchDraft draft;
    draft.batch.account = account;
    draft.batch.dialect = kDialectName;
    draft.batch.kind = core::BatchKind::task;
    if (completion_target(body)) draft.batch.item_events = core::ItemEvents::to_own_targets;
    draft.batch.expires_at = core::kNever;
    draft.batch.purge_at = core::kNever;
    draft.batch.keep_for = parts_.batches->limits().retention;
    draft.items.push_back({.custom_id = {}, .subject = {}, .body_offset = 0, .body_bytes = body.size()});
    const auto batch = co_await parts_.batches->submit(std::move(draft), std::move(*spool));
    if (!batch) co_return refuse(batch.error());
    const core::ItemHead item{.id = batch->id.item(0)};
    co_return json_response(202, render_stored_response(*batch, item, body, {}));
}

async::Task<Reply> ResponseRoutes::answer_whole(const AccountId& account, std::string body) {
    auto request = to_model_request(body);
    if (!request) co_return refuse(request.error());
    const core::Ending ending = co_await parts_.live->run_live(account, std::move(*request), {});
    const auto* const succeeded = std::get_if<core::Succeeded>(&ending);
    if (succeeded == nullptr) co_return std::unexpected(to_problem(ending));
    co_return json_response(200, render_reply(body, succeeded->answer));
}

async::Task<Reply> ResponseRoutes::answer_as_stream(const AccountId& account, std::string body) {
    auto request = to_model_request(body);
    if (!request) co_return refuse(request.error());
    auto live = std::make_shared<LiveCall>(executor_, leaving_, *parts_.live, account, std::move(*request));
    co_return co_await answer_with_events(std::move(live), event_form(), parts_.times);
}

}  // namespace sheaf::dialect::sail

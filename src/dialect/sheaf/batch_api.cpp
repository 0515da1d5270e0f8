#include <fmt/format.h>

#include "base/log.h"
#include "dialect/credentials.h"
#include "dialect/results.h"
#include "dialect/sheaf/batch_json.h"
#include "dialect/sheaf/errors.h"
#include "dialect/sheaf/follow.h"
#include "dialect/sheaf/receipt.h"
#include "dialect/sheaf/sheaf.h"
#include "http/syntax.h"

namespace sheaf::dialect::native {
namespace {

constexpr std::string_view kPrefix = "/sheaf/v1";
constexpr std::uint32_t kListDefault = 20;
constexpr std::uint32_t kListMax = 100;

Result<std::uint32_t> read_limit(const http::Request& request) {
    const auto text = request.parameter("limit");
    if (!text) return kListDefault;
    const auto number = http::parse_decimal(*text);
    if (number && *number >= 1 && *number <= kListMax) return static_cast<std::uint32_t>(*number);
    return fail(ErrorCode::invalid, fmt::format("limit must be an integer from 1 to {}.", kListMax), "limit");
}

std::unexpected<Error> refuse_cursor() {
    return fail(ErrorCode::invalid, "after is not the id of a batch.", "after");
}

// The line of an item that has none in the log: it is still to come, or it will never have run.
std::string line_of_unfinished(const core::ItemCodec* codec, const core::Batch& batch,
                               const core::ItemHead& item) {
    if (codec == nullptr) return {};
    if (item.state == core::ItemState::canceled) return codec->line(batch, item, core::Canceled{});
    if (item.state == core::ItemState::expired) return codec->line(batch, item, core::Expired{});
    return {};
}

http::Response refuse_archived() {
    return to_response(410, "archived", "The results of this batch were removed; it is kept as a name.");
}

}  // namespace

struct BatchApi::Call {
    http::Request& request;
    AccountId account;
};

void BatchApi::add_routes(http::Router& router) {
    const std::string all = std::string(kPrefix) + "/batches";
    const std::string one = all + "/{batch_id}";
    router.add("GET", all, keyed(&BatchApi::list));
    router.add("GET", one, keyed(&BatchApi::retrieve));
    router.add("DELETE", one, keyed(&BatchApi::remove));
    router.add("GET", one + "/results", keyed(&BatchApi::results));
    router.add("GET", one + "/receipt", keyed(&BatchApi::receipt));
    router.add("POST", one + "/cancel", keyed(&BatchApi::cancel));
    router.add_fallbacks(kPrefix, {.not_found = keyed(&BatchApi::refuse_path),
                                   .method_not_allowed = keyed(&BatchApi::refuse_method)});
}

http::Handler BatchApi::keyed(Endpoint endpoint) {
    return [this, endpoint](http::Request& request) { return answer(request, endpoint); };
}

async::Task<http::Response> BatchApi::answer(http::Request& request, Endpoint endpoint) {
    const auto key = find_key(request.headers, KeyHeader::authorization);
    auto caller = co_await options_.accounts.authenticate(key.value_or(""));
    if (!caller) co_return to_response(caller.error());
    Call call{request, std::move(caller->account)};
    auto response = co_await (this->*endpoint)(call);
    if (response) co_return std::move(*response);
    http::Response refusal = to_response(response.error());
    if (refusal.status >= 500) {
        log::warning("a call was answered with an error", {{"method", request.method},
                                                           {"path", request.path},
                                                           {"status", refusal.status},
                                                           {"why", response.error().message}});
    }
    co_return refusal;
}

async::Task<Result<core::Batch>> BatchApi::find(Call& call) {
    const auto id = parse_any_batch_id(call.request.path_parameters.at(0), options_.batch_ids);
    if (!id) co_return fail(ErrorCode::not_found, "There is no such batch.");
    co_return co_await options_.batches.find(call.account, *id);
}

async::Task<Result<http::Response>> BatchApi::list(Call& call) {
    const auto limit = read_limit(call.request);
    if (!limit) co_return std::unexpected(limit.error());
    store::CursorQuery query{.account = call.account,
                             .dialect = std::string(call.request.parameter("dialect").value_or("")),
                             .count = *limit};
    if (const auto after = call.request.parameter("after")) {
        query.older_than = parse_any_batch_id(*after, options_.batch_ids);
        if (!query.older_than) co_return refuse_cursor();
    }
    const auto page = co_await options_.batches.list_beside(std::move(query));
    if (!page) co_return std::unexpected(page.error());
    if (page->cursor_unknown) co_return refuse_cursor();
    co_return json_response(200, render_batches(page->rows, page->has_more));
}

async::Task<Result<http::Response>> BatchApi::retrieve(Call& call) {
    const auto batch = co_await find(call);
    if (!batch) co_return std::unexpected(batch.error());
    co_return json_response(200, render_batch(*batch));
}

async::Task<Result<http::Response>> BatchApi::results(Call& call) {
    auto batch = co_await find(call);
    if (!batch) co_return std::unexpected(batch.error());
    if (batch->archived_at) co_return refuse_archived();
    const auto query = read_follow_query(call.request);
    if (!query) co_return std::unexpected(query.error());
    if (*query) {
        co_return co_await follow_results(options_.batches, options_.followers, batch->id, **query,
                                          line_of_unrun(*batch));
    }
    ResultsForm form{.content_type = "application/jsonl", .line_of_unfinished = line_of_unrun(*batch)};
    if (batch->counts.total() == 0) {
        http::Response none = json_response(200, {});
        none.headers = {};
        none.headers.add("Content-Type", form.content_type);
        co_return none;
    }
    co_return co_await send_results(options_.batches, std::move(*batch), std::move(form));
}

LineOfUnrun BatchApi::line_of_unrun(const core::Batch& batch) const {
    const auto codec = options_.codecs.find(batch.dialect);
    return [of = batch, codec = codec == options_.codecs.end() ? nullptr : codec->second](
               const core::ItemHead& item) { return line_of_unfinished(codec, of, item); };
}

async::Task<Result<http::Response>> BatchApi::receipt(Call& call) {
    auto batch = co_await find(call);
    if (!batch) co_return std::unexpected(batch.error());
    if (batch->archived_at) co_return refuse_archived();
    auto line_of_unrun = this->line_of_unrun(*batch);
    co_return co_await send_receipt(options_.batches, std::move(*batch), std::move(line_of_unrun));
}

async::Task<Result<http::Response>> BatchApi::cancel(Call& call) {
    const auto before = co_await find(call);
    if (!before) co_return std::unexpected(before.error());
    const auto batch = co_await options_.batches.cancel(call.account, before->id);
    if (!batch) co_return std::unexpected(batch.error());
    co_return json_response(200, render_batch(*batch));
}

async::Task<Result<http::Response>> BatchApi::remove(Call& call) {
    const auto batch = co_await find(call);
    if (!batch) co_return std::unexpected(batch.error());
    const auto removed = co_await options_.batches.remove(call.account, batch->id);
    if (!removed) co_return std::unexpected(removed.error());
    http::Response gone;
    gone.status = 204;
    co_return gone;
}

async::Task<Result<http::Response>> BatchApi::refuse_path(Call&) {
    co_return to_response(404, "no_such_path", "There is nothing at this path.");
}

async::Task<Result<http::Response>> BatchApi::refuse_method(Call& call) {
    http::Response refusal = to_response(405, "no_such_method", "This path does not have that method.");
    refusal.headers.add("Allow", std::string(call.request.headers.find("allow").value_or("")));
    co_return refusal;
}

}  // namespace sheaf::dialect::native

#include "dialect/openai/file_routes.h"

#include <fmt/format.h>

#include "dialect/openai/file_form.h"
#include "dialect/openai/file_json.h"
#include "dialect/openai/ids.h"
#include "dialect/openai/openai.h"
#include "dialect/openai/paging.h"
#include "dialect/openai/purposes.h"

namespace sheaf::dialect::openai {
namespace {

constexpr std::uint32_t kListedMax = 10'000;

std::unexpected<Problem> refuse_unknown(std::string_view name) {
    return refuse(404, fmt::format("No such File object: {}", name.substr(0, 128)), "id");
}

// Of a call about one file.
std::unexpected<Problem> refuse_about(std::string_view name, const Error& error) {
    return error.code == ErrorCode::not_found ? refuse_unknown(name) : refuse(error);
}

Checked<bool> read_oldest_first(const http::Request& request) {
    const std::string_view order = request.parameter("order").value_or("desc");
    if (order == "desc") return false;
    if (order == "asc") return true;
    return refuse("Invalid value for 'order': supported values are: asc, desc.", "order",
                  code::kInvalidValue);
}

}  // namespace

void FileRoutes::add_to(http::Router& router, Gate& gate) {
    const std::string all = std::string(kPrefix) + "/files";
    const std::string one = all + "/{file_id}";
    router.add("POST", all, gate.keyed([this](Call& call) { return create(call); }));
    router.add("GET", all, gate.keyed([this](Call& call) { return list(call); }));
    router.add("GET", one, gate.keyed([this](Call& call) { return retrieve(call); }));
    router.add("DELETE", one, gate.keyed([this](Call& call) { return remove(call); }));
    router.add("GET", one + "/content", gate.keyed([this](Call& call) { return content(call); }));
}

async::Task<Checked<service::FileBytes>> FileRoutes::new_bytes() {
    auto bytes = co_await files_->new_file();
    if (!bytes) co_return refuse(bytes.error());
    co_return std::move(*bytes);
}

async::Task<Reply> FileRoutes::create(Call& call) {
    FileForm form("file", files_->limits().file_bytes_max, [this] { return new_bytes(); });
    if (auto read = co_await form.read(call.request); !read) co_return std::unexpected(read.error());
    const auto purpose = form.field("purpose");
    if (!purpose) co_return refuse_missing("purpose");
    if (auto checked = check_purpose(*purpose); !checked) co_return std::unexpected(checked.error());
    const auto asked = read_expires_after(form);
    if (!asked) co_return std::unexpected(asked.error());
    const auto file = co_await files_->create({call.account, std::string(*purpose), form.filename(),
                                               lifetime_of(*purpose, *asked, batch_file_time_)},
                                              form.take_bytes());
    if (!file) co_return refuse(file.error());
    co_return json_response(render_file(*file));
}

async::Task<Reply> FileRoutes::list(Call& call) {
    const auto limit = read_limit(call.request, {.fallback = kListedMax, .max = kListedMax});
    if (!limit) co_return std::unexpected(limit.error());
    const auto oldest_first = read_oldest_first(call.request);
    if (!oldest_first) co_return std::unexpected(oldest_first.error());
    store::FileQuery query{
        .account = call.account, .purpose = {}, .after = {}, .oldest_first = *oldest_first, .now = {}};
    query.count = *limit;
    if (const auto purpose = call.request.parameter("purpose")) query.purpose = *purpose;
    if (const auto after = call.request.parameter("after")) {
        query.after = parse_file(*after);
        // Whatever no file was ever called: there is nothing after it.
        if (!query.after) co_return json_response(render_list<core::File>({}, false, write_file));
    }
    const auto page = co_await files_->list(std::move(query));
    if (!page) co_return refuse(page.error());
    co_return json_response(render_list(page->rows, page->has_more, write_file));
}

async::Task<Checked<core::File>> FileRoutes::find(Call& call) {
    const auto id = parse_file(call.name());
    if (!id) co_return refuse_unknown(call.name());
    auto file = co_await files_->find(call.account, *id);
    if (!file) co_return refuse_about(call.name(), file.error());
    co_return std::move(*file);
}

async::Task<Reply> FileRoutes::retrieve(Call& call) {
    const auto file = co_await find(call);
    if (!file) co_return std::unexpected(file.error());
    co_return json_response(render_file(*file));
}

async::Task<Reply> FileRoutes::remove(Call& call) {
    const auto id = parse_file(call.name());
    if (!id) co_return refuse_unknown(call.name());
    const auto removed = co_await files_->remove(call.account, *id);
    if (!removed) co_return refuse_about(call.name(), removed.error());
    co_return json_response(render_deletion(*id));
}

async::Task<Reply> FileRoutes::content(Call& call) {
    const auto file = co_await find(call);
    if (!file) co_return std::unexpected(file.error());
    auto opened = co_await files_->open(*file);
    if (!opened) co_return refuse_about(call.name(), opened.error());
    http::Response response;
    response.headers.add("Content-Type", "application/octet-stream");
    response.headers.add("Content-Disposition", render_attachment(file->filename));
    response.body = http::FileBody{std::move(opened->file), opened->bytes, opened->offset};
    co_return response;
}

}  // namespace sheaf::dialect::openai

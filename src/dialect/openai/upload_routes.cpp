#include "dialect/openai/upload_routes.h"

#include <fmt/format.h>

#include "dialect/openai/body.h"
#include "dialect/openai/file_form.h"
#include "dialect/openai/ids.h"
#include "dialect/openai/openai.h"
#include "dialect/openai/upload_json.h"

namespace sheaf::dialect::openai {
namespace {

std::unexpected<Problem> refuse_unknown(std::string_view name) {
    return refuse(404, fmt::format("No such Upload object: {}", name.substr(0, 128)), "id");
}

// Of a call about one upload. The vendor has no 409 here.
std::unexpected<Problem> refuse_about(std::string_view name, const Error& error) {
    if (error.code == ErrorCode::not_found) return refuse_unknown(name);
    if (error.code == ErrorCode::conflict)
        return refuse(fmt::format("The upload {} is not pending.", name.substr(0, 128)));
    if (error.code == ErrorCode::invalid) return refuse(error.message, error.field, code::kInvalidValue);
    return refuse(error);
}

}  // namespace

void UploadRoutes::add_to(http::Router& router, Gate& gate) {
    const std::string all = std::string(kPrefix) + "/uploads";
    const std::string one = all + "/{upload_id}";
    router.add("POST", all, gate.keyed([this](Call& call) { return create(call); }));
    router.add("POST", one + "/parts", gate.keyed([this](Call& call) { return add_part(call); }));
    router.add("POST", one + "/complete", gate.keyed([this](Call& call) { return complete(call); }));
    router.add("POST", one + "/cancel", gate.keyed([this](Call& call) { return cancel(call); }));
}

async::Task<Reply> UploadRoutes::create(Call& call) {
    const auto body = co_await read_json(call.request, kSmallBodyMax);
    if (!body) co_return std::unexpected(body.error());
    auto request = read_upload_request(body->fields(), call.account, batch_file_time_);
    if (!request) co_return std::unexpected(request.error());
    const auto upload = co_await files_->begin_upload(std::move(*request));
    if (!upload && upload.error().code == ErrorCode::too_large)
        co_return refuse(upload.error().message, "bytes", code::kInvalidValue);
    if (!upload) co_return refuse(upload.error());
    co_return json_response(render_upload(*upload));
}

async::Task<Checked<service::FileBytes>> UploadRoutes::new_part(const AccountId& account, FileUploadId id) {
    auto bytes = co_await files_->new_part(account, id);
    if (!bytes) co_return refuse_about(render_id(id), bytes.error());
    co_return std::move(*bytes);
}

async::Task<Reply> UploadRoutes::add_part(Call& call) {
    const auto id = parse_upload(call.name());
    if (!id) {
        co_await drop_body(call.request, files_->limits().file_part_bytes_max);
        co_return refuse_unknown(call.name());
    }
    FileForm form("data", files_->limits().file_part_bytes_max,
                  [this, &call, &id] { return new_part(call.account, *id); });
    if (auto read = co_await form.read(call.request); !read) co_return std::unexpected(read.error());
    auto part = co_await files_->add_part(call.account, *id, form.take_bytes());
    if (!part && part.error().code == ErrorCode::invalid) part.error().field = "data";
    if (!part) co_return refuse_about(call.name(), part.error());
    co_return json_response(render_part(*part, *id));
}

async::Task<Reply> UploadRoutes::complete(Call& call) {
    const auto body = co_await read_json(call.request, kSmallBodyMax);
    if (!body) co_return std::unexpected(body.error());
    const auto id = parse_upload(call.name());
    if (!id) co_return refuse_unknown(call.name());
    auto request = read_completion_request(body->fields());
    if (!request) co_return std::unexpected(request.error());
    const auto completed = co_await files_->complete(call.account, *id, std::move(request->part_ids),
                                                     std::move(request->md5_hex));
    if (!completed) co_return refuse_about(call.name(), completed.error());
    co_return json_response(render_upload(completed->upload, &completed->file));
}

async::Task<Reply> UploadRoutes::cancel(Call& call) {
    const auto id = parse_upload(call.name());
    if (!id) co_return refuse_unknown(call.name());
    const auto upload = co_await files_->cancel(call.account, *id);
    if (!upload) co_return refuse_about(call.name(), upload.error());
    co_return json_response(render_upload(*upload));
}

}  // namespace sheaf::dialect::openai

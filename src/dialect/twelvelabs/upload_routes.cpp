#include "dialect/twelvelabs/upload_routes.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/hash.h"
#include "dialect/base_url.h"
#include "dialect/twelvelabs/body.h"
#include "dialect/twelvelabs/idempotency.h"
#include "dialect/twelvelabs/upload_requests.h"
#include "dialect/twelvelabs/words.h"

namespace sheaf::dialect::twelvelabs {
namespace {

constexpr std::string_view kScope = "POST /assets/multipart-uploads";
constexpr std::string_view kSessions = "/assets/multipart-uploads";
constexpr std::size_t kReadAtOnce = 256 * 1024;

std::unexpected<Problem> refuse_expired() {
    return refuse(400, code::kUploadExpired, "The upload session is over; open a new one.");
}

std::unexpected<Problem> refuse_signature() {
    return refuse(403, code::kApiNotAllowed, "The upload URL is not valid or has expired.");
}

std::optional<std::uint32_t> parse_index(std::string_view text) {
    std::uint32_t index = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return index;
}

}  // namespace

UploadRoutes::UploadRoutes(service::Assets& assets, service::Batches& batches, std::string public_url)
    : assets_(&assets), batches_(&batches), public_url_(std::move(public_url)) {
    while (public_url_.ends_with('/')) public_url_.pop_back();
    if (public_url_.ends_with(kPrefix)) public_url_.resize(public_url_.size() - kPrefix.size());
}

void UploadRoutes::add_to(http::Router& router, Gate& gate) {
    const std::string all = std::string(kPrefix) + std::string(kSessions);
    const std::string one = all + "/{upload_id}";
    router.add("POST", all, gate.keyed([this](Call& call) { return open(call); }));
    router.add("GET", all, gate.keyed([this](Call& call) { return list(call); }));
    router.add("GET", one, gate.keyed([this](Call& call) { return status(call); }));
    router.add("POST", one, gate.keyed([this](Call& call) { return report(call); }));
    router.add("POST", one + "/presigned-urls", gate.keyed([this](Call& call) { return more_urls(call); }));
    router.add("PUT", one + "/chunks/{index}",
               gate.open([this](http::Request& request) { return put_chunk(request); }));
}

async::Task<Reply> UploadRoutes::open(Call& call) {
    const auto body = co_await read_json(call.request, kSmallBodyMax);
    if (!body) co_return std::unexpected(body.error());
    const auto repeatable = co_await read_repeatable(call, kScope, body->text);
    if (!repeatable) co_return std::unexpected(repeatable.error());
    // What is kept is the session's id: its URLs are made anew, as the old ones may be over.
    if (*repeatable) {
        const auto earlier = co_await find_earlier(*batches_, **repeatable);
        if (!earlier) co_return std::unexpected(earlier.error());
        if (*earlier)
            co_return co_await show_opened(call, UploadId::parse((**earlier).response).value_or(UploadId{}));
    }
    Findings findings;
    service::UploadRequest request = read_upload_request(body->document.root(), assets_->limits(), findings);
    if (findings.any()) co_return findings.refusal();
    request.asset.account = call.account;
    const Timestamp now = assets_->now();
    const UploadId id = UploadId::make(now);
    if (*repeatable) {
        request.idempotency =
            (**repeatable).record(201, to_string(id), now + assets_->limits().idempotency_time);
    }
    const auto upload = co_await assets_->open_upload(std::move(request), id);
    if (upload) co_return co_await show_opened(call, upload->id);
    if (*repeatable && upload.error().code == ErrorCode::conflict) {
        const auto earlier = co_await find_earlier(*batches_, **repeatable);
        if (!earlier) co_return std::unexpected(earlier.error());
        if (*earlier)
            co_return co_await show_opened(call, UploadId::parse((**earlier).response).value_or(UploadId{}));
    }
    co_return refuse(upload.error());
}

async::Task<Reply> UploadRoutes::show_opened(Call& call, UploadId id) {
    const auto upload = co_await assets_->find_upload(call.account, id);
    if (!upload) co_return refuse(upload.error());
    const std::uint32_t count = std::min(upload->chunk_count(), kUrlsMax);
    co_return json_response(201, render_upload_opened(*upload, presign(call.request, *upload, 1, count)));
}

async::Task<Reply> UploadRoutes::list(Call& call) {
    const auto page = read_page(call.request);
    if (!page) co_return std::unexpected(page.error());
    const auto found = co_await assets_->list_uploads(call.account, page->range());
    if (!found) co_return refuse(found.error());
    co_return json_response(200, render_upload_list(*found, *page));
}

async::Task<Reply> UploadRoutes::status(Call& call) {
    const auto page = read_page(call.request);
    if (!page) co_return std::unexpected(page.error());
    const auto upload = co_await find(call, Want::any);
    if (!upload) co_return std::unexpected(upload.error());
    const auto chunks = co_await assets_->upload_chunks(upload->id);
    if (!chunks) co_return refuse(chunks.error());
    co_return json_response(200, render_upload_status(*upload, *chunks, *page));
}

async::Task<Reply> UploadRoutes::more_urls(Call& call) {
    const auto body = co_await read_json(call.request, kSmallBodyMax);
    if (!body) co_return std::unexpected(body.error());
    Findings findings;
    const UrlRange range = read_url_range(body->document.root(), findings);
    if (findings.any()) co_return findings.refusal();
    const auto upload = co_await find(call, Want::live);
    if (!upload) co_return std::unexpected(upload.error());
    if (std::uint64_t{range.start} + range.count - 1 > upload->chunk_count()) {
        findings.invalid("count", fmt::format("goes beyond the upload's {} chunks", upload->chunk_count()));
        co_return findings.refusal();
    }
    const auto urls = presign(call.request, *upload, range.start, range.count);
    co_return json_response(200, render_urls(*upload, urls, assets_->now()));
}

async::Task<Reply> UploadRoutes::report(Call& call) {
    const auto body = co_await read_json(call.request, kSmallBodyMax);
    if (!body) co_return std::unexpected(body.error());
    Findings findings;
    std::vector<store::ReportedChunk> reported = read_report(body->document.root(), findings);
    if (findings.any()) co_return findings.refusal();
    const auto upload = co_await find(call, Want::live);
    if (!upload) co_return std::unexpected(upload.error());
    const auto report = co_await assets_->report_chunks(call.account, upload->id, std::move(reported));
    if (!report && report.error().code == ErrorCode::conflict) co_return refuse_expired();
    if (!report) co_return refuse(report.error());
    const std::string asset_url = fmt::format("{}{}/assets/{}", base_url(call.request, public_url_), kPrefix,
                                              to_string(report->upload.asset));
    co_return json_response(200, render_report(*report, asset_url));
}

async::Task<Reply> UploadRoutes::put_chunk(http::Request& request) {
    const auto id = UploadId::parse(request.path_parameters.at(0));
    const auto index = parse_index(request.path_parameters.at(1));
    if (!id || !index) co_return refuse_signature();
    const auto allowed = assets_->check_presigned(*id, *index, request.parameter("expires").value_or(""),
                                                  request.parameter("signature").value_or(""));
    if (!allowed) co_return refuse_signature();
    auto file = co_await assets_->new_chunk(*id, *index);
    if (!file && file.error().code == ErrorCode::conflict) co_return refuse_expired();
    if (!file) co_return refuse(file.error());
    request.body->set_limit(assets_->limits().multipart_media_bytes_max);
    // Kept for its hash; the file takes no more than one chunk's bytes.
    std::string bytes;
    std::vector<char> piece(kReadAtOnce);
    while (true) {
        const auto count = co_await request.body->read(piece);
        if (!count) co_return refuse(count.error());
        if (*count == 0) break;
        const std::string_view read(piece.data(), *count);
        const auto appended = co_await file->append(read);
        if (!appended && appended.error().code == ErrorCode::too_large) {
            co_return refuse(400, code::kParameterInvalid, "The chunk is larger than chunk_size.");
        }
        if (!appended) co_return refuse(appended.error());
        bytes += read;
    }
    const auto etag = co_await assets_->put_chunk(*id, *index, std::move(*file), md5_hex(bytes));
    if (!etag) co_return refuse(etag.error());
    http::Response response = empty_response(200);
    response.headers.add("ETag", fmt::format("\"{}\"", *etag));
    co_return response;
}

async::Task<Checked<core::Upload>> UploadRoutes::find(Call& call, Want want) {
    const auto id = call.id<UploadId>();
    if (!id) co_return refuse_unknown();
    auto upload = co_await assets_->find_upload(call.account, *id);
    if (!upload) co_return refuse(upload.error());
    const bool over =
        upload->state == core::UploadState::expired || upload->state == core::UploadState::failed;
    if (want == Want::live && over) co_return refuse_expired();
    co_return std::move(*upload);
}

std::vector<ChunkUrl> UploadRoutes::presign(const http::Request& request, const core::Upload& upload,
                                            std::uint32_t start, std::uint32_t count) const {
    const std::string chunks = fmt::format("{}{}{}/{}/chunks", base_url(request, public_url_), kPrefix,
                                           kSessions, to_string(upload.id));
    std::vector<ChunkUrl> urls;
    for (std::uint32_t index = start; index < start + count; ++index) {
        const service::PresignedChunk chunk = assets_->presign(upload.id, index);
        urls.push_back(
            {index, fmt::format("{}/{}?{}", chunks, index, chunk.expires_and_signature), chunk.expires_at});
    }
    return urls;
}

}  // namespace sheaf::dialect::twelvelabs

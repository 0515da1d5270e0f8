#include "cli/api.h"

#include <fmt/format.h>

#include "async/timer.h"
#include "cli/answers.h"
#include "cli/json.h"
#include "jsonl/writer.h"

namespace sheaf::cli {
namespace {

constexpr std::chrono::seconds kCallTime{60};
constexpr std::chrono::minutes kChunkTime{10};
constexpr std::uint64_t kChunkBytesMax = 256U << 20;
// Where a server's address may end that was given as the base URL of an SDK.
constexpr std::string_view kAnalyses = "/v1.3";

std::vector<ChunkUrl> to_urls(const Json& json) {
    std::vector<ChunkUrl> urls;
    const auto list = member(json, "upload_urls");
    if (!list || !list->is_array()) return urls;
    for (const Json entry : simdjson::dom::array(*list)) {
        const auto index = number_member(entry, "chunk_index");
        const auto url = string_member(entry, "url");
        if (index && url) urls.push_back({static_cast<std::uint32_t>(*index), *url});
    }
    return urls;
}

std::string strip_quotes(std::string_view etag) {
    std::string out;
    for (const char c : etag) {
        if (c != '"') out.push_back(c);
    }
    return out;
}

}  // namespace

Failure Api::explain(const Error& error) const {
    if (error.code == ErrorCode::invalid) return {ExitCode::usage, error.message};
    const bool may_pass = error.code == ErrorCode::unavailable || error.code == ErrorCode::timed_out;
    if (error.message.starts_with("No connection")) {
        return {ExitCode::no_server,
                fmt::format("No server answers at {}; start one with `sheaf serve`.", server_), may_pass};
    }
    return {ExitCode::no_server, fmt::format("The server at {} cannot be used: {}", server_, error.message),
            may_pass};
}

Outcome<std::unique_ptr<Api>> Api::make(async::Executor executor, std::string server, Secret key) {
    while (server.ends_with('/')) server.pop_back();
    auto client = http::Client::make(executor, server, {.body_bytes_max = ~std::uint64_t{0}});
    if (!client) return give_up(ExitCode::usage, fmt::format("--server: {}", client.error().message));
    const std::size_t path = server.find('/', server.find("://") + 3);
    std::string prefix = path == std::string::npos ? "" : server.substr(path);
    if (prefix.ends_with(kAnalyses)) prefix.resize(prefix.size() - kAnalyses.size());
    return std::unique_ptr<Api>(
        new Api(executor, std::move(server), std::move(prefix), std::move(key), std::move(*client)));
}

http::ClientRequest Api::request(std::string method, std::string path, std::string body) const {
    http::ClientRequest request{.method = std::move(method), .target = prefix_ + path, .time_max = kCallTime};
    request.headers.add("User-Agent", "sheaf");
    if (!key_.empty()) request.headers.add("x-api-key", key_.reveal());
    if (!body.empty()) request.headers.add("Content-Type", "application/json");
    request.body = std::move(body);
    return request;
}

async::Task<Outcome<std::string>> Api::call(http::ClientRequest request, int wanted_status) {
    auto answer = co_await client_->send(std::move(request));
    if (!answer) co_return std::unexpected(explain(answer.error()));
    if (answer->status != wanted_status)
        co_return std::unexpected(explain_status(answer->status, answer->body));
    co_return std::move(answer->body);
}

async::Task<Outcome<UploadSession>> Api::open_upload(std::string file_name, std::uint64_t bytes) {
    jsonl::Writer body;
    body.open_object()
        .member("filename", file_name)
        .member("type", "video")
        .member("total_size", bytes)
        .close_object();
    const auto answer = co_await call(request("POST", "/v1.3/assets/multipart-uploads", body.take()), 201);
    if (!answer) co_return std::unexpected(answer.error());
    const auto document = parse_answer(*answer);
    if (!document) co_return std::unexpected(document.error());
    const Json json = document->root();
    UploadSession session;
    session.upload_id = string_member(json, "upload_id").value_or("");
    session.asset_id = string_member(json, "asset_id").value_or("");
    session.chunk_size = number_member(json, "chunk_size").value_or(0);
    session.total_chunks = static_cast<std::uint32_t>(number_member(json, "total_chunks").value_or(0));
    session.urls = to_urls(json);
    if (session.upload_id.empty() || session.asset_id.empty()) co_return strange("an upload without id");
    if (session.chunk_size == 0 || session.chunk_size > kChunkBytesMax)
        co_return strange("an upload in such chunks");
    const std::uint64_t needed = (bytes + session.chunk_size - 1) / session.chunk_size;
    if (session.total_chunks != needed) co_return strange("an upload in another number of chunks");
    co_return session;
}

async::Task<Outcome<std::vector<ChunkUrl>>> Api::sign_chunks(std::string upload_id, std::uint32_t start,
                                                             std::uint32_t count) {
    jsonl::Writer body;
    body.open_object().member("start", start).member("count", count).close_object();
    const std::string path =
        fmt::format("/v1.3/assets/multipart-uploads/{}/presigned-urls", http::percent_encode(upload_id));
    const auto answer = co_await call(request("POST", path, body.take()), 200);
    if (!answer) co_return std::unexpected(answer.error());
    const auto document = parse_answer(*answer);
    if (!document) co_return std::unexpected(document.error());
    co_return to_urls(document->root());
}

async::Task<Outcome<std::string>> Api::put_chunk(std::string url, std::string bytes) {
    const std::size_t path = url.find('/', url.find("://") == std::string::npos ? 0 : url.find("://") + 3);
    if (path == std::string::npos || path == 0) co_return strange("a URL to upload to without a server");
    const std::string origin = url.substr(0, path);
    auto& client = chunk_clients_[origin];
    if (client == nullptr) {
        auto made = http::Client::make(executor_, origin, {});
        if (!made) co_return strange("a URL to upload to without a server");
        client = std::move(*made);
    }
    http::Client& sender = *client;
    for (std::size_t attempt = 0;; ++attempt) {
        http::ClientRequest put{
            .method = "PUT", .target = url.substr(path), .body = bytes, .time_max = kChunkTime};
        put.headers.add("Content-Type", "application/octet-stream");
        const auto answer = co_await sender.send(std::move(put));
        if (answer && answer->status >= 200 && answer->status < 300) {
            const auto etag = answer->headers.find("etag");
            if (!etag) co_return strange("a stored chunk without an ETag");
            co_return strip_quotes(*etag);
        }
        Failure failure = answer ? explain_status(answer->status, answer->body) : explain(answer.error());
        if (attempt == kRetryPauses.size() || !failure.may_pass)
            co_return std::unexpected(std::move(failure));
        co_await async::sleep_for(kRetryPauses[attempt]);
    }
}

async::Task<Outcome<>> Api::report_chunks(std::string upload_id, std::vector<UploadedChunk> chunks) {
    jsonl::Writer body;
    body.open_object().key("completed_chunks").open_array();
    for (const UploadedChunk& chunk : chunks) {
        body.open_object().member("chunk_index", chunk.chunk_index).member("proof", chunk.etag);
        body.member("proof_type", "etag").member("chunk_size", chunk.bytes).close_object();
    }
    body.close_array().close_object();
    const std::string path =
        fmt::format("/v1.3/assets/multipart-uploads/{}", http::percent_encode(upload_id));
    const auto answer = co_await call(request("POST", path, body.take()), 200);
    if (!answer) co_return std::unexpected(answer.error());
    co_return Outcome<>{};
}

async::Task<Outcome<AssetState>> Api::find_asset(std::string asset_id) {
    const auto answer =
        co_await call(request("GET", "/v1.3/assets/" + http::percent_encode(asset_id), ""), 200);
    if (!answer) co_return std::unexpected(answer.error());
    const auto document = parse_answer(*answer);
    if (!document) co_return std::unexpected(document.error());
    AssetState asset;
    asset.status = string_member(document->root(), "status").value_or("");
    if (const auto error = member(document->root(), "error"))
        asset.error = string_member(*error, "message").value_or("");
    co_return asset;
}

}  // namespace sheaf::cli

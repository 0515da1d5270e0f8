#include "cli/api.h"

#include <array>

#include <fmt/format.h>

#include "async/timer.h"
#include "base/hash.h"
#include "base/id.h"
#include "cli/console.h"
#include "cli/json.h"
#include "jsonl/document.h"
#include "jsonl/writer.h"

namespace sheaf::cli {
namespace {

constexpr std::chrono::seconds kCallTime{60};
constexpr std::chrono::minutes kChunkTime{10};
constexpr std::chrono::hours kResultsTime{1};
constexpr std::array kPauses{std::chrono::seconds{1}, std::chrono::seconds{2}, std::chrono::seconds{4}};
// A result line carries one analysis; one that is larger than this is not ours to hold.
constexpr std::size_t kLineBytesMax = 64U << 20;
constexpr std::uint64_t kChunkBytesMax = 256U << 20;

std::string error_message(std::string_view body) {
    const auto document = jsonl::Document::parse(body);
    if (!document) return {};
    if (auto flat = string_member(document->root(), "message")) return *flat;
    const auto error = member(document->root(), "error");
    return error ? string_member(*error, "message").value_or("") : "";
}

std::unexpected<Failure> strange(std::string_view what) {
    return give_up(ExitCode::no_server, fmt::format("The server's answer makes no sense: {}.", what));
}

Outcome<jsonl::Document> parse_answer(std::string_view body) {
    auto document = jsonl::Document::parse(body);
    if (!document || !document->root().is_object()) return strange("it is not a JSON object");
    return std::move(*document);
}

Outcome<BatchState> to_batch(const Json& json) {
    BatchState batch;
    const auto id = string_member(json, "batch_id");
    const auto status = string_member(json, "status");
    if (!id || !status) return strange("a batch without id or status");
    batch.batch_id = *id;
    batch.status = *status;
    batch.created_at = string_member(json, "created_at").value_or("");
    batch.total = number_member(json, "total_items").value_or(0);
    batch.queued = number_member(json, "queued_items").value_or(0);
    batch.processing = number_member(json, "processing_items").value_or(0);
    batch.ready = number_member(json, "ready_items").value_or(0);
    batch.failed = number_member(json, "failed_items").value_or(0);
    batch.canceled = number_member(json, "canceled_items").value_or(0);
    batch.json = simdjson::minify(json);
    return batch;
}

Outcome<BatchState> parse_batch(const std::string& body) {
    auto document = parse_answer(body);
    if (!document) return std::unexpected(document.error());
    return to_batch(document->root());
}

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

Failure explain_status(int status, std::string_view body) {
    const std::string said = to_printable(error_message(body), Lines::join);
    if (status == 401 || status == 403) {
        return {ExitCode::no_server, fmt::format("The server refused the key{}{}; give one with --key or "
                                                 "SHEAF_API_KEY (`sheaf keys create` makes one).",
                                                 said.empty() ? "" : ": ", said)};
    }
    const bool may_pass = status == 408 || status == 429 || status >= 500;
    ExitCode exit_code = may_pass || status < 400 ? ExitCode::no_server : ExitCode::usage;
    if (status == 404) exit_code = ExitCode::not_found;
    if (status == 409) exit_code = ExitCode::conflict;
    if (said.empty())
        return {exit_code, fmt::format("The server answered with status {}.", status), may_pass};
    return {exit_code, fmt::format("The server says: {}", said), may_pass};
}

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
    if (!prefix.ends_with("/v1.3")) prefix += "/v1.3";
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
    const auto answer = co_await call(request("POST", "/assets/multipart-uploads", body.take()), 201);
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
        fmt::format("/assets/multipart-uploads/{}/presigned-urls", http::percent_encode(upload_id));
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
        if (attempt == kPauses.size() || !failure.may_pass) co_return std::unexpected(std::move(failure));
        co_await async::sleep_for(kPauses[attempt]);
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
    const std::string path = fmt::format("/assets/multipart-uploads/{}", http::percent_encode(upload_id));
    const auto answer = co_await call(request("POST", path, body.take()), 200);
    if (!answer) co_return std::unexpected(answer.error());
    co_return Outcome<>{};
}

async::Task<Outcome<AssetState>> Api::find_asset(std::string asset_id) {
    const auto answer = co_await call(request("GET", "/assets/" + http::percent_encode(asset_id), ""), 200);
    if (!answer) co_return std::unexpected(answer.error());
    const auto document = parse_answer(*answer);
    if (!document) co_return std::unexpected(document.error());
    AssetState asset;
    asset.status = string_member(document->root(), "status").value_or("");
    if (const auto error = member(document->root(), "error"))
        asset.error = string_member(*error, "message").value_or("");
    co_return asset;
}

async::Task<Outcome<CreatedBatch>> Api::create_batch(std::string body) {
    http::ClientRequest create = request("POST", "/analyze/batches", std::move(body));
    // Lets the server see that a repeated call is the same one: the batch is created once.
    std::array<unsigned char, 16> random{};
    fill_random(random.data(), random.size());
    create.headers.add("Idempotency-Key", to_hex(random));
    auto answer = co_await call(create, 201);
    for (std::size_t attempt = 0; attempt < kPauses.size() && !answer && answer.error().may_pass; ++attempt) {
        co_await async::sleep_for(kPauses[attempt]);
        answer = co_await call(create, 201);
    }
    if (!answer) co_return std::unexpected(answer.error());
    const auto document = parse_answer(*answer);
    if (!document) co_return std::unexpected(document.error());
    const auto id = string_member(document->root(), "batch_id");
    if (!id) co_return strange("a batch without id");
    co_return CreatedBatch{*id, number_member(document->root(), "total_items").value_or(0),
                           std::move(*answer)};
}

async::Task<Outcome<BatchState>> Api::find_batch(std::string batch_id) {
    const auto answer =
        co_await call(request("GET", "/analyze/batches/" + http::percent_encode(batch_id), ""), 200);
    if (!answer) co_return std::unexpected(answer.error());
    co_return parse_batch(*answer);
}

async::Task<Outcome<BatchPage>> Api::list_batches(std::uint32_t page, std::uint32_t page_limit) {
    const std::string path = fmt::format("/analyze/batches?page={}&page_limit={}", page, page_limit);
    const auto answer = co_await call(request("GET", path, ""), 200);
    if (!answer) co_return std::unexpected(answer.error());
    const auto document = parse_answer(*answer);
    if (!document) co_return std::unexpected(document.error());
    const auto data = member(document->root(), "data");
    if (!data || !data->is_array()) co_return strange("a list without data");
    BatchPage found;
    for (const Json entry : simdjson::dom::array(*data)) {
        auto batch = to_batch(entry);
        if (!batch) co_return std::unexpected(batch.error());
        found.batches.push_back(std::move(*batch));
    }
    found.is_last = found.batches.size() < page_limit;
    co_return found;
}

async::Task<Outcome<BatchState>> Api::cancel_batch(std::string batch_id) {
    const std::string path = fmt::format("/analyze/batches/{}/cancel", http::percent_encode(batch_id));
    const auto answer = co_await call(request("POST", path, ""), 202);
    if (!answer) co_return std::unexpected(answer.error());
    co_return parse_batch(*answer);
}

async::Task<Outcome<>> Api::delete_batch(std::string batch_id) {
    const auto answer =
        co_await call(request("DELETE", "/analyze/batches/" + http::percent_encode(batch_id), ""), 204);
    if (!answer) co_return std::unexpected(answer.error());
    co_return Outcome<>{};
}

async::Task<Outcome<>> Api::read_results(std::string batch_id, LineSink line) {
    auto get = request("GET", fmt::format("/analyze/batches/{}/results", http::percent_encode(batch_id)), "");
    get.time_max = kResultsTime;
    std::string rest;
    Outcome<> taken;
    // Captured by reference: the sink is done when send_streaming returns.
    const http::Client::Sink sink = [&](std::string_view bytes) {
        while (!bytes.empty()) {
            const std::size_t end = bytes.find('\n');
            rest += bytes.substr(0, end);
            if (rest.size() > kLineBytesMax) {
                taken = strange("a line of a result without end");
                return false;
            }
            if (end == std::string_view::npos) return true;
            bytes.remove_prefix(end + 1);
            if (!rest.empty()) taken = line(rest);
            rest.clear();
            if (!taken) return false;
        }
        return true;
    };
    const auto answer = co_await client_->send_streaming(std::move(get), sink);
    if (!taken) co_return taken;
    if (!answer) co_return std::unexpected(explain(answer.error()));
    if (answer->status != 200) co_return std::unexpected(explain_status(answer->status, answer->body));
    if (!rest.empty()) co_return strange("the last result line is cut off");
    co_return Outcome<>{};
}

}  // namespace sheaf::cli

#include <array>

#include <fmt/format.h>

#include "async/timer.h"
#include "base/hash.h"
#include "base/id.h"
#include "cli/answers.h"
#include "cli/api.h"
#include "cli/json.h"
#include "jsonl/writer.h"

// The part of Api that makes batches and looks after them.
namespace sheaf::cli {
namespace {

constexpr std::chrono::minutes kInputTime{10};
constexpr std::chrono::hours kResultsTime{1};
constexpr std::chrono::hours kFollowTime{24 * 365};
constexpr std::chrono::seconds kHeartbeat{10};
constexpr int kHeartbeatsMissed = 3;
// A result line carries one answer; one that is larger than this is not ours to hold.
constexpr std::size_t kLineBytesMax = 64U << 20;
constexpr std::string_view kBatches = "/sheaf/v1/batches";

std::string random_word() {
    std::array<unsigned char, 16> random{};
    fill_random(random.data(), random.size());
    return to_hex(random);
}

std::string path_of(std::string_view batch_id, std::string_view below = "") {
    return fmt::format("{}/{}{}", kBatches, http::percent_encode(batch_id), below);
}

// The form that POST /v1/files takes, around the lines.
std::string to_form(std::string lines, std::string_view boundary) {
    lines.insert(0, fmt::format("--{0}\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n"
                                "--{0}\r\nContent-Disposition: form-data; name=\"file\"; "
                                "filename=\"requests.jsonl\"\r\n"
                                "Content-Type: application/octet-stream\r\n\r\n",
                                boundary));
    lines += fmt::format("\r\n--{}--\r\n", boundary);
    return lines;
}

}  // namespace

async::Task<Outcome<CreatedBatch>> Api::create(http::ClientRequest request, int wanted_status,
                                               std::string_view id) {
    request.headers.add("Idempotency-Key", random_word());
    auto answer = co_await call(request, wanted_status);
    for (std::size_t attempt = 0; attempt < kRetryPauses.size() && !answer && answer.error().may_pass;
         ++attempt) {
        co_await async::sleep_for(kRetryPauses[attempt]);
        answer = co_await call(request, wanted_status);
    }
    if (!answer) co_return std::unexpected(answer.error());
    const auto document = parse_answer(*answer);
    if (!document) co_return std::unexpected(document.error());
    auto batch_id = string_member(document->root(), id);
    if (!batch_id) co_return strange("a batch without id");
    co_return CreatedBatch{std::move(*batch_id), std::move(*answer)};
}

async::Task<Outcome<CreatedBatch>> Api::create_analyses(std::string body) {
    co_return co_await create(request("POST", "/v1.3/analyze/batches", std::move(body)), 201, "batch_id");
}

async::Task<Outcome<std::string>> Api::upload_input(std::string lines) {
    const std::string boundary = "sheaf-" + random_word();
    http::ClientRequest upload = request("POST", "/v1/files", {});
    upload.headers.add("Content-Type", "multipart/form-data; boundary=" + boundary);
    upload.body = to_form(std::move(lines), boundary);
    upload.time_max = kInputTime;
    const auto answer = co_await call(std::move(upload), 200);
    if (!answer) co_return std::unexpected(answer.error());
    const auto document = parse_answer(*answer);
    if (!document) co_return std::unexpected(document.error());
    auto id = string_member(document->root(), "id");
    if (!id) co_return strange("a file without id");
    co_return std::move(*id);
}

async::Task<Outcome<CreatedBatch>> Api::create_requests(RequestFile requests) {
    http::ClientRequest creating;
    switch (requests.dialect) {
        case RequestDialect::openai: {
            const auto file = co_await upload_input(std::move(requests.body));
            if (!file) co_return std::unexpected(file.error());
            jsonl::Writer body;
            body.open_object().member("input_file_id", *file).member("endpoint", requests.endpoint);
            body.member("completion_window", "24h").close_object();
            creating = request("POST", "/v1/batches", body.take());
            break;
        }
        case RequestDialect::anthropic:
            creating = request("POST", "/v1/messages/batches", std::move(requests.body));
            creating.headers.add("anthropic-version", "2023-06-01");
            break;
        case RequestDialect::sail:
            creating = request("POST", "/sail/v1/batches", std::move(requests.body));
            break;
    }
    creating.time_max = kInputTime;
    co_return co_await create(std::move(creating), 200, "id");
}

async::Task<Outcome<BatchState>> Api::find_batch(std::string batch_id) {
    const auto answer = co_await call(request("GET", path_of(batch_id), ""), 200);
    if (!answer) co_return std::unexpected(answer.error());
    co_return parse_batch(*answer);
}

async::Task<Outcome<BatchPage>> Api::list_batches(std::string after, std::uint32_t count_max) {
    std::string path = fmt::format("{}?limit={}", kBatches, count_max);
    if (!after.empty()) path += "&after=" + http::percent_encode(after);
    const auto answer = co_await call(request("GET", path, ""), 200);
    if (!answer) co_return std::unexpected(answer.error());
    const auto document = parse_answer(*answer);
    if (!document) co_return std::unexpected(document.error());
    const auto batches = member(document->root(), "batches");
    if (!batches || !batches->is_array()) co_return strange("a list without batches");
    BatchPage page;
    for (const Json entry : simdjson::dom::array(*batches)) {
        auto batch = to_batch(entry);
        if (!batch) co_return std::unexpected(batch.error());
        page.batches.push_back(std::move(*batch));
    }
    const auto has_more = member(document->root(), "has_more");
    page.is_last = page.batches.empty() || !has_more || simdjson::minify(*has_more) != "true";
    co_return page;
}

async::Task<Outcome<BatchState>> Api::cancel_batch(std::string batch_id) {
    const auto answer = co_await call(request("POST", path_of(batch_id, "/cancel"), ""), 200);
    if (!answer) co_return std::unexpected(answer.error());
    co_return parse_batch(*answer);
}

async::Task<Outcome<>> Api::delete_batch(std::string batch_id) {
    const auto answer = co_await call(request("DELETE", path_of(batch_id), ""), 204);
    if (!answer) co_return std::unexpected(answer.error());
    co_return Outcome<>{};
}

async::Task<Outcome<>> Api::read_results(std::string batch_id, LineSink line) {
    auto get = request("GET", path_of(batch_id, "/results"), "");
    get.time_max = kResultsTime;
    co_return co_await read_lines(std::move(get), std::move(line));
}

async::Task<Outcome<>> Api::read_receipt(std::string batch_id, LineSink line) {
    auto get = request("GET", path_of(batch_id, "/receipt"), "");
    get.time_max = kResultsTime;
    co_return co_await read_lines(std::move(get), std::move(line));
}

async::Task<Outcome<>> Api::follow_results(std::string batch_id, std::uint64_t after, LineSink line) {
    const std::string query =
        fmt::format("/results?follow=true&after={}&heartbeat={}", after, kHeartbeat.count());
    auto get = request("GET", path_of(batch_id, query), "");
    get.time_max = kFollowTime;
    get.quiet_max = kHeartbeatsMissed * kHeartbeat;
    co_return co_await read_lines(std::move(get), std::move(line));
}

async::Task<Outcome<>> Api::read_lines(http::ClientRequest get, LineSink line) {
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

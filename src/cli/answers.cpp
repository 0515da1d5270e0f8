#include "cli/answers.h"

#include <fmt/format.h>

#include "cli/console.h"

namespace sheaf::cli {
namespace {

std::string error_message(std::string_view body) {
    const auto document = jsonl::Document::parse(body);
    if (!document) return {};
    if (auto flat = string_member(document->root(), "message")) return *flat;
    const auto error = member(document->root(), "error");
    return error ? string_member(*error, "message").value_or("") : "";
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
    const auto id = string_member(json, "id");
    const auto state = string_member(json, "state");
    const auto counts = member(json, "counts");
    if (!id || !state || !counts) return strange("a batch without id, state or counts");
    batch.batch_id = *id;
    batch.is_over = *state == "ended";
    batch.status = batch.is_over ? string_member(json, "end_reason").value_or(*state) : *state;
    batch.dialect = string_member(json, "dialect").value_or("");
    batch.created_at = string_member(json, "created_at").value_or("");
    batch.total = number_member(*counts, "total").value_or(0);
    batch.queued = number_member(*counts, "queued").value_or(0);
    batch.running = number_member(*counts, "running").value_or(0);
    batch.ready = number_member(*counts, "succeeded").value_or(0);
    batch.failed = number_member(*counts, "failed").value_or(0);
    batch.canceled = number_member(*counts, "canceled").value_or(0);
    batch.expired = number_member(*counts, "expired").value_or(0);
    batch.json = simdjson::minify(json);
    return batch;
}

Outcome<BatchState> parse_batch(const std::string& body) {
    auto document = parse_answer(body);
    if (!document) return std::unexpected(document.error());
    return to_batch(document->root());
}

}  // namespace sheaf::cli

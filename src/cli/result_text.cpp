#include "cli/result_text.h"

#include <iterator>

#include <fmt/format.h>

#include "cli/console.h"
#include "cli/json.h"

namespace sheaf::cli {
namespace {

std::string indent(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        out += "    ";
        out += text.substr(0, end);
        out += '\n';
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return out;
}

}  // namespace

Outcome<ResultLine> parse_result_line(std::string_view json) {
    const auto document = jsonl::Document::parse(json);
    const auto refuse = [] {
        return give_up(ExitCode::no_server,
                       "The server's answer makes no sense: a result line is malformed.");
    };
    if (!document) return refuse();
    ResultLine line;
    const auto task_id = string_member(document->root(), "task_id");
    const auto status = string_member(document->root(), "status");
    if (!task_id || !status) return refuse();
    line.task_id = *task_id;
    line.status = *status;
    line.custom_id = string_member(document->root(), "custom_id").value_or("");
    if (const auto data = member(document->root(), "data")) {
        line.text = string_member(*data, "data").value_or("");
        line.truncated = string_member(*data, "finish_reason") == "length";
    }
    if (const auto error = member(document->root(), "error"))
        line.error = string_member(*error, "message").value_or("");
    return line;
}

std::string render_result(const ResultLine& line, const ItemNames& names) {
    std::string name = line.custom_id.empty() ? line.task_id : line.custom_id;
    if (const auto known = names.find(line.custom_id); known != names.end()) name = known->second;
    std::string out =
        fmt::format("{}  [{}{}]\n", to_printable(name, Lines::join), to_printable(line.status, Lines::join),
                    line.truncated ? ", cut off at the token limit" : "");
    if (!line.text.empty()) out += indent(to_printable(line.text, Lines::keep));
    if (!line.error.empty()) out += indent(to_printable(line.error, Lines::keep));
    return out + "\n";
}

std::string describe_counts(const BatchState& batch) {
    std::string text = fmt::format("{} of {} done", batch.done(), batch.total);
    if (batch.failed > 0) text += fmt::format(", {} failed", batch.failed);
    if (batch.canceled > 0) text += fmt::format(", {} canceled", batch.canceled);
    if (batch.processing > 0) text += fmt::format(", {} running", batch.processing);
    if (batch.queued > 0) text += fmt::format(", {} queued", batch.queued);
    return text;
}

std::string describe_end(const BatchState& batch) {
    std::string text = fmt::format("Batch {} is {}: {} ready", to_printable(batch.batch_id, Lines::join),
                                   to_printable(batch.status, Lines::join), batch.ready);
    if (batch.failed > 0) text += fmt::format(", {} failed", batch.failed);
    if (batch.canceled > 0) text += fmt::format(", {} canceled", batch.canceled);
    return text + ".";
}

std::string render_batches(const std::vector<BatchState>& batches) {
    std::string out;
    const auto row = [&out](auto&&... cells) {
        fmt::format_to(std::back_inserter(out), "{:<24}  {:<10}  {:>6}  {:>6}  {:>6}  {:>8}  {}\n", cells...);
    };
    row("BATCH", "STATUS", "ITEMS", "READY", "FAILED", "CANCELED", "CREATED");
    for (const BatchState& batch : batches) {
        row(to_printable(batch.batch_id, Lines::join), to_printable(batch.status, Lines::join), batch.total,
            batch.ready, batch.failed, batch.canceled, to_printable(batch.created_at, Lines::join));
    }
    return out;
}

}  // namespace sheaf::cli

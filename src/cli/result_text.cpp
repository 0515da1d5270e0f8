#include "cli/result_text.h"

#include <iterator>

#include <fmt/format.h>

#include "cli/console.h"

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

std::string render_result(const ResultLine& line, const ItemNames& names) {
    std::string name = line.custom_id.empty() ? line.item : line.custom_id;
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
    if (batch.expired > 0) text += fmt::format(", {} expired", batch.expired);
    if (batch.running > 0) text += fmt::format(", {} running", batch.running);
    if (batch.queued > 0) text += fmt::format(", {} queued", batch.queued);
    return text;
}

std::string describe_end(const BatchState& batch) {
    if (batch.status == "rejected") {
        return fmt::format(
            "Batch {} is rejected: its requests are not as its API takes them, which tells why.",
            to_printable(batch.batch_id, Lines::join));
    }
    std::string text = fmt::format("Batch {} is {}: {} ready", to_printable(batch.batch_id, Lines::join),
                                   to_printable(batch.status, Lines::join), batch.ready);
    if (batch.failed > 0) text += fmt::format(", {} failed", batch.failed);
    if (batch.canceled > 0) text += fmt::format(", {} canceled", batch.canceled);
    if (batch.expired > 0) text += fmt::format(", {} expired", batch.expired);
    return text + ".";
}

std::string render_batches(const std::vector<BatchState>& batches) {
    std::string out;
    const auto row = [&out](auto&&... cells) {
        fmt::format_to(std::back_inserter(out),
                       "{:<24}  {:<10}  {:<10}  {:>6}  {:>6}  {:>6}  {:>8}  {:>7}  {}\n", cells...);
    };
    row("BATCH", "API", "STATUS", "ITEMS", "READY", "FAILED", "CANCELED", "EXPIRED", "CREATED");
    for (const BatchState& batch : batches) {
        row(to_printable(batch.batch_id, Lines::join), to_printable(batch.dialect, Lines::join),
            to_printable(batch.status, Lines::join), batch.total, batch.ready, batch.failed, batch.canceled,
            batch.expired, to_printable(batch.created_at, Lines::join));
    }
    return out;
}

}  // namespace sheaf::cli

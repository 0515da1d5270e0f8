#include "dialect/results.h"

namespace sheaf::dialect {
namespace {

using Lines = std::vector<store::ItemLine>;

std::string render(const Lines& lines, const ResultsForm& form) {
    std::string text;
    for (const store::ItemLine& line : lines)
        text += line.line ? *line.line : form.line_of_unfinished(line.item);
    return text;
}

async::Task<Result<>> stream_lines(service::Batches& batches, BatchId id, std::uint32_t total, Lines lines,
                                   ResultsForm form, http::BodyWriter& out) {
    std::uint32_t sent = 0;
    while (true) {
        // Deleted under way: a clean end would look like a batch with fewer items.
        if (lines.empty())
            co_return fail(ErrorCode::not_found, "The batch was removed while its results were read.");
        sent += static_cast<std::uint32_t>(lines.size());
        auto written = co_await out.write(render(lines, form));
        if (!written || sent >= total) co_return written;
        auto next = co_await batches.read_lines(id, sent);
        if (!next) co_return std::unexpected(next.error());
        lines = std::move(*next);
    }
}

}  // namespace

async::Task<Result<http::Response>> send_results(service::Batches& batches, core::Batch batch,
                                                 ResultsForm form) {
    const BatchId id = batch.id;
    const auto file = co_await batches.open_results(batch);
    if (!file) co_return std::unexpected(file.error());
    http::Response response;
    response.headers.add("Content-Type", form.content_type);
    if (*file) {
        response.body = http::FileBody{(*file)->file, (*file)->bytes};
        co_return response;
    }
    auto lines = co_await batches.read_lines(id, 0);
    if (!lines) co_return std::unexpected(lines.error());
    const std::uint32_t total = batch.counts.total();
    if (lines->size() >= total) {
        response.body = render(*lines, form);
        co_return response;
    }
    response.body = http::StreamBody([&batches, id, total, first = std::move(*lines), form = std::move(form)](
                                         http::BodyWriter& out) mutable -> async::Task<Result<>> {
        return stream_lines(batches, id, total, std::move(first), std::move(form), out);
    });
    co_return response;
}

}  // namespace sheaf::dialect

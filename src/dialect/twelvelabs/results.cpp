#include "dialect/twelvelabs/results.h"

#include "dialect/twelvelabs/codec.h"

namespace sheaf::dialect::twelvelabs {
namespace {

using Lines = std::vector<store::ItemLine>;

http::Response jsonl_response() {
    http::Response response;
    response.headers.add("Content-Type", "application/jsonl");
    return response;
}

std::string render(const Lines& lines) {
    std::string text;
    for (const store::ItemLine& line : lines) text += line.line ? *line.line : render_plain_line(line.item);
    return text;
}

async::Task<Result<>> stream_lines(service::Batches& batches, BatchId id, std::uint32_t total, Lines lines,
                                   http::BodyWriter& out) {
    std::uint32_t sent = 0;
    while (true) {
        // Deleted under way: a clean end would look like a batch with fewer items.
        if (lines.empty())
            co_return fail(ErrorCode::not_found, "The batch was removed while its results were read.");
        sent += static_cast<std::uint32_t>(lines.size());
        auto written = co_await out.write(render(lines));
        if (!written || sent >= total) co_return written;
        auto next = co_await batches.read_lines(id, sent);
        if (!next) co_return std::unexpected(next.error());
        lines = std::move(*next);
    }
}

}  // namespace

async::Task<Reply> send_results(service::Batches& batches, core::Batch batch) {
    const BatchId id = batch.id;
    const auto file = co_await batches.open_results(batch);
    if (!file) co_return refuse(file.error());
    http::Response response = jsonl_response();
    if (*file) {
        response.body = http::FileBody{(*file)->file, (*file)->bytes};
        co_return response;
    }
    auto lines = co_await batches.read_lines(id, 0);
    if (!lines) co_return refuse(lines.error());
    const std::uint32_t total = batch.counts.total();
    if (lines->size() >= total) {
        response.body = render(*lines);
        co_return response;
    }
    response.body = http::StreamBody([&batches, id, total, first = std::move(*lines)](
                                         http::BodyWriter& out) mutable -> async::Task<Result<>> {
        return stream_lines(batches, id, total, std::move(first), out);
    });
    co_return response;
}

}  // namespace sheaf::dialect::twelvelabs

#include "dialect/sheaf/receipt.h"

#include "base/hash.h"
#include "jsonl/writer.h"

namespace sheaf::dialect::native {
namespace {

using jsonl::Writer;

// Of what a receipt says. A change of it needs another.
constexpr int kReceiptForm = 1;

std::string render_head(const core::Batch& batch) {
    Writer json;
    json.open_object().member("receipt", kReceiptForm).member("batch", to_string(batch.id));
    json.member("dialect", batch.dialect).member("end_reason", core::to_string(batch.end_reason));
    json.member("created_at", to_rfc3339(batch.created_at)).member("ended_at", to_rfc3339(*batch.ended_at));
    json.key("counts").open_object().member("total", batch.counts.total());
    json.member("succeeded", batch.counts.succeeded).member("failed", batch.counts.failed);
    json.member("canceled", batch.counts.canceled).member("expired", batch.counts.expired);
    json.close_object().close_object();
    return json.take() + '\n';
}

std::string render_item(const service::LineHash& line) {
    Writer json;
    json.open_object().member("item", to_string(line.item.id));
    if (line.item.custom_id)
        json.member("custom_id", *line.item.custom_id);
    else
        json.member_null("custom_id");
    json.member("outcome", core::to_string(line.item.state)).member("sha256", to_hex(line.sha256));
    json.close_object();
    return json.take() + '\n';
}

std::string render_end(const Sha256& sum) {
    Writer json;
    json.open_object().member("receipt_sha256", to_hex(sum)).close_object();
    return json.take() + '\n';
}

async::Task<Result<>> write_receipt(service::Batches& batches, core::Batch batch, LineOfUnrun line_of_unrun,
                                    http::BodyWriter& out) {
    Sha256Sum sum;
    std::string text = render_head(batch);
    for (std::uint32_t next = 0; next < batch.counts.total();) {
        const auto lines = co_await batches.hash_lines(batch.id, next, line_of_unrun);
        if (!lines) co_return std::unexpected(lines.error());
        if (lines->empty())
            co_return fail(ErrorCode::not_found, "The batch was removed while its receipt was made.");
        for (const service::LineHash& line : *lines) text += render_item(line);
        next += static_cast<std::uint32_t>(lines->size());
        sum.add(text);
        if (auto written = co_await out.write(text); !written) co_return written;
        text.clear();
    }
    // Of a batch without items the head is still there.
    sum.add(text);
    co_return co_await out.write(text + render_end(sum.digest()));
}

}  // namespace

async::Task<Result<http::Response>> send_receipt(service::Batches& batches, core::Batch batch,
                                                 LineOfUnrun line_of_unrun) {
    if (batch.state != core::BatchState::ended)
        co_return fail(ErrorCode::conflict, "The batch has not ended; it has no receipt yet.");
    http::Response response;
    response.headers.add("Content-Type", "application/jsonl");
    response.body = http::StreamBody([&batches, batch = std::move(batch),
                                      line_of_unrun = std::move(line_of_unrun)](http::BodyWriter& out) {
        return write_receipt(batches, batch, line_of_unrun, out);
    });
    co_return response;
}

}  // namespace sheaf::dialect::native

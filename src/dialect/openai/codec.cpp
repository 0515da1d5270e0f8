#include "dialect/openai/codec.h"

#include <fmt/format.h>

#include "dialect/openai/batch_terms.h"
#include "dialect/openai/endpoints.h"
#include "dialect/openai/failures.h"
#include "dialect/openai/ids.h"
#include "jsonl/writer.h"
#include "protocol/forecast.h"
#include "protocol/translation.h"

namespace sheaf::dialect::openai {
namespace {

using jsonl::Writer;

constexpr std::string_view kResultPurpose = "batch_output";

void write_response(Writer& json, const core::ItemHead& item, int status, std::string_view body) {
    json.key("response").open_object().member("status_code", status);
    json.member("request_id", render_request_id(item.id)).member_raw("body", body).close_object();
    json.member_null("error");
}

void write_error(Writer& json, std::string_view code, std::string_view message) {
    json.member_null("response").key("error").open_object();
    json.member("code", code).member("message", message).close_object();
}

struct EndingWriter {
    Writer& json;
    const core::ItemHead& item;

    void operator()(const core::Succeeded& succeeded) const {
        write_response(json, item, 200, succeeded.answer.reply);
    }
    void operator()(const core::Failed& failed) const {
        if (const auto answer = to_answer(failed.failure))
            write_response(json, item, answer->status, answer->body);
        else
            write_error(json, "server_error", message_of(failed.failure));
    }
    void operator()(const core::Canceled&) const {
        write_error(json, "batch_cancelled", "This request was not run: the batch was cancelled.");
    }
    void operator()(const core::Expired&) const {
        write_error(json, "batch_expired",
                    "This request could not be executed before the completion window expired.");
    }
};

}  // namespace

Result<core::Inference> Codec::decode(const core::Batch& batch, std::string_view body) const {
    const ModelEndpoint* const endpoint = find_endpoint(batch.tag);
    if (endpoint == nullptr)
        return fail(ErrorCode::invalid, fmt::format("There is no endpoint '{}'.", batch.tag));
    if (auto checked = protocol::check_request(endpoint->protocol, body, {.batch = true}); !checked)
        return std::unexpected(checked.error());
    return core::ModelRequest{
        .protocol = endpoint->protocol, .model = batch.model, .body = std::string(body)};
}

core::Forecast Codec::forecast(const core::Batch& batch, const core::Subject&, std::string_view body) const {
    const ModelEndpoint* const endpoint = find_endpoint(batch.tag);
    return endpoint == nullptr ? core::Forecast{} : protocol::forecast(endpoint->protocol, body);
}

std::vector<core::File> Codec::result_files(const core::Batch& batch, std::uint64_t succeeded_bytes,
                                            std::uint64_t total_bytes, Timestamp now) const {
    const auto lifetime = read_terms(batch.shared).output_expires_after.value_or(result_file_time_);
    std::vector<core::File> files;
    const auto add = [&](std::uint32_t which, std::string_view word, std::uint64_t offset,
                         std::uint64_t bytes) {
        if (bytes == 0) return;
        core::File file;
        file.id = core::result_file_id(batch.id, which);
        file.account = batch.account;
        file.purpose = kResultPurpose;
        file.filename = fmt::format("{}_{}.jsonl", render_id(batch.id), word);
        file.bytes = bytes;
        file.expires_at = now + lifetime;
        file.created_at = now;
        file.batch = batch.id;
        file.offset = offset;
        files.push_back(std::move(file));
    };
    add(core::kOutputFile, "output", 0, succeeded_bytes);
    add(core::kErrorFile, "error", succeeded_bytes, total_bytes - succeeded_bytes);
    return files;
}

std::string Codec::line(const core::Batch&, const core::ItemHead& item, const core::Ending& ending) const {
    // Ascii: Python clients split text at U+2028 and its like, too.
    Writer json(jsonl::Charset::ascii);
    json.open_object().member("id", render_line_id(item.id)).member("custom_id", item.custom_id.value_or(""));
    std::visit(EndingWriter{json, item}, ending);
    json.close_object();
    return json.take() + '\n';
}

std::unique_ptr<core::ItemCodec> make_codec(Limits limits) {
    return std::make_unique<Codec>(limits);
}

}  // namespace sheaf::dialect::openai

#include "dialect/twelvelabs/codec.h"

#include "dialect/twelvelabs/batch_item.h"
#include "dialect/twelvelabs/task_request.h"
#include "dialect/twelvelabs/twelvelabs.h"
#include "jsonl/document.h"
#include "jsonl/writer.h"

namespace sheaf::dialect::twelvelabs {
namespace {

using jsonl::Charset;
using jsonl::Writer;

Mode mode_of(const core::Batch& batch) {
    return parse_mode(batch.tag).value_or(Mode::general);
}

Error to_error(const Findings& findings) {
    return {ErrorCode::invalid, findings.first()->message, findings.first()->field};
}

void open_line(Writer& json, const core::ItemHead& item, std::string_view status) {
    json.open_object().member("task_id", to_string(item.id));
    if (item.custom_id)
        json.member("custom_id", *item.custom_id);
    else
        json.member_null("custom_id");
    json.member("status", status);
}

std::string close_line(Writer& json) {
    json.close_object();
    return json.take() + '\n';
}

}  // namespace

Result<BatchItem> read_stored_item(const core::Batch& batch, std::string_view body,
                                   const service::Limits& limits) {
    const ParamsRules rules{.mode = mode_of(batch), .base64_bytes_max = limits.base64_bytes_max};
    Findings findings;
    AnalysisParams defaults;
    if (!batch.shared.empty()) {
        const auto shared = jsonl::Document::parse(batch.shared);
        if (!shared) return std::unexpected(shared.error());
        defaults = read_defaults(shared->root(), "defaults", rules, findings);
    }
    const auto document = jsonl::Document::parse(body);
    if (!document) return std::unexpected(document.error());
    BatchItemRequest item = read_batch_item(document->root(), "", rules, findings);
    if (findings.any()) return std::unexpected(to_error(findings));
    return BatchItem{merge(std::move(item.params), defaults), core::FromAsset{item.asset}};
}

Result<core::Inference> Codec::decode(const core::Batch& batch, std::string_view body) const {
    const Mode mode = mode_of(batch);
    if (batch.kind == core::BatchKind::batch) {
        auto item = read_stored_item(batch, body, limits_);
        if (!item) return std::unexpected(item.error());
        return to_analysis(item->params, mode, batch.model, std::move(item->video));
    }
    const auto document = jsonl::Document::parse(body);
    if (!document) return std::unexpected(document.error());
    Findings findings;
    TaskRequest request = read_task_request(document->root(), limits_, findings);
    if (findings.any()) return std::unexpected(to_error(findings));
    return to_analysis(request.params, mode, batch.model, std::move(request.video));
}

std::string Codec::line(const core::Batch&, const core::ItemHead& item, const core::Ending& ending) const {
    Writer json(Charset::ascii);
    if (const auto* const succeeded = std::get_if<core::Succeeded>(&ending)) {
        const core::Answer& answer = succeeded->answer;
        open_line(json, item, "ready");
        json.key("data")
            .open_object()
            .member("generation_id", generation_id(item.id))
            .member("data", answer.text);
        json.member("finish_reason", to_word(answer.finish)).key("usage").open_object();
        json.member("output_tokens", answer.usage.output_tokens)
            .member("input_tokens", answer.usage.input_tokens);
        json.close_object().close_object();
        return close_line(json);
    }
    if (const auto* const failed = std::get_if<core::Failed>(&ending)) {
        const std::string& message = failed->failure.message;
        open_line(json, item, "failed");
        json.key("error").open_object().member("code", failure_code(failed->failure.code));
        json.member("message", message.empty() ? "The analysis failed." : message).close_object();
        return close_line(json);
    }
    open_line(json, item, "canceled");
    return close_line(json);
}

std::string render_plain_line(const core::ItemHead& item) {
    Writer json(Charset::ascii);
    open_line(json, item, item_status(item.state));
    return close_line(json);
}

std::string generation_id(const RawId& id) {
    return "gen_" + to_string(id);
}
std::string generation_id(const ItemId& id) {
    return "gen_" + to_string(id);
}

std::unique_ptr<core::ItemCodec> make_codec(service::Limits limits) {
    return std::make_unique<Codec>(limits);
}

}  // namespace sheaf::dialect::twelvelabs

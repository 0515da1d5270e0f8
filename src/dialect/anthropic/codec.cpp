#include "dialect/anthropic/codec.h"

#include <optional>

#include "dialect/anthropic/anthropic.h"
#include "dialect/anthropic/errors.h"
#include "jsonl/document.h"
#include "jsonl/splitter.h"
#include "jsonl/writer.h"
#include "protocol/forecast.h"

namespace sheaf::dialect::anthropic {
namespace {

using jsonl::Writer;

Writer begin_line(const core::ItemHead& item, std::string_view type) {
    Writer json;
    json.open_object().member("custom_id", item.custom_id.value_or("")).key("result").open_object();
    json.member("type", type);
    return json;
}

std::string end_line(Writer json) {
    json.close_object().close_object();
    return json.take() + '\n';
}

// The value of a member of `object`, as a part of it.
std::optional<std::string_view> find_value(std::string_view object, std::string_view name) {
    std::optional<std::string_view> found;
    const auto read =
        jsonl::for_each_member(object, [&](std::string_view key, std::string_view value) -> Result<> {
            if (key == name) found = value;
            return {};
        });
    return read ? found : std::nullopt;
}

std::string replaced(std::string_view whole, std::string_view part, std::string_view by) {
    const auto at = static_cast<std::size_t>(part.data() - whole.data());
    std::string text;
    text.reserve(whole.size() + by.size());
    text.append(whole.substr(0, at)).append(by).append(whole.substr(at + part.size()));
    return text;
}

}  // namespace

std::string render_shared(const MessageRules& rules) {
    Writer json;
    json.open_object().member("version", to_word(rules.version));
    json.member("refuses_sampling", rules.refuses_sampling).close_object();
    return json.take();
}

MessageRules read_shared(std::string_view shared) {
    MessageRules rules{.is_in_batch = true};
    const auto document = jsonl::Document::parse(shared);
    if (!document) return rules;
    std::string_view version;
    if (document->root()["version"].get(version) == simdjson::SUCCESS)
        rules.version = parse_version(version).value_or(rules.version);
    bool refuses_sampling = false;
    if (document->root()["refuses_sampling"].get(refuses_sampling) == simdjson::SUCCESS)
        rules.refuses_sampling = refuses_sampling;
    return rules;
}

Result<core::Inference> Codec::decode(const core::Batch& batch, std::string_view body) const {
    if (body.size() > kMessageBytesMax)
        return fail(ErrorCode::invalid, "The request exceeds the maximum size of 32 MB.");
    auto request = read_message_request(body, read_shared(batch.shared));
    if (!request) return std::unexpected(request.error());
    return core::ModelRequest{
        .protocol = core::Protocol::messages, .model = std::move(request->model), .body = std::string(body)};
}

core::Forecast Codec::forecast(const core::Batch&, const core::Subject&, std::string_view body) const {
    return protocol::forecast(core::Protocol::messages, body);
}

std::string Codec::line(const core::Batch&, const core::ItemHead& item, const core::Ending& ending) const {
    if (const auto* const succeeded = std::get_if<core::Succeeded>(&ending)) {
        Writer json = begin_line(item, "succeeded");
        json.member_raw("message", with_batch_tier(succeeded->answer.reply));
        return end_line(std::move(json));
    }
    if (const auto* const failed = std::get_if<core::Failed>(&ending)) {
        Writer json = begin_line(item, "errored");
        json.member_raw("error", render_problem(to_problem(failed->failure), {}));
        return end_line(std::move(json));
    }
    return end_line(begin_line(item, std::holds_alternative<core::Expired>(ending) ? "expired" : "canceled"));
}

std::string render_unanswered_line(const core::ItemHead& item) {
    return end_line(begin_line(item, item.state == core::ItemState::expired ? "expired" : "canceled"));
}

std::string with_batch_tier(std::string_view message) {
    const auto usage = find_value(message, "usage");
    if (!usage || !usage->starts_with('{')) return std::string(message);
    const auto tier = find_value(*usage, "service_tier");
    return tier ? replaced(message, *tier, R"("batch")") : std::string(message);
}

std::unique_ptr<core::ItemCodec> make_codec() {
    return std::make_unique<Codec>();
}

}  // namespace sheaf::dialect::anthropic

#include "dialect/sail/codec.h"

#include "dialect/sail/response_json.h"
#include "dialect/sail/sail.h"
#include "dialect/sail/words.h"
#include "protocol/forecast.h"

namespace sheaf::dialect::sail {
namespace {

// `input` may be {"messages":[…]}.
std::string_view unwrap_input(std::string_view input) {
    if (!input.starts_with('{')) return input;
    const auto members = Members::of(input);
    return members ? members->find("messages").value_or(input) : input;
}

Members members_or_none(std::string_view object) {
    return Members::of(object).value_or(Members());
}

ResponseView view_of(const core::Batch& batch, const core::ItemHead& item) {
    return {.id = print_response_id(item.id),
            .custom_id = item.custom_id,
            .created_at = unix_seconds(batch.created_at),
            .status = item_word(item.state),
            .usage = {},
            .error = {}};
}

std::string text_or_empty(const Members& members, std::string_view name) {
    return std::string(members.find(name).value_or(""));
}

ResponseView stored_view_of(const core::Batch& batch, const core::ItemHead& item, std::string_view body,
                            std::optional<std::string_view> line) {
    ResponseView view = view_of(batch, item);
    view.request = members_or_none(body);
    view.answer = members_or_none(line.value_or(""));
    view.usage = text_or_empty(view.answer, "usage");
    view.error = text_or_empty(view.answer, "error");
    return view;
}

}  // namespace

Result<core::ModelRequest> to_model_request(std::string_view body) {
    const auto members = Members::of(body);
    if (!members) return std::unexpected(members.error());
    const auto model_text = members->find("model");
    auto model = model_text ? string_in(*model_text) : std::nullopt;
    if (!model) return fail(ErrorCode::invalid, "The request names no model.", "model");
    jsonl::Writer json;
    json.open_object();
    for (const auto& [name, text] : members->all()) {
        // The model server would answer before there is an answer.
        if (name == "background") continue;
        json.key(name);
        if (name == "metadata" && text.starts_with('{'))
            write_metadata(json, text);
        else
            json.raw(name == "input" ? unwrap_input(text) : text);
    }
    json.close_object();
    return core::ModelRequest{
        .protocol = core::Protocol::responses, .model = std::move(*model), .body = json.take()};
}

Result<core::Inference> Codec::decode(const core::Batch&, std::string_view body) const {
    auto request = to_model_request(body);
    if (!request) return std::unexpected(request.error());
    return std::move(*request);
}

core::Forecast Codec::forecast(const core::Batch&, const core::Subject&, std::string_view body) const {
    return protocol::forecast(core::Protocol::responses, body);
}

std::string Codec::line(const core::Batch& batch, const core::ItemHead& item,
                        const core::Ending& ending) const {
    ResponseView view = view_of(batch, item);
    if (const auto* const succeeded = std::get_if<core::Succeeded>(&ending)) {
        view.status = item_word(core::ItemState::succeeded);
        view.usage = render_usage(succeeded->answer.usage);
        view.answer = members_or_none(succeeded->answer.reply);
    } else if (const auto* const failed = std::get_if<core::Failed>(&ending)) {
        view.status = item_word(core::ItemState::failed);
        view.error = render_item_error(failed->failure);
    } else {
        view.status = item_word(core::ItemState::canceled);
    }
    return render_response(view) + '\n';
}

std::unique_ptr<core::ItemCodec> make_codec() {
    return std::make_unique<Codec>();
}

std::string render_item(const core::Batch& batch, const core::ItemHead& item, std::string_view body,
                        std::optional<std::string_view> line) {
    return render_response(stored_view_of(batch, item, body, line));
}

std::string render_stored_response(const core::Batch& batch, const core::ItemHead& item,
                                   std::string_view body, std::optional<std::string_view> line) {
    ResponseView view = stored_view_of(batch, item, body, line);
    const bool was_cut = view.answer.find("incomplete_details").has_value();
    view.status = response_word(item.state, was_cut);
    return render_response(view);
}

}  // namespace sheaf::dialect::sail

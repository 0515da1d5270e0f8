#include "dialect/sail/response_json.h"

#include "dialect/sail/errors.h"

namespace sheaf::dialect::sail {
namespace {

using jsonl::Writer;

constexpr std::string_view kWebhookToken = "webhook_token";

enum class Kind : std::uint8_t { any, object, array, number };

bool is_of(Kind kind, std::string_view text) {
    switch (kind) {
        case Kind::any:
            return true;
        case Kind::object:
            return text.starts_with('{');
        case Kind::array:
            return text.starts_with('[');
        case Kind::number:
            return text.starts_with('-') || (text[0] >= '0' && text[0] <= '9');
    }
    return false;
}

// What the request said, else what the answer repeats of it.
std::optional<std::string_view> find_echo(const ResponseView& view, std::string_view name, Kind kind) {
    for (const Members* const source : {&view.request, &view.answer}) {
        const auto text = source->find(name);
        if (text && is_of(kind, *text)) return text;
    }
    return std::nullopt;
}

void write_echo(Writer& json, const ResponseView& view, std::string_view name, std::string_view otherwise,
                Kind kind = Kind::any) {
    json.member_raw(name, find_echo(view, name, kind).value_or(otherwise));
}

void write_echo_if_any(Writer& json, const ResponseView& view, std::string_view name, Kind kind = Kind::any) {
    if (const auto text = find_echo(view, name, kind)) json.member_raw(name, *text);
}

std::string model_of(const ResponseView& view) {
    for (const Members* const source : {&view.answer, &view.request}) {
        const auto text = source->find("model");
        if (const auto name = text ? string_in(*text) : std::nullopt; name && !name->empty()) return *name;
    }
    return {};
}

void write_text(Writer& json, const ResponseView& view) {
    const auto members = Members::of(find_echo(view, "text", Kind::object).value_or("{}"));
    json.key("text").open_object();
    const auto format = members ? members->find("format") : std::nullopt;
    json.member_raw("format", format.value_or(R"({"type":"text"})"));
    for (const auto& [name, text] : members ? members->all() : std::vector<Members::Member>{}) {
        if (name != "format") json.member_raw(name, text);
    }
    json.close_object();
}

void write_or_null(Writer& json, std::string_view name, std::string_view text) {
    if (text.empty())
        json.member_null(name);
    else
        json.member(name, text);
}

}  // namespace

void write_metadata(Writer& json, std::string_view metadata) {
    json.open_object();
    if (const auto members = Members::of(metadata)) {
        for (const auto& [name, text] : members->all()) {
            if (name != kWebhookToken) json.member_raw(name, text);
        }
    }
    json.close_object();
}

std::string render_usage(const core::Usage& usage) {
    Writer json;
    json.open_object().member("input_tokens", usage.input_tokens).key("input_tokens_details");
    json.open_object()
        .member("cached_tokens", usage.cached_tokens)
        .member("reasoning_tokens", 0)
        .close_object();
    json.member("output_tokens", usage.output_tokens).key("output_tokens_details").open_object();
    json.member("cached_tokens", 0).member("reasoning_tokens", usage.reasoning_tokens).close_object();
    json.member("total_tokens", usage.input_tokens + usage.output_tokens);
    json.member("prompt_tokens", usage.input_tokens).member("completion_tokens", usage.output_tokens);
    json.close_object();
    return json.take();
}

std::string render_item_error(const core::Failure& failure) {
    const ErrorObject error = to_item_error(failure);
    Writer json;
    json.open_object();
    write_or_null(json, "code", error.code);
    json.member("message", error.message).member("type", error.type);
    write_or_null(json, "param", error.param);
    json.close_object();
    return json.take();
}

std::string render_response(const ResponseView& view) {
    Writer json;
    json.open_object().member("id", view.id).member("object", "response");
    if (view.custom_id) json.member("custom_id", *view.custom_id);
    json.member("created_at", view.created_at).member("status", view.status);
    json.member("model", model_of(view));
    json.member_raw("usage", view.usage.empty() ? render_usage({}) : view.usage).key("metadata");
    write_metadata(json, find_echo(view, "metadata", Kind::object).value_or("{}"));
    write_echo_if_any(json, view, "input");
    const auto output = view.answer.find("output");
    json.member_raw("output", output && is_of(Kind::array, *output) ? *output : "[]");
    json.member_raw("error", view.error.empty() ? "null" : view.error);
    json.member_raw("incomplete_details", view.answer.find("incomplete_details").value_or("null"));
    write_echo_if_any(json, view, "instructions");
    write_echo(json, view, "max_output_tokens", "null");
    write_echo(json, view, "reasoning", "{}", Kind::object);
    write_text(json, view);
    write_echo(json, view, "store", "true");
    write_echo_if_any(json, view, "temperature", Kind::number);
    write_echo_if_any(json, view, "top_p", Kind::number);
    write_echo(json, view, "parallel_tool_calls", "true");
    write_echo(json, view, "tool_choice", R"("auto")");
    write_echo(json, view, "tools", "[]", Kind::array);
    json.member("truncation", "disabled");
    write_echo(json, view, "user", "null");
    json.close_object();
    return json.take();
}

}  // namespace sheaf::dialect::sail

#include "dialect/twelvelabs/request_params.h"

#include "base/check.h"
#include "jsonl/document.h"
#include "jsonl/writer.h"

namespace sheaf::dialect::twelvelabs {
namespace {

using jsonl::Writer;

constexpr std::size_t kPromptCharactersShown = 30;

void write_images(Writer& json, const std::vector<core::NamedImage>& images) {
    if (images.empty()) return;
    json.key("media_sources").open_array();
    for (const auto& image : images) {
        json.open_object().member("name", image.name).member("media_type", "image");
        if (const auto* const url = std::get_if<core::FromUrl>(&image.source)) json.member("url", url->url);
        if (const auto* const asset = std::get_if<core::FromAsset>(&image.source)) {
            json.member("asset_id", to_string(asset->id));
        }
        json.close_object();
    }
    json.close_array();
}

void write_field(Writer& json, const core::SegmentField& field) {
    json.open_object().member("name", field.name).member("type", to_word(field.type));
    json.member("description", field.description);
    if (field.type == core::FieldType::timestamp) json.member("format", to_word(field.time_format));
    if (!field.allowed.empty()) {
        json.key("enum").open_array();
        for (const auto& value : field.allowed) json.value(value);
        json.close_array();
    }
    if (field.type == core::FieldType::array) {
        json.key("items").open_object().member("type", to_word(field.element)).close_object();
    }
    json.close_object();
}

void write_definition(Writer& json, const core::SegmentDefinition& definition) {
    json.open_object().member("id", definition.id).member("description", definition.description);
    if (!definition.fields.empty()) {
        json.key("fields").open_array();
        for (const auto& field : definition.fields) write_field(json, field);
        json.close_array();
    }
    write_images(json, definition.images);
    if (!definition.ranges.empty()) {
        json.key("time_ranges").open_array();
        for (const auto& range : definition.ranges) {
            json.open_object().member("start_time", range.start).member("end_time", range.end).close_object();
        }
        json.close_array();
    }
    json.close_object();
}

void write_format(Writer& json, const ResponseFormat& format) {
    json.key("response_format").open_object();
    if (format.schema) {
        json.member("type", "json_schema").member_raw("json_schema", *format.schema);
    } else {
        json.member("type", "segment_definitions").key("segment_definitions").open_array();
        for (const auto& definition : format.definitions) write_definition(json, definition);
        json.close_array();
        if (format.time_format) json.member("segment_time_format", to_word(*format.time_format));
    }
    json.close_object();
}

void write_member(Writer& json, std::string_view name, dom::element value) {
    json.member_raw(name, simdjson::to_string(value));
}

void write_short_prompt(Writer& json, dom::object prompt) {
    json.key("prompt_v2").open_object();
    for (const auto& [name, value] : prompt) {
        std::string_view text;
        if (name == "input_text" && value.get(text) == simdjson::SUCCESS) {
            json.member(name, first_characters(text, kPromptCharactersShown));
        } else {
            write_member(json, name, value);
        }
    }
    json.close_object();
}

void write_short_format(Writer& json, dom::object format) {
    json.key("response_format").open_object();
    for (const auto& [name, value] : format) {
        if (name == "json_schema") continue;
        dom::array definitions;
        if (name != "segment_definitions" || value.get(definitions) != simdjson::SUCCESS) {
            write_member(json, name, value);
            continue;
        }
        json.key(name).open_array();
        for (const dom::element definition : definitions) {
            json.raw(simdjson::to_string(definition));
            break;
        }
        json.close_array();
    }
    json.close_object();
}

}  // namespace

std::string render_request_params(const AnalysisParams& params, Mode mode) {
    Writer json;
    json.open_object().member("analysis_mode", to_word(mode));
    if (params.prompt && params.prompt_form == PromptForm::plain) {
        json.member("prompt", params.prompt->text);
    } else if (params.prompt) {
        json.key("prompt_v2").open_object().member("input_text", params.prompt->text);
        write_images(json, params.prompt->images);
        json.close_object();
    }
    if (params.format) write_format(json, *params.format);
    if (params.temperature) json.member("temperature", *params.temperature);
    if (params.max_tokens) json.member("max_tokens", *params.max_tokens);
    if (params.min_segment_duration) json.member("min_segment_duration", *params.min_segment_duration);
    if (params.max_segment_duration) json.member("max_segment_duration", *params.max_segment_duration);
    if (params.start_time) json.member("start_time", *params.start_time);
    if (params.end_time) json.member("end_time", *params.end_time);
    json.close_object();
    return json.take();
}

std::string abbreviate_request_params(std::string_view rendered) {
    const auto document = jsonl::Document::parse(rendered, {.depth_max = 128});
    CHECK(document && document->root().is_object(), "request_params are rendered by us");
    Writer json;
    json.open_object();
    for (const auto& [name, value] : document->root().get_object().value_unsafe()) {
        std::string_view text;
        dom::object object;
        if (name == "prompt" && value.get(text) == simdjson::SUCCESS) {
            json.member(name, first_characters(text, kPromptCharactersShown));
        } else if (name == "prompt_v2" && value.get(object) == simdjson::SUCCESS) {
            write_short_prompt(json, object);
        } else if (name == "response_format" && value.get(object) == simdjson::SUCCESS) {
            write_short_format(json, object);
        } else {
            write_member(json, name, value);
        }
    }
    json.close_object();
    return json.take();
}

std::string_view first_characters(std::string_view text, std::size_t count) {
    std::size_t at = 0;
    while (at < text.size()) {
        const bool starts_a_character = (static_cast<unsigned char>(text[at]) & 0xC0U) != 0x80U;
        if (starts_a_character && count-- == 0) break;
        ++at;
    }
    return text.substr(0, at);
}

}  // namespace sheaf::dialect::twelvelabs

#include "dialect/openai/body.h"

#include <fmt/format.h>

namespace sheaf::dialect::openai {
namespace {

namespace dom = simdjson::dom;

constexpr std::uint64_t kExpirySecondsMin = 3600;
constexpr std::uint64_t kExpirySecondsMax = 2'592'000;

}  // namespace

std::optional<dom::element> Fields::find(std::string_view name) const {
    dom::element element;
    if (object_.at_key(name).get(element) != simdjson::SUCCESS || element.is_null()) return std::nullopt;
    return element;
}

Checked<std::string_view> Fields::text(std::string_view name) const {
    const auto element = find(name);
    if (!element) return refuse_missing(path_of(name));
    std::string_view text;
    if (element->get(text) != simdjson::SUCCESS) return refuse_type(path_of(name), "a string");
    return text;
}

Checked<std::uint64_t> Fields::count(std::string_view name) const {
    const auto element = find(name);
    if (!element) return refuse_missing(path_of(name));
    std::uint64_t number = 0;
    if (element->get(number) != simdjson::SUCCESS) return refuse_type(path_of(name), "a whole number");
    return number;
}

Checked<std::optional<Fields>> Fields::object(std::string_view name) const {
    const auto element = find(name);
    if (!element) return std::nullopt;
    dom::object object;
    if (element->get(object) != simdjson::SUCCESS) return refuse_type(path_of(name), "an object");
    return Fields(object, path_of(name));
}

std::unexpected<Problem> refuse_type(std::string_view param, std::string_view expected) {
    return refuse(fmt::format("Invalid type for '{}': expected {}.", param, expected), std::string(param),
                  code::kInvalidType);
}

Fields JsonBody::fields() const {
    return Fields(document.root().get_object().value_unsafe());
}

async::Task<Checked<JsonBody>> read_json(http::Request& request, std::uint64_t bytes_max) {
    request.body->set_limit(bytes_max);
    auto text = co_await http::read_all(*request.body, bytes_max);
    if (!text) co_return refuse(text.error());
    co_return parse_json(std::move(*text));
}

Checked<JsonBody> parse_json(std::string text) {
    auto document = jsonl::Document::parse(text);
    if (!document) return refuse(document.error());
    if (!document->root().is_object()) return refuse("The body must be a JSON object.");
    return JsonBody{std::move(text), std::move(*document)};
}

Checked<std::optional<std::chrono::seconds>> read_expires_after(const Fields& fields, std::string_view name) {
    const auto pair = fields.object(name);
    if (!pair) return std::unexpected(pair.error());
    if (!*pair) return std::nullopt;
    const auto anchor = (*pair)->text("anchor");
    if (!anchor) return std::unexpected(anchor.error());
    const auto seconds = (*pair)->count("seconds");
    if (!seconds) return std::unexpected(seconds.error());
    const auto checked = check_expires_after(*anchor, *seconds, fields.path_of(name));
    if (!checked) return std::unexpected(checked.error());
    return *checked;
}

Checked<std::chrono::seconds> check_expires_after(std::string_view anchor, std::uint64_t seconds,
                                                  std::string_view path) {
    if (anchor != "created_at") {
        return refuse(fmt::format("Invalid value for '{}.anchor': only 'created_at' is supported.", path),
                      fmt::format("{}.anchor", path), code::kInvalidValue);
    }
    if (seconds < kExpirySecondsMin || seconds > kExpirySecondsMax) {
        return refuse(fmt::format("Invalid value for '{}.seconds': it must be {} to {}.", path,
                                  kExpirySecondsMin, kExpirySecondsMax),
                      fmt::format("{}.seconds", path), code::kInvalidValue);
    }
    return std::chrono::seconds{seconds};
}

}  // namespace sheaf::dialect::openai

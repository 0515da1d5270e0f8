#include "dialect/openai/batch_input.h"

#include <array>

#include <fmt/format.h>

#include "jsonl/splitter.h"
#include "jsonl/utf8.h"

namespace sheaf::dialect::openai {
namespace {

namespace dom = simdjson::dom;

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::size_t kCustomIdCharactersMax = 512;
constexpr std::string_view kInvalidRequest = "invalid_request";
constexpr std::string_view kMissing = "missing_required_parameter";
constexpr std::array<std::string_view, 4> kKeys{"custom_id", "method", "url", "body"};

bool is_blank(std::string_view line) {
    return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

bool is_longer_than(std::string_view text, std::size_t characters_max) {
    std::size_t count = 0;
    for (; !text.empty() && count <= characters_max; ++count)
        text.remove_prefix(jsonl::decode_utf8(text).bytes);
    return count > characters_max;
}

// The bytes of a member of the object `line`, which parses.
std::string_view find_bytes(std::string_view line, std::string_view key) {
    std::string_view bytes;
    const auto read = jsonl::for_each_member(line, [&](std::string_view name, std::string_view value) {
        if (name == key) bytes = value;
        return Result<>{};
    });
    return read ? bytes : std::string_view();
}

// Null and absent are the same.
bool has(dom::object object, std::string_view key) {
    dom::element element;
    return object.at_key(key).get(element) == simdjson::SUCCESS && !element.is_null();
}

}  // namespace

InputReader::InputReader(std::string_view bytes, InputRules rules)
    : bytes_(bytes), rest_(bytes), rules_(std::move(rules)) {
    if (rest_.starts_with(kByteOrderMark)) rest_.remove_prefix(kByteOrderMark.size());
}

bool InputReader::read_some(std::size_t bytes_max) {
    for (std::size_t read = 0; !ended_ && read < bytes_max;) {
        if (rest_.empty()) {
            end();
            break;
        }
        const std::size_t length = std::min(rest_.find('\n'), rest_.size());
        read_line(rest_.substr(0, length));
        rest_.remove_prefix(std::min(length + 1, rest_.size()));
        read += length + 1;
    }
    return !ended_;
}

void InputReader::read_line(std::string_view line) {
    ++line_number_;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (is_blank(line)) return;
    if (++lines_ > rules_.limits.lines_max) {
        ended_ = true;
        errors_.insert(errors_.begin(),
                       {"too_many_tasks",
                        fmt::format("The batch input file contains too many requests. The maximum is {}.",
                                    rules_.limits.lines_max)});
        return;
    }
    auto checked = check(line);
    if (!checked) return note(std::move(checked.error()));
    if (!errors_.empty()) return;
    items_.push_back({.custom_id = std::move(checked->custom_id),
                      .subject = {},
                      .body_offset = static_cast<std::uint64_t>(checked->body.data() - bytes_.data()),
                      .body_bytes = checked->body.size()});
}

void InputReader::note(Fault fault) {
    items_.clear();
    errors_.push_back(
        {std::move(fault.code), std::move(fault.message), std::move(fault.param), line_number_});
    if (errors_.size() >= rules_.limits.batch_errors_max) ended_ = true;
}

void InputReader::end() {
    ended_ = true;
    if (lines_ == 0) errors_.push_back({"empty_file", "The batch input file contains no requests."});
}

InputReader::Found<std::string_view> InputReader::read_text(dom::object line, std::string_view key) {
    std::string_view text;
    if (line.at_key(key).get(text) == simdjson::SUCCESS) return text;
    return std::unexpected(Fault{std::string(kInvalidRequest),
                                 fmt::format("Invalid type for '{}': expected a string.", key),
                                 std::string(key)});
}

InputReader::Found<InputReader::Line> InputReader::check(std::string_view line) {
    const auto refuse = [](std::string_view code, std::string message, std::string_view param = {}) {
        return std::unexpected(Fault{std::string(code), std::move(message), std::string(param)});
    };
    if (line.size() > rules_.limits.line_bytes_max) {
        return refuse(kInvalidRequest,
                      fmt::format("This line is longer than {} bytes.", rules_.limits.line_bytes_max));
    }
    const auto document = jsonl::Document::parse(line);
    if (!document) {
        return refuse("invalid_json_line",
                      "This line is not parseable as valid JSON. " + document.error().message);
    }
    dom::object object;
    if (document->root().get(object) != simdjson::SUCCESS)
        return refuse(kInvalidRequest, "This line is not a JSON object.");
    for (const std::string_view key : kKeys) {
        if (!has(object, key))
            return refuse(kMissing, fmt::format("Missing required parameter: '{}'.", key), key);
    }
    const auto custom_id = read_text(object, "custom_id");
    if (!custom_id) return std::unexpected(custom_id.error());
    const auto method = read_text(object, "method");
    if (!method) return std::unexpected(method.error());
    const auto url = read_text(object, "url");
    if (!url) return std::unexpected(url.error());
    if (!object["body"].is_object())
        return refuse(kInvalidRequest, "Invalid type for 'body': expected an object.", "body");
    if (custom_id->empty() || is_longer_than(*custom_id, kCustomIdCharactersMax)) {
        return refuse(kInvalidRequest,
                      fmt::format("A custom_id must have 1 to {} characters.", kCustomIdCharactersMax),
                      "custom_id");
    }
    if (*method != "POST")
        return refuse("invalid_method", "Invalid value for 'method': it must be 'POST'.", "method");
    if (*url != rules_.endpoint->path) {
        return refuse("invalid_url",
                      fmt::format("The url of this line is not the endpoint of the batch, '{}'.",
                                  rules_.endpoint->path),
                      "url");
    }
    if (!custom_ids_.emplace(*custom_id).second) {
        return refuse("duplicate_custom_id", "The custom_id of this line is one of an earlier line already.",
                      "custom_id");
    }
    if (auto body = check_body(object["body"].value_unsafe()); !body) return std::unexpected(body.error());
    return Line{std::string(*custom_id), find_bytes(line, "body")};
}

InputReader::Found<void> InputReader::check_body(dom::element element) {
    const dom::object body = element.get_object().value_unsafe();
    for (const std::string_view key : {std::string_view("model"), rules_.endpoint->question}) {
        if (has(body, key)) continue;
        return std::unexpected(Fault{std::string(kInvalidRequest),
                                     fmt::format("Missing required parameter: 'body.{}'.", key),
                                     fmt::format("body.{}", key)});
    }
    const auto refuse_model = [](std::string_view code, std::string message) {
        return std::unexpected(Fault{std::string(code), std::move(message), "body.model"});
    };
    std::string_view model;
    if (body["model"].get(model) != simdjson::SUCCESS)
        return refuse_model(kInvalidRequest, "Invalid type for 'body.model': expected a string.");
    if (!rules_.knows_model(model)) {
        return refuse_model("model_not_found",
                            fmt::format("The model '{}' does not exist.", model.substr(0, 128)));
    }
    if (model_.empty()) model_ = model;
    if (model != model_) {
        return refuse_model(
            "mismatched_model",
            fmt::format("The model of this line is not that of the first, '{}'. All lines of a "
                        "batch name one model.",
                        model_));
    }
    bool stream = false;
    if (body["stream"].get(stream) == simdjson::SUCCESS && stream) {
        return std::unexpected(Fault{"streaming_unsupported",
                                     "A batch does not stream: 'body.stream' must not be true.",
                                     "body.stream"});
    }
    return {};
}

}  // namespace sheaf::dialect::openai

#include "dialect/openai/batch_request.h"

#include <fmt/format.h>

#include "jsonl/utf8.h"
#include "jsonl/writer.h"

namespace sheaf::dialect::openai {
namespace {

namespace dom = simdjson::dom;

constexpr std::size_t kPairsMax = 16;
constexpr std::size_t kKeyCharactersMax = 64;
constexpr std::size_t kValueCharactersMax = 512;

std::size_t count_characters(std::string_view text) {
    std::size_t count = 0;
    for (; !text.empty(); ++count) text.remove_prefix(jsonl::decode_utf8(text).bytes);
    return count;
}

std::string supported_endpoints() {
    std::string list;
    for (const ModelEndpoint& endpoint : kModelEndpoints)
        list += fmt::format("{}'{}'", list.empty() ? "" : ", ", endpoint.path);
    return list;
}

Checked<std::string> read_metadata(const Fields& fields) {
    const auto element = fields.find("metadata");
    if (!element) return "null";
    dom::object pairs;
    if (element->get(pairs) != simdjson::SUCCESS) return refuse_type("metadata", "an object");
    if (pairs.size() > kPairsMax) {
        return refuse(fmt::format("Invalid 'metadata': it may have {} pairs at most.", kPairsMax), "metadata",
                      code::kInvalidValue);
    }
    jsonl::Writer json;
    json.open_object();
    for (const auto& [key, value] : pairs) {
        std::string_view text;
        if (value.get(text) != simdjson::SUCCESS)
            return refuse_type(jsonl::join_path("metadata", key), "a string");
        if (count_characters(key) > kKeyCharactersMax || count_characters(text) > kValueCharactersMax) {
            return refuse(fmt::format("Invalid 'metadata': a key may have {} characters, a value {}.",
                                      kKeyCharactersMax, kValueCharactersMax),
                          "metadata", code::kInvalidValue);
        }
        json.member(key, text);
    }
    json.close_object();
    return json.take();
}

}  // namespace

Checked<BatchRequest> read_batch_request(const Fields& fields) {
    BatchRequest request;
    const auto input = fields.text("input_file_id");
    if (!input) return std::unexpected(input.error());
    request.input_file_id = *input;
    const auto endpoint = fields.text("endpoint");
    if (!endpoint) return std::unexpected(endpoint.error());
    request.endpoint = find_endpoint(*endpoint);
    if (request.endpoint == nullptr) {
        return refuse(fmt::format("Invalid value: '{}'. Supported values are: {}.", endpoint->substr(0, 64),
                                  supported_endpoints()),
                      "endpoint", code::kInvalidValue);
    }
    const auto window = fields.text("completion_window");
    if (!window) return std::unexpected(window.error());
    if (*window != kCompletionWindow) {
        return refuse(fmt::format("Invalid value: '{}'. Supported values are: '{}'.", window->substr(0, 64),
                                  kCompletionWindow),
                      "completion_window", code::kInvalidValue);
    }
    auto metadata = read_metadata(fields);
    if (!metadata) return std::unexpected(metadata.error());
    request.metadata = std::move(*metadata);
    const auto expires_after = read_expires_after(fields, "output_expires_after");
    if (!expires_after) return std::unexpected(expires_after.error());
    request.output_expires_after = *expires_after;
    return request;
}

}  // namespace sheaf::dialect::openai

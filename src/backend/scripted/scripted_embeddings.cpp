#include "backend/scripted/scripted_embeddings.h"

#include <bit>
#include <cmath>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "backend/base64.h"
#include "backend/json_text.h"
#include "base/hash.h"
#include "jsonl/writer.h"

namespace sheaf::backend {
namespace {

namespace json = boost::json;

constexpr std::size_t kDimensionsMax = 16'384;

std::string text_of(const json::value& input) {
    if (!input.is_string()) return json_text(input);
    return {input.get_string().data(), input.get_string().size()};
}

std::vector<float> vector_of(const std::string& input, std::size_t dimensions) {
    std::vector<float> vector;
    double square_sum = 0;
    for (std::size_t block = 0; vector.size() < dimensions; ++block)
        for (const auto byte : sha256(fmt::format("{}\n{}", block, input))) {
            if (vector.size() == dimensions) break;
            vector.push_back(static_cast<float>(byte) - 127.5F);
            square_sum += static_cast<double>(vector.back()) * static_cast<double>(vector.back());
        }
    for (auto& value : vector) value /= static_cast<float>(std::sqrt(square_sum));
    return vector;
}

// Little-endian floats.
std::string bytes_of(const std::vector<float>& vector) {
    std::string bytes;
    for (const float value : vector)
        for (int shift = 0; shift < 32; shift += 8)
            bytes.push_back(static_cast<char>(std::bit_cast<std::uint32_t>(value) >> shift & 0xFFU));
    return bytes;
}

}  // namespace

Result<EmbeddingsRequest> read_embeddings_request(std::string_view body) {
    const auto document = parse_json(body);
    const auto* request = document ? document->if_object() : nullptr;
    const auto* input = request == nullptr ? nullptr : request->if_contains("input");
    const auto* list = input == nullptr ? nullptr : input->if_array();
    if (input == nullptr || (list == nullptr && !input->is_string()) || (list != nullptr && list->empty()))
        return fail(ErrorCode::invalid, "There is nothing to embed.", "input");
    EmbeddingsRequest asked;
    if (list == nullptr || list->front().is_number())
        asked.inputs.push_back(text_of(*input));
    else
        for (const auto& one : *list) asked.inputs.push_back(text_of(one));
    const auto* dimensions = request->if_contains("dimensions");
    if (dimensions != nullptr && dimensions->is_int64()) {
        if (dimensions->get_int64() < 1 || dimensions->get_int64() > std::int64_t{kDimensionsMax})
            return fail(ErrorCode::invalid, fmt::format("Must be from 1 to {}.", kDimensionsMax),
                        "dimensions");
        asked.dimensions = static_cast<std::size_t>(dimensions->get_int64());
    }
    const auto* format = request->if_contains("encoding_format");
    asked.wants_base64 = format != nullptr && *format == json::value("base64");
    return asked;
}

std::string embeddings_list(const EmbeddingsRequest& request, std::string_view model, std::uint64_t tokens) {
    jsonl::Writer out;
    out.open_object().member("object", "list").key("data").open_array();
    for (std::size_t i = 0; i < request.inputs.size(); ++i) {
        const auto vector = vector_of(request.inputs[i], request.dimensions);
        out.open_object().member("object", "embedding").member("index", i).key("embedding");
        if (request.wants_base64) {
            out.value(base64(bytes_of(vector)));
        } else {
            out.open_array();
            for (const float value : vector) out.value(static_cast<double>(value));
            out.close_array();
        }
        out.close_object();
    }
    out.close_array().member("model", model).key("usage").open_object();
    out.member("prompt_tokens", tokens).member("total_tokens", tokens).close_object();
    return out.close_object().take();
}

}  // namespace sheaf::backend

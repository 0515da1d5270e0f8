#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "async/task.h"
#include "dialect/twelvelabs/errors.h"
#include "http/message.h"
#include "jsonl/document.h"

namespace sheaf::dialect::twelvelabs {

inline constexpr std::uint64_t kSmallBodyMax = std::uint64_t{1} << 20;
inline constexpr std::uint64_t kMediaBodyMax = std::uint64_t{64} << 20;  // room for an inline video

// Whether the content type is application/json, whatever its parameters.
Checked<> check_json_type(const http::Request& request);

// A JSON body of at most `bytes_max`, and the document it is.
struct JsonBody {
    std::string text;
    jsonl::Document document;
};
async::Task<Checked<JsonBody>> read_json(http::Request& request, std::uint64_t bytes_max);

}  // namespace sheaf::dialect::twelvelabs

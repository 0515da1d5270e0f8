#include "dialect/twelvelabs/body.h"

#include "dialect/media_type.h"

namespace sheaf::dialect::twelvelabs {
Checked<> check_json_type(const http::Request& request) {
    const auto type = request.headers.find("content-type");
    if (type && media_type(*type) == "application/json") return {};
    return refuse(400, code::kContentTypeInvalid, "The Content-Type must be application/json.");
}

async::Task<Checked<JsonBody>> read_json(http::Request& request, std::uint64_t bytes_max) {
    if (auto type = check_json_type(request); !type) co_return std::unexpected(type.error());
    request.body->set_limit(bytes_max);
    auto text = co_await http::read_all(*request.body, bytes_max);
    if (!text) co_return refuse(text.error());
    auto document = jsonl::Document::parse(*text);
    if (!document) co_return refuse(document.error());
    co_return JsonBody{std::move(*text), std::move(*document)};
}

}  // namespace sheaf::dialect::twelvelabs

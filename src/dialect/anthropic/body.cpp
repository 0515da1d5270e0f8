#include "dialect/anthropic/body.h"

#include "dialect/media_type.h"

namespace sheaf::dialect::anthropic {

Checked<> check_encoding(const http::Request& request) {
    const auto encoding = request.headers.find("content-encoding");
    if (!encoding || encoding->empty() || media_type(*encoding) == "identity") return {};
    Problem problem{400, type::kInvalidRequest,
                    "The Content-Encoding is not supported; send the body as it is."};
    problem.error_code = "request_body_encoding_unsupported";
    return std::unexpected(std::move(problem));
}

async::Task<Checked<std::string>> read_body(http::Request& request, std::uint64_t bytes_max) {
    if (auto plain = check_encoding(request); !plain) co_return std::unexpected(plain.error());
    auto text = co_await http::read_all(*request.body, bytes_max);
    if (!text) co_return refuse(text.error());
    co_return std::move(*text);
}

}  // namespace sheaf::dialect::anthropic

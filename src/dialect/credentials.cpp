#include "dialect/credentials.h"

namespace sheaf::dialect {
namespace {

constexpr std::string_view kBearer = "bearer ";

std::optional<std::string_view> api_key(const http::Headers& headers) {
    const auto key = headers.find("x-api-key");
    return key && !key->empty() ? key : std::nullopt;
}

std::optional<std::string_view> bearer_token(const http::Headers& headers) {
    const auto authorization = headers.find("authorization");
    if (!authorization || authorization->size() < kBearer.size()) return std::nullopt;
    for (std::size_t i = 0; i < kBearer.size(); ++i) {
        const char c = (*authorization)[i];
        if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c) != kBearer[i]) return std::nullopt;
    }
    std::string_view key = authorization->substr(kBearer.size());
    while (key.starts_with(' ')) key.remove_prefix(1);
    if (key.empty()) return std::nullopt;
    return key;
}

}  // namespace

std::optional<std::string_view> find_key(const http::Headers& headers, KeyHeader first) {
    const auto key = first == KeyHeader::x_api_key ? api_key(headers) : bearer_token(headers);
    if (key) return key;
    return first == KeyHeader::x_api_key ? bearer_token(headers) : api_key(headers);
}

}  // namespace sheaf::dialect

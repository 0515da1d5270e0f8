#include "protocol/ids.h"

#include <algorithm>
#include <array>

#include "base/clock.h"
#include "base/hash.h"
#include "base/id.h"

namespace sheaf::protocol {
namespace {

constexpr std::array<std::string_view, 4> kServerPrefixes{"chatcmpl-", "cmpl-", "msg_", "resp_"};
constexpr std::size_t kIdMax = 200;

bool is_plain(std::string_view id) {
    return !id.empty() && id.size() <= kIdMax && std::ranges::all_of(id, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
               c == '-';
    });
}

}  // namespace

std::string make_id(std::string_view prefix) {
    return std::string(prefix) + to_string(make_raw_id(SystemClock().now()));
}

std::string id_with_prefix(std::string_view prefix, std::string_view server_id) {
    for (const auto servers : kServerPrefixes) {
        if (!server_id.starts_with(servers)) continue;
        server_id.remove_prefix(servers.size());
        break;
    }
    if (!is_plain(server_id)) return make_id(prefix);
    return std::string(prefix) + std::string(server_id);
}

std::string tool_call_id(std::string_view id) {
    if (is_plain(id)) return std::string(id);
    constexpr std::size_t kBytes = 12;
    const auto digest = sha256(id);
    return "toolu_" + to_hex(std::span(digest).first(kBytes));
}

}  // namespace sheaf::protocol

#pragma once

#include <string>
#include <string_view>

namespace sheaf::protocol {

// A new id: `prefix` and 24 hex digits. Threads: any.
std::string make_id(std::string_view prefix);

// The id of an answer in its client's protocol: the server's own one with `prefix` ("msg_") in the place of
// the server's ("chatcmpl-"), or a new one when the server's has other characters than [A-Za-z0-9_-] or is
// empty.
std::string id_with_prefix(std::string_view prefix, std::string_view server_id);

// The id of a tool call as Messages allows it, [A-Za-z0-9_-]+: `id`, or "toolu_…" made from it, always the
// same.
std::string tool_call_id(std::string_view id);

}  // namespace sheaf::protocol

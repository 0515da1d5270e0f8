#pragma once

#include <functional>
#include <string_view>

#include <simdjson.h>

#include "base/result.h"
#include "jsonl/document.h"
#include "jsonl/writer.h"

// How a server's answer is read and made whole.
namespace sheaf::protocol {

// A server's answer, which must be an object and no report of an error.
Result<jsonl::Document> parse_answer(std::string_view reply);

// Writes one member in its own way and returns true, or leaves it.
using MemberWriter =
    std::function<bool(jsonl::Writer& json, std::string_view name, simdjson::dom::element value)>;

// Writes the object `server`, and in it those members of `ours`, a JSON object, that it lacks or has as null.
void write_filled(jsonl::Writer& json, const simdjson::dom::object& server, std::string_view ours,
                  const MemberWriter& write_own = {});

}  // namespace sheaf::protocol

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/item.h"
#include "core/outcome.h"
#include "dialect/sail/members.h"
#include "jsonl/writer.h"

// The response object, which shows an item of a batch, a response by its id and the answer of a direct call
// alike. What a request said is repeated in it as it was written.
namespace sheaf::dialect::sail {

struct ResponseView {
    std::string id;
    std::optional<std::string> custom_id;
    std::int64_t created_at = 0;  // seconds since 1970
    std::string_view status;
    std::string usage;  // JSON; empty: nothing was used yet
    std::string error;  // JSON; empty: none
    // What was asked, and what was answered: an answer repeats some of what was asked, and stands in where
    // the request is not at hand. Empty when there is none.
    Members request = {};
    Members answer = {};
};
std::string render_response(const ResponseView& view);

std::string render_usage(const core::Usage& usage);
std::string render_item_error(const core::Failure& failure);

// `metadata` as the client gave it, without the token that a webhook is to be called with: it is a secret.
void write_metadata(jsonl::Writer& json, std::string_view metadata);

}  // namespace sheaf::dialect::sail

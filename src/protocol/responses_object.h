#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "jsonl/writer.h"
#include "protocol/conversation.h"

// The parts of a response object, which are told whole and, while an answer streams, one by one.
namespace sheaf::protocol {

// What is known of a response before its answer begins.
struct ResponseHead {
    std::string id;               // "resp_…"
    std::int64_t created_at = 0;  // seconds since 1970
    std::string_view model;       // the name clients use
    std::string_view request;     // the client's own body, which the object repeats in part
};
// Of an answer that begins now.
ResponseHead make_response_head(std::string_view server_id, std::string_view request, std::string_view model);

// One item of the output: a thought, a call, or the texts and refusals that are one message.
using OutputItem = std::span<const Part>;
// In the order they were said; an answer without message and call has an empty message at its end.
std::vector<OutputItem> output_items(std::span<const Part> parts);
// Whether it is a text or a refusal.
bool is_message_part(const Part& part);

// The id of the item that stands at `index` and begins with `first`: always the same.
std::string output_item_id(const ResponseHead& head, const Part& first, std::size_t index);
// The end of it, after "msg_" and the like.
std::string output_item_suffix(const ResponseHead& head, std::size_t index);

enum class ItemStatus : std::uint8_t { in_progress, completed, incomplete };
// `logprobs` are the entries of the item's first text as Chat Completions has them, a JSON array, or empty.
// An item in progress has no content yet.
void write_output_item(jsonl::Writer& json, std::string_view id, OutputItem item, ItemStatus status,
                       std::string_view logprobs);
// A text or refusal, or a thought's text.
void write_content_part(jsonl::Writer& json, const Part& part, std::string_view logprobs);

void write_responses_usage(jsonl::Writer& json, const core::Usage& usage);

// The whole object, and the one that is told before the answer begins.
std::string write_response(const ResponseHead& head, const Completion& completion);
std::string write_response_in_progress(const ResponseHead& head);

}  // namespace sheaf::protocol

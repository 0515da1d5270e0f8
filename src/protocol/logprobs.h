#pragma once

#include <string>
#include <string_view>

#include "jsonl/writer.h"

// The log probabilities of an answer's tokens: a JSON array of {token, logprob, bytes, top_logprobs}, or an
// empty text for none.
namespace sheaf::protocol {

// Puts the entries of `more` behind those of `entries`.
void append_logprobs(std::string& entries, std::string_view more);

// Writes the array as Responses has it, where no "bytes" is null and none of the arrays is missing.
void write_responses_logprobs(jsonl::Writer& json, std::string_view entries);

}  // namespace sheaf::protocol

#pragma once

#include <array>
#include <chrono>
#include <string>
#include <string_view>

#include "cli/api.h"
#include "cli/failure.h"
#include "cli/json.h"

// What a server's answers mean, whatever API they are of.
namespace sheaf::cli {

// Between the tries of a call that may be repeated.
inline constexpr std::array kRetryPauses{std::chrono::seconds{1}, std::chrono::seconds{2},
                                         std::chrono::seconds{4}};

// The failure that an answer of this status means.
Failure explain_status(int status, std::string_view body);
// An answer that a server of ours would not give.
std::unexpected<Failure> strange(std::string_view what);

// A JSON object.
Outcome<jsonl::Document> parse_answer(std::string_view body);
Outcome<BatchState> parse_batch(const std::string& body);
Outcome<BatchState> to_batch(const Json& json);

}  // namespace sheaf::cli

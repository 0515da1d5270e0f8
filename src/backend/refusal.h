#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "base/secret.h"
#include "core/outcome.h"
#include "http/client.h"

namespace sheaf::backend {

// What an answer without a good status means for the item. `key` never shows in a message or an error object,
// whatever the server echoes.
//
// 408, 425, 429, 503 and 529 are Overloaded; 400 and others that say the request is wrong are Refused as
// invalid_request or model_not_found, in the server's own words and with its path of the fault; the rest is
// Broken, which includes a refused key: that is the operator's to mend, and no client is told the server's
// words on it. Status and error object are kept otherwise, but for an object beyond 16 KiB.
core::Outcome outcome_of_status(const http::ClientResponse& response, const Secret& key, Timestamp now);

// A connection that failed, or an answer that makes no sense.
core::Outcome outcome_of_error(const Error& error, std::chrono::milliseconds answer_time, const Secret& key);

// "the model server answered 400: " and its words.
std::string status_message(const http::ClientResponse& response, const Secret& key);

// The words of an error body, in any of the forms that servers use; at most 2 KB, on one line.
std::string error_message(std::string_view body);

// Whether an error body says that the model's context is too small for the request.
bool speaks_of_context(std::string_view body);

// Seconds, or an HTTP date counted from the answer's own Date if it has one, else from `now`. At most an
// hour.
std::optional<std::chrono::milliseconds> retry_after(const http::Headers& headers, Timestamp now);

}  // namespace sheaf::backend

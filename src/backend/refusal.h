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

// What an answer without a completion means for the item. `key` never shows in a message, whatever the server
// echoes.
//
// 429, 503 and 529 are Overloaded; 400 and others that say the request is wrong are Refused; the rest is
// Broken, which includes a refused key: that is the operator's to mend, and no item's fault.
core::Outcome outcome_of_status(const http::ClientResponse& response, const Secret& key, Timestamp now);

// A connection that failed, or an answer that makes no sense.
core::Outcome outcome_of_error(const Error& error, std::chrono::milliseconds answer_time, const Secret& key);

// The words of an error body, in any of the forms that servers use; shortened, on one line.
std::string error_message(std::string_view body);

// Seconds, or an HTTP date counted from the answer's own Date if it has one, else from `now`. At most an
// hour.
std::optional<std::chrono::milliseconds> retry_after(const http::Headers& headers, Timestamp now);

}  // namespace sheaf::backend

#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace sheaf {

// What the caller should do about a failure, not what broke.
enum class ErrorCode {
    invalid,      // the request is wrong; do not repeat it as it is
    not_found,    // no such thing, or not the caller's
    conflict,     // the thing is in a state that does not allow this
    too_large,    // a limit on size was passed
    exhausted,    // a quota is used up; later it may not be
    denied,       // the target or action is not allowed
    no_space,     // the disk is full; repeat when there is room
    unavailable,  // a part we depend on does not answer; repeat later
    timed_out,    // a deadline passed
    canceled,     // the caller went away or we are stopping
    corrupt,      // stored bytes do not match their checksum
    internal,     // anything unexpected
};

std::string_view to_string(ErrorCode code);

// A failure that is reported, not a bug (CHECK) and not an outcome (a value).
struct Error {
    ErrorCode code = ErrorCode::internal;
    std::string message;  // one sentence for people; never parsed
    std::string field;    // JSON path of the first offending value, or empty
};

}  // namespace sheaf

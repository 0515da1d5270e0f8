#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sheaf::protocol {

// One server-sent event.
struct Event {
    std::string name;  // empty where the server gave none
    std::string data;  // its lines, with '\n' between them
};

// Cuts a stream of server-sent events into them, however the bytes were cut on the way.
class EventStream {
public:
    // A larger event is no part of a model server's answer.
    static constexpr std::size_t kEventBytesMax = 4U << 20;

    // too_large: see above.
    Result<> feed(std::string_view bytes);
    // The next whole event, or nullopt when more bytes are needed. Comments, and events without data, are
    // skipped.
    std::optional<Event> next();

private:
    void take_line();

    std::string line_;
    bool after_return_ = false;  // a '\n' would belong to the '\r' before it
    Event event_;
    bool has_data_ = false;
    std::deque<Event> whole_;
};

// Appends the event as it is sent. `data` is one line.
void append_event(std::string& out, std::string_view name, std::string_view data);

}  // namespace sheaf::protocol

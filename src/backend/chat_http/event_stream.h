#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sheaf::backend::chat_http {

// Cuts a stream of server-sent events into the data of its events, however the bytes were cut on the way.
class EventStream {
public:
    // An event whose data is larger is no answer of a model server.
    static constexpr std::size_t kEventBytesMax = 4U << 20;

    // too_large: see above.
    Result<> feed(std::string_view bytes);
    // The data of the next whole event, or nullopt when more bytes are needed. Comments and other fields are
    // skipped.
    std::optional<std::string> next();

private:
    std::string buffer_;
    std::size_t at_ = 0;  // what lies before was used
    std::string data_;
    bool has_data_ = false;
};

}  // namespace sheaf::backend::chat_http

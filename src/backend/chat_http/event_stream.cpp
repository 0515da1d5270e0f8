#include "backend/chat_http/event_stream.h"

namespace sheaf::backend::chat_http {

Result<> EventStream::feed(std::string_view bytes) {
    buffer_.erase(0, at_);
    at_ = 0;
    if (buffer_.size() + data_.size() + bytes.size() > 2 * kEventBytesMax || data_.size() > kEventBytesMax)
        return fail(ErrorCode::too_large, "an event of the answer is too large");
    buffer_.append(bytes);
    return {};
}

std::optional<std::string> EventStream::next() {
    while (true) {
        const auto end = buffer_.find_first_of("\r\n", at_);
        if (end == std::string::npos) return std::nullopt;
        // A '\r' at the end may be half of a "\r\n".
        if (buffer_[end] == '\r' && end + 1 == buffer_.size()) return std::nullopt;
        const auto line = std::string_view(buffer_).substr(at_, end - at_);
        at_ = end + (buffer_.compare(end, 2, "\r\n") == 0 ? 2 : 1);
        if (line.empty()) {
            if (!has_data_) continue;
            has_data_ = false;
            return std::exchange(data_, {});
        }
        if (!line.starts_with("data:")) continue;
        auto value = line.substr(5);
        if (value.starts_with(' ')) value.remove_prefix(1);
        if (has_data_) data_ += '\n';
        data_ += value;
        has_data_ = true;
    }
}

}  // namespace sheaf::backend::chat_http

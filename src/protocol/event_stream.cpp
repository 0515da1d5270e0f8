#include "protocol/event_stream.h"

#include <utility>

namespace sheaf::protocol {

Result<> EventStream::feed(std::string_view bytes) {
    while (!bytes.empty()) {
        if (std::exchange(after_return_, false) && bytes.front() == '\n') {
            bytes.remove_prefix(1);
            continue;
        }
        const auto end = bytes.find_first_of("\r\n");
        line_.append(bytes.substr(0, end));
        if (line_.size() + event_.data.size() > kEventBytesMax)
            return fail(ErrorCode::too_large, "An event of the model server's answer is too large.");
        if (end == std::string_view::npos) return {};
        after_return_ = bytes[end] == '\r';
        bytes.remove_prefix(end + 1);
        take_line();
        line_.clear();
    }
    return {};
}

void EventStream::take_line() {
    if (line_.empty()) {
        auto event = std::exchange(event_, {});
        if (std::exchange(has_data_, false)) whole_.push_back(std::move(event));
        return;
    }
    const auto colon = line_.find(':');
    const auto field = std::string_view(line_).substr(0, colon);
    auto value = colon == std::string::npos ? std::string_view() : std::string_view(line_).substr(colon + 1);
    if (value.starts_with(' ')) value.remove_prefix(1);
    if (field == "event") event_.name = value;
    if (field != "data") return;
    if (std::exchange(has_data_, true)) event_.data += '\n';
    event_.data += value;
}

std::optional<Event> EventStream::next() {
    if (whole_.empty()) return std::nullopt;
    auto event = std::move(whole_.front());
    whole_.pop_front();
    return event;
}

void append_event(std::string& out, std::string_view name, std::string_view data) {
    if (!name.empty()) out.append("event: ").append(name).append("\n");
    out.append("data: ").append(data).append("\n\n");
}

}  // namespace sheaf::protocol

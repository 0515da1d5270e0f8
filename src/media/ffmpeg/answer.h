#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "media/ffmpeg/wire.h"

namespace sheaf::media {

// The worker's end of the answer: writes records as they are made.
class Answer {
public:
    Answer(int fd, std::uint64_t bytes_max) : fd_(fd), bytes_left_(bytes_max) {}

    // too_large once the answer would pass its limit; internal when nobody reads.
    Result<> add(wire::RecordKind kind, std::string_view payload);
    Result<> add_frame(const wire::FrameHead& head, std::string_view image);

private:
    Result<> write(wire::RecordKind kind, std::string_view first, std::string_view second);
    int fd_;
    std::uint64_t bytes_left_;
};

}  // namespace sheaf::media

#pragma once

#include <cstdint>
#include <memory>

#include "base/result.h"
#include "media/ffmpeg/libav.h"

namespace sheaf::media {

// A media file, read through a descriptor and nothing else: formats that name other files are refused, and so
// is any attempt to open one.
class Input {
public:
    enum class Analyse { if_needed, always };

    // Finds out what the file is. invalid: not audio, video or an image, or broken beyond use; too_large: a
    // picture has more than `pixels_max`. With `if_needed`, a container whose header says all is not looked
    // into further.
    static Result<std::unique_ptr<Input>> open(int fd, std::uint64_t bytes, std::uint64_t pixels_max,
                                               Analyse analyse);
    ~Input();
    Input(const Input&) = delete;
    Input& operator=(const Input&) = delete;

    AVFormatContext& format() { return *format_; }
    AVStream& stream(int index) { return *format_->streams[index]; }
    std::int64_t bytes() const { return bytes_; }
    int fd() const { return fd_; }

    // The first stream of this kind that is no attached picture, or -1.
    int find_stream(AVMediaType type) const;
    // Reads packets of this stream alone from here on.
    void select_only(int index);

private:
    Input(int fd, std::int64_t bytes) : fd_(fd), bytes_(bytes) {}
    Result<> open(std::uint64_t pixels_max, Analyse analyse);
    static int read(void* self, std::uint8_t* buffer, int size);
    static std::int64_t seek(void* self, std::int64_t offset, int whence);

    int fd_;
    std::int64_t bytes_;
    std::int64_t at_ = 0;
    AVIOContext* io_ = nullptr;
    AVFormatContext* format_ = nullptr;
};

}  // namespace sheaf::media

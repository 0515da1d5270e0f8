#include "media/ffmpeg/answer.h"

#include <array>
#include <cerrno>
#include <limits>

#include <sys/uio.h>
#include <unistd.h>

namespace sheaf::media {

Result<> Answer::add(wire::RecordKind kind, std::string_view payload) {
    return write(kind, payload, {});
}

Result<> Answer::add_frame(const wire::FrameHead& head, std::string_view image) {
    return write(wire::RecordKind::frame, wire::encode(head), image);
}

Result<> Answer::write(wire::RecordKind kind, std::string_view first, std::string_view second) {
    const std::uint64_t bytes = std::uint64_t{first.size()} + second.size();
    const bool last = kind == wire::RecordKind::end || kind == wire::RecordKind::error;
    if (bytes > std::numeric_limits<std::uint32_t>::max() ||
        (!last && bytes + wire::kHeaderBytes > bytes_left_)) {
        return fail(ErrorCode::too_large,
                    "The answer is larger than is allowed; ask for fewer or smaller frames.");
    }
    if (!last) bytes_left_ -= bytes + wire::kHeaderBytes;
    const std::string header = wire::encode(wire::RecordHeader{kind, static_cast<std::uint32_t>(bytes)});
    std::array<std::string_view, 3> parts{header, first, second};
    std::size_t at = 0;
    while (at < parts.size()) {
        std::array<iovec, 3> vectors{};
        int count = 0;
        for (std::size_t n = at; n < parts.size(); ++n) {
            vectors[static_cast<std::size_t>(count++)] = {const_cast<char*>(parts[n].data()),
                                                          parts[n].size()};
        }
        const ssize_t wrote = ::writev(fd_, vectors.data(), count);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote < 0) return fail(ErrorCode::internal, "Nobody reads the media worker's answer.");
        auto left = static_cast<std::size_t>(wrote);
        while (at < parts.size() && left >= parts[at].size()) left -= parts[at++].size();
        if (at < parts.size()) parts[at].remove_prefix(left);
    }
    return {};
}

}  // namespace sheaf::media

#include "http/chunked.h"

#include <algorithm>
#include <cstring>

namespace sheaf::http {
namespace {

constexpr std::uint32_t kExtraBytesMax = 16 * 1024;

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

}  // namespace

ChunkDecoder::State ChunkDecoder::next(char c) {
    switch (state_) {
        case State::size: {
            const int digit = hex_digit(c);
            if (digit >= 0) {
                if (++digits_ > 15) return State::broken;
                left_ = left_ * 16 + static_cast<unsigned>(digit);
                return State::size;
            }
            if (digits_ == 0) return State::broken;
            if (c == '\r') return State::size_lf;
            return c == ';' ? State::extension : State::broken;
        }
        case State::extension:
            if (++extra_bytes_ > kExtraBytesMax || c == '\n' || c == '\0') return State::broken;
            return c == '\r' ? State::size_lf : State::extension;
        case State::size_lf:
            digits_ = 0;
            if (c != '\n') return State::broken;
            return left_ == 0 ? State::trailer_start : State::data;
        case State::data_cr:
            return c == '\r' ? State::data_lf : State::broken;
        case State::data_lf:
            return c == '\n' ? State::size : State::broken;
        case State::trailer_start:
            if (c == '\r') return State::end_lf;
            [[fallthrough]];
        case State::trailer:
            if (++extra_bytes_ > kExtraBytesMax || c == '\n' || c == '\0') return State::broken;
            return c == '\r' ? State::trailer_lf : State::trailer;
        case State::trailer_lf:
            return c == '\n' ? State::trailer_start : State::broken;
        case State::end_lf:
            return c == '\n' ? State::ended : State::broken;
        case State::data:
        case State::ended:
        case State::broken:
            break;
    }
    return state_;
}

ChunkDecoder::Step ChunkDecoder::decode(std::string_view in, std::span<char> out) {
    Step step;
    while (step.consumed < in.size() && !ended() && !broken()) {
        if (state_ != State::data) {
            state_ = next(in[step.consumed++]);
            continue;
        }
        const auto count = static_cast<std::size_t>(std::min(
            {std::uint64_t{in.size() - step.consumed}, std::uint64_t{out.size() - step.produced}, left_}));
        if (count == 0) break;
        std::memcpy(out.data() + step.produced, in.data() + step.consumed, count);
        step.consumed += count;
        step.produced += count;
        left_ -= count;
        if (left_ == 0) state_ = State::data_cr;
    }
    return step;
}

}  // namespace sheaf::http

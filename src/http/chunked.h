#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace sheaf::http {

// Decodes a chunked body piece by piece. Extensions and trailers are skipped, within limits; anything that
// two readers could understand differently (bare LF, blanks in sizes, signs) is an error.
class ChunkDecoder {
public:
    struct Step {
        std::size_t consumed = 0;
        std::size_t produced = 0;
    };

    // Decodes from `in` to `out` until one is used up, the body ends, or it is broken.
    Step decode(std::string_view in, std::span<char> out);
    bool ended() const { return state_ == State::ended; }
    bool broken() const { return state_ == State::broken; }

private:
    enum class State {
        size,
        extension,
        size_lf,
        data,
        data_cr,
        data_lf,
        trailer_start,
        trailer,
        trailer_lf,
        end_lf,
        ended,
        broken
    };

    // One byte of the framing around the data.
    State next(char c);

    State state_ = State::size;
    std::uint64_t left_ = 0;         // of the chunk's data
    std::uint32_t digits_ = 0;       // of the chunk's size so far
    std::uint32_t extra_bytes_ = 0;  // extensions and trailers of the whole body
};

}  // namespace sheaf::http

#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sheaf::backend::scene {

// A picture of one byte a pixel, rows top down. The bytes belong to another.
struct GrayView {
    int width = 0;
    int height = 0;
    std::string_view bytes;
    std::uint8_t at(int x, int y) const {
        return static_cast<std::uint8_t>(bytes[static_cast<std::size_t>(y) * static_cast<std::size_t>(width) +
                                               static_cast<std::size_t>(x)]);
    }
};

struct GrayPicture {
    int width = 0;
    int height = 0;
    std::string bytes;
    GrayView view() const { return {width, height, bytes}; }
};

struct Box {
    int left = 0;
    int top = 0;
    int right = 0;  // exclusive
    int bottom = 0;
    int width() const { return right - left; }
    int height() const { return bottom - top; }
    bool operator==(const Box&) const = default;
};

// The share of the smaller box that both cover.
double overlap(const Box& left, const Box& right);

// A place where a line of text may stand: marks of about one height in a row.
struct LineCandidate {
    Box box;
    bool is_light = false;  // light marks on a darker ground
    float score = 0;
};

inline constexpr std::size_t kLinesMax = 32;  // candidates of one picture; the best are kept

// Finds upright, horizontal text of 8 to about 280 pixels height. Most of what it finds in a photograph is no
// text: it narrows down where to read.
std::vector<LineCandidate> find_lines(GrayView picture);

enum class CutStyle : std::uint8_t {
    stretched,  // the contrast of the whole cut is stretched: best on plain ground
    levelled,   // each place against its neighbourhood: for a ground of many colours
};

// The candidate cut out, dark on light, marks about 32 pixels high, with a plain margin around.
GrayPicture cut_line(GrayView picture, const LineCandidate& line, CutStyle style);

}  // namespace sheaf::backend::scene

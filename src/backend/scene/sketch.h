#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace sheaf::backend::scene {

// The 16 basic colours of the web, which people have names for.
inline constexpr std::size_t kColourCount = 16;

struct Rgb {
    std::uint8_t red = 0;
    std::uint8_t green = 0;
    std::uint8_t blue = 0;
    bool operator==(const Rgb&) const = default;
};

std::string_view colour_name(std::size_t index);
// The index of the basic colour that looks nearest.
std::size_t nearest_colour(Rgb colour);

// How much of a picture falls to each basic colour.
struct ColourShares {
    std::array<std::uint32_t, kColourCount> pixels{};
    std::array<std::array<std::uint32_t, 3>, kColourCount> sums{};  // of red, green and blue
    void add(const ColourShares& other);
    // The colour that most pixels fall to. Black when there are none.
    std::size_t dominant() const;
    // The mean of the pixels that fall to `index`.
    Rgb mean(std::size_t index) const;
};

ColourShares count_colours(std::string_view rgb24);

// A frame reduced to what cuts are found by: luma and chroma planes a few dozen pixels wide.
struct Sketch {
    double time = 0;
    int width = 0;
    int height = 0;
    std::vector<std::uint8_t> luma;
    std::vector<std::uint8_t> blue;  // chroma differences around 128, as in YCbCr
    std::vector<std::uint8_t> red;
    std::array<float, 128> histogram{};  // of luma (8) by blue (4) by red (4); the sum is 1
    float mean = 0;                      // of luma, 0 to 255
    float contrast = 0;                  // mean absolute deviation of luma from its mean
};

// `rgb24` holds width * height * 3 bytes.
Sketch make_sketch(double time, int width, int height, std::string_view rgb24);

// How two frames of one size differ.
struct Difference {
    float pixels = 0;     // mean absolute difference of luma in place, 0 to 255
    float matched = 0;    // the same after each block moved to where it fits best, chroma included
    float unlike = 0;     // `matched` in units of the frames' contrast: about 1 for unrelated pictures
    float histogram = 0;  // 0: the same distribution of colours, 1: nothing in common
};
Difference compare(const Sketch& before, const Sketch& after);

// A luma picture of 32 x 18 cells: tells whether anything moved or appeared between two looks.
using Thumb = std::array<std::uint8_t, 32 * 18>;
Thumb make_thumb(const Sketch& sketch);
// The largest change of one cell.
int largest_change(const Thumb& left, const Thumb& right);

}  // namespace sheaf::backend::scene

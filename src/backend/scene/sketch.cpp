#include "backend/scene/sketch.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "base/check.h"

namespace sheaf::backend::scene {
namespace {

struct NamedColour {
    std::string_view name;
    Rgb rgb;
};

constexpr std::array<NamedColour, kColourCount> kColours{{
    {"black", {0, 0, 0}},
    {"dark gray", {64, 64, 64}},
    {"gray", {128, 128, 128}},
    {"light gray", {192, 192, 192}},
    {"white", {255, 255, 255}},
    {"red", {220, 20, 20}},
    {"maroon", {110, 20, 20}},
    {"orange", {255, 140, 0}},
    {"brown", {130, 85, 40}},
    {"yellow", {245, 225, 20}},
    {"olive", {115, 115, 30}},
    {"green", {30, 150, 40}},
    {"cyan", {20, 200, 210}},
    {"blue", {30, 70, 210}},
    {"purple", {125, 30, 150}},
    {"pink", {250, 130, 190}},
}};

constexpr int kBlock = 8;
constexpr int kReach = 6;  // pixels a block may have moved between two frames

std::uint8_t to_byte(int value) {
    return static_cast<std::uint8_t>(std::clamp(value, 0, 255));
}

std::size_t at(const Sketch& sketch, int x, int y) {
    return static_cast<std::size_t>(y) * static_cast<std::size_t>(sketch.width) + static_cast<std::size_t>(x);
}

struct Block {
    int x = 0;
    int y = 0;
    int width = 0;
    int height = 0;
};

int sum_of_differences(const std::vector<std::uint8_t>& before, const std::vector<std::uint8_t>& after,
                       std::size_t stride, std::size_t from, std::size_t to, const Block& block) {
    int sum = 0;
    for (int row = 0; row < block.height; ++row) {
        const std::uint8_t* left = before.data() + from + static_cast<std::size_t>(row) * stride;
        const std::uint8_t* right = after.data() + to + static_cast<std::size_t>(row) * stride;
        if (block.width == kBlock) {
            for (int x = 0; x < kBlock; ++x) sum += std::abs(int{left[x]} - int{right[x]});
        } else {
            for (int x = 0; x < block.width; ++x) sum += std::abs(int{left[x]} - int{right[x]});
        }
    }
    return sum;
}

// The difference of the block from its best match in `before`: luma, and half of each chroma.
int match_block(const Sketch& before, const Sketch& after, const Block& block) {
    const auto stride = static_cast<std::size_t>(after.width);
    const std::size_t to = at(after, block.x, block.y);
    int best = sum_of_differences(before.luma, after.luma, stride, to, to, block);
    std::size_t from = to;
    const int still = block.width * block.height;  // a level a pixel: nothing moved
    if (best > still) {
        for (int dy = -kReach; dy <= kReach; ++dy) {
            const int y = block.y + dy;
            if (y < 0 || y + block.height > after.height) continue;
            for (int dx = -kReach; dx <= kReach; ++dx) {
                const int x = block.x + dx;
                if (x < 0 || x + block.width > after.width) continue;
                const std::size_t candidate = at(before, x, y);
                const int sum = sum_of_differences(before.luma, after.luma, stride, candidate, to, block);
                if (sum < best) {
                    best = sum;
                    from = candidate;
                }
            }
        }
    }
    const int chroma = sum_of_differences(before.blue, after.blue, stride, from, to, block) +
                       sum_of_differences(before.red, after.red, stride, from, to, block);
    return best + chroma / 2;
}

float mean_difference(const std::vector<std::uint8_t>& left, const std::vector<std::uint8_t>& right) {
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < left.size(); ++i) sum += std::abs(int{left[i]} - int{right[i]});
    return left.empty() ? 0.0F : static_cast<float>(sum) / static_cast<float>(left.size());
}

// Normalised correlation of luma; 0 where a frame has no structure.
float correlation(const Sketch& left, const Sketch& right) {
    double product = 0;
    double left_square = 0;
    double right_square = 0;
    for (std::size_t i = 0; i < left.luma.size(); ++i) {
        const double l = static_cast<double>(left.luma[i]) - double{left.mean};
        const double r = static_cast<double>(right.luma[i]) - double{right.mean};
        product += l * r;
        left_square += l * l;
        right_square += r * r;
    }
    const auto count = static_cast<double>(left.luma.size());
    if (left_square < 4 * count || right_square < 4 * count) return 0;
    return static_cast<float>(product / std::sqrt(left_square * right_square));
}

}  // namespace

std::string_view colour_name(std::size_t index) {
    return kColours.at(index).name;
}

std::size_t nearest_colour(Rgb colour) {
    std::size_t nearest = 0;
    int least = std::numeric_limits<int>::max();
    for (std::size_t i = 0; i < kColourCount; ++i) {
        const Rgb& other = kColours[i].rgb;
        const int dr = int{colour.red} - int{other.red};
        const int dg = int{colour.green} - int{other.green};
        const int db = int{colour.blue} - int{other.blue};
        // The "redmean" weights: close to how different two colours look, without leaving RGB.
        const int mean_red = (int{colour.red} + int{other.red}) / 2;
        const int distance = (512 + mean_red) * dr * dr + 1024 * dg * dg + (767 - mean_red) * db * db;
        if (distance < least) {
            least = distance;
            nearest = i;
        }
    }
    return nearest;
}

void ColourShares::add(const ColourShares& other) {
    for (std::size_t i = 0; i < kColourCount; ++i) {
        pixels[i] += other.pixels[i];
        for (std::size_t channel = 0; channel < 3; ++channel) sums[i][channel] += other.sums[i][channel];
    }
}

std::size_t ColourShares::dominant() const {
    return static_cast<std::size_t>(std::max_element(pixels.begin(), pixels.end()) - pixels.begin());
}

Rgb ColourShares::mean(std::size_t index) const {
    const std::uint32_t count = std::max<std::uint32_t>(pixels.at(index), 1);
    const auto channel = [&](std::size_t c) { return to_byte(static_cast<int>(sums[index][c] / count)); };
    return {channel(0), channel(1), channel(2)};
}

ColourShares count_colours(std::string_view rgb24) {
    ColourShares shares;
    // Every third pixel is plenty for a share.
    for (std::size_t i = 0; i + 2 < rgb24.size(); i += 9) {
        const Rgb colour{static_cast<std::uint8_t>(rgb24[i]), static_cast<std::uint8_t>(rgb24[i + 1]),
                         static_cast<std::uint8_t>(rgb24[i + 2])};
        const std::size_t index = nearest_colour(colour);
        ++shares.pixels[index];
        shares.sums[index][0] += colour.red;
        shares.sums[index][1] += colour.green;
        shares.sums[index][2] += colour.blue;
    }
    return shares;
}

Sketch make_sketch(double time, int width, int height, std::string_view rgb24) {
    const std::size_t count = static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
    CHECK(rgb24.size() == count * 3, "a frame of rgb24 holds three bytes a pixel");
    Sketch sketch{.time = time, .width = width, .height = height};
    sketch.luma.resize(count);
    sketch.blue.resize(count);
    sketch.red.resize(count);
    std::uint64_t sum = 0;
    const float share = count == 0 ? 0.0F : 1.0F / static_cast<float>(count);
    for (std::size_t i = 0; i < count; ++i) {
        const int r = static_cast<std::uint8_t>(rgb24[3 * i]);
        const int g = static_cast<std::uint8_t>(rgb24[3 * i + 1]);
        const int b = static_cast<std::uint8_t>(rgb24[3 * i + 2]);
        const std::uint8_t luma = to_byte((77 * r + 150 * g + 29 * b) >> 8);
        const std::uint8_t blue = to_byte(128 + ((-43 * r - 85 * g + 128 * b) >> 8));
        const std::uint8_t red = to_byte(128 + ((128 * r - 107 * g - 21 * b) >> 8));
        sketch.luma[i] = luma;
        sketch.blue[i] = blue;
        sketch.red[i] = red;
        sum += luma;
        // Shared between the two nearest bins of luma, so that a slight change of light moves little.
        const int position = std::clamp(int{luma} - 16, 0, 223);
        const auto lower = static_cast<std::size_t>(position / 32);
        const std::size_t upper = std::min<std::size_t>(lower + 1, 7);
        const float weight = static_cast<float>(position % 32) / 32.0F;
        const std::size_t chroma =
            std::size_t{4} * std::min<std::size_t>(blue / 64U, 3) + std::min<std::size_t>(red / 64U, 3);
        sketch.histogram[lower * 16 + chroma] += share * (1.0F - weight);
        sketch.histogram[upper * 16 + chroma] += share * weight;
    }
    if (count == 0) return sketch;
    sketch.mean = static_cast<float>(sum) / static_cast<float>(count);
    float deviation = 0;
    for (const std::uint8_t luma : sketch.luma) deviation += std::abs(static_cast<float>(luma) - sketch.mean);
    sketch.contrast = deviation / static_cast<float>(count);
    return sketch;
}

Difference compare(const Sketch& before, const Sketch& after) {
    Difference difference;
    if (before.width != after.width || before.height != after.height || after.luma.empty()) {
        return {.pixels = 255, .matched = 255, .unlike = 2, .histogram = 1};
    }
    difference.pixels = mean_difference(before.luma, after.luma);
    std::int64_t sum = 0;
    std::int64_t area = 0;
    for (int y = 0; y < after.height; y += kBlock) {
        for (int x = 0; x < after.width; x += kBlock) {
            const Block block{x, y, std::min(kBlock, after.width - x), std::min(kBlock, after.height - y)};
            sum += match_block(before, after, block);
            area += std::int64_t{block.width} * block.height;
        }
    }
    difference.matched = static_cast<float>(sum) / static_cast<float>(area);
    difference.unlike = difference.matched / ((before.contrast + after.contrast) / 2 + 6);
    // The same picture under another light: structure and colours stay, so it counts for less.
    const float alike = correlation(before, after);
    if (alike > 0.9F) {
        const float chroma =
            mean_difference(before.blue, after.blue) + mean_difference(before.red, after.red);
        if (chroma < 6) difference.unlike *= 1 - 6 * (alike - 0.9F);
    }
    for (std::size_t i = 0; i < before.histogram.size(); ++i) {
        difference.histogram += std::abs(before.histogram[i] - after.histogram[i]) / 2;
    }
    return difference;
}

Thumb make_thumb(const Sketch& sketch) {
    Thumb thumb{};
    if (sketch.luma.empty()) return thumb;
    for (int row = 0; row < 18; ++row) {
        const int top = row * sketch.height / 18;
        const int bottom = std::max(top + 1, (row + 1) * sketch.height / 18);
        for (int column = 0; column < 32; ++column) {
            const int left = column * sketch.width / 32;
            const int right = std::max(left + 1, (column + 1) * sketch.width / 32);
            int sum = 0;
            for (int y = top; y < bottom; ++y) {
                for (int x = left; x < right; ++x) sum += sketch.luma[at(sketch, x, y)];
            }
            thumb[static_cast<std::size_t>(row * 32 + column)] =
                to_byte(sum / ((bottom - top) * (right - left)));
        }
    }
    return thumb;
}

int largest_change(const Thumb& left, const Thumb& right) {
    int largest = 0;
    for (std::size_t i = 0; i < left.size(); ++i) {
        largest = std::max(largest, std::abs(int{left[i]} - int{right[i]}));
    }
    return largest;
}

}  // namespace sheaf::backend::scene

#include "backend/scene/text_lines.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <numeric>
#include <utility>

#include "base/check.h"

namespace sheaf::backend::scene {
namespace {

constexpr int kRadius = 14;        // of the neighbourhood a mark stands out from
constexpr int kContrastMin = 16;   // levels
constexpr int kMarkHeightMin = 7;  // pixels at one level of the pyramid
constexpr int kMarkHeightMax = 38;
constexpr int kLevels = 4;
constexpr std::size_t kMarksMax = 6000;
constexpr int kReadHeight = 32;
constexpr int kReadWidthMax = 2400;
constexpr int kMargin = 10;

std::size_t index(int width, int x, int y) {
    return static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x);
}

GrayPicture halve(GrayView picture) {
    GrayPicture half{picture.width / 2, picture.height / 2, {}};
    half.bytes.resize(index(half.width, 0, half.height));
    for (int y = 0; y < half.height; ++y) {
        for (int x = 0; x < half.width; ++x) {
            const int sum = picture.at(2 * x, 2 * y) + picture.at(2 * x + 1, 2 * y) +
                            picture.at(2 * x, 2 * y + 1) + picture.at(2 * x + 1, 2 * y + 1);
            half.bytes[index(half.width, x, y)] = static_cast<char>((sum + 2) / 4);
        }
    }
    return half;
}

// Calls `take(place, off)` with how far each pixel is above the mean of its neighbourhood.
template <class Take>
void for_each_offset(GrayView picture, int radius, const Take& take) {
    const int width = picture.width;
    const int height = picture.height;
    std::vector<std::uint32_t> sums(index(width + 1, 0, height + 1), 0);
    for (int y = 0; y < height; ++y) {
        std::uint32_t row = 0;
        for (int x = 0; x < width; ++x) {
            row += picture.at(x, y);
            sums[index(width + 1, x + 1, y + 1)] = sums[index(width + 1, x + 1, y)] + row;
        }
    }
    for (int y = 0; y < height; ++y) {
        const int top = std::max(0, y - radius);
        const int bottom = std::min(height, y + radius + 1);
        for (int x = 0; x < width; ++x) {
            const int left = std::max(0, x - radius);
            const int right = std::min(width, x + radius + 1);
            // Differences of sums wrap around together, so that 32 bits are enough.
            const std::uint32_t sum = sums[index(width + 1, right, bottom)] -
                                      sums[index(width + 1, left, bottom)] -
                                      sums[index(width + 1, right, top)] + sums[index(width + 1, left, top)];
            const int mean = static_cast<int>(sum) / ((bottom - top) * (right - left));
            take(index(width, x, y), picture.at(x, y) - mean);
        }
    }
}

// +1 where a pixel is lighter than its neighbourhood, -1 where it is darker.
std::vector<std::int8_t> stand_out(GrayView picture) {
    std::vector<std::int8_t> signs(index(picture.width, 0, picture.height));
    for_each_offset(picture, kRadius, [&](std::size_t place, int off) {
        signs[place] = static_cast<std::int8_t>(off > kContrastMin ? 1 : off < -kContrastMin ? -1 : 0);
    });
    return signs;
}

struct Run {
    int row = 0;
    int left = 0;
    int right = 0;
};

struct Mark {
    Box box;
    int area = 0;
};

std::uint32_t find_root(std::vector<std::uint32_t>& parents, std::uint32_t of) {
    while (parents[of] != of) {
        parents[of] = parents[parents[of]];
        of = parents[of];
    }
    return of;
}

// The connected marks of one sign that have the shape of a character or of a few that touch.
std::vector<Mark> find_marks(const std::vector<std::int8_t>& signs, int width, int height, std::int8_t sign) {
    std::vector<Run> runs;
    std::vector<std::uint32_t> parents;
    std::size_t above_begin = 0;
    std::size_t above_end = 0;
    for (int y = 0; y < height; ++y) {
        const std::size_t begin = runs.size();
        std::size_t above = above_begin;
        for (int x = 0; x < width;) {
            if (signs[index(width, x, y)] != sign) {
                ++x;
                continue;
            }
            const int left = x;
            while (x < width && signs[index(width, x, y)] == sign) ++x;
            const auto self = static_cast<std::uint32_t>(runs.size());
            runs.push_back({y, left, x});
            parents.push_back(self);
            while (above < above_end && runs[above].right < left) ++above;
            for (std::size_t touching = above; touching < above_end && runs[touching].left <= x; ++touching) {
                const std::uint32_t root = find_root(parents, static_cast<std::uint32_t>(touching));
                parents[root] = find_root(parents, self);
            }
        }
        above_begin = begin;
        above_end = runs.size();
    }
    std::vector<Mark> all(runs.size(), Mark{{width, height, 0, 0}, 0});
    for (std::size_t i = 0; i < runs.size(); ++i) {
        Mark& mark = all[find_root(parents, static_cast<std::uint32_t>(i))];
        const Run& run = runs[i];
        mark.box.left = std::min(mark.box.left, run.left);
        mark.box.right = std::max(mark.box.right, run.right);
        mark.box.top = std::min(mark.box.top, run.row);
        mark.box.bottom = std::max(mark.box.bottom, run.row + 1);
        mark.area += run.right - run.left;
    }
    std::vector<Mark> marks;
    for (const Mark& mark : all) {
        const int h = mark.box.height();
        const int w = mark.box.width();
        if (h < kMarkHeightMin || h > kMarkHeightMax || w > 6 * h || h > 14 * w) continue;
        if (mark.area * 9 < w * h) continue;
        marks.push_back(mark);
        if (marks.size() == kMarksMax) break;
    }
    return marks;
}

struct Line {
    std::vector<Mark> marks;
    Box box;
    int height = 0;  // of its marks, about
};

int shared_height(const Box& left, const Box& right) {
    return std::min(left.bottom, right.bottom) - std::max(left.top, right.top);
}

std::vector<Line> join_marks(std::vector<Mark> marks) {
    std::sort(marks.begin(), marks.end(),
              [](const Mark& l, const Mark& r) { return l.box.left < r.box.left; });
    std::vector<Line> lines;
    std::size_t first_open = 0;
    for (const Mark& mark : marks) {
        Line* nearest = nullptr;
        int least = 1 << 30;
        while (first_open < lines.size() && lines[first_open].box.right + 2 * kMarkHeightMax < mark.box.left)
            ++first_open;
        for (std::size_t i = first_open; i < lines.size(); ++i) {
            Line& line = lines[i];
            const Box& last = line.marks.back().box;
            const int gap = mark.box.left - line.box.right;
            const int h = mark.box.height();
            if (gap > line.height * 3 / 2 + 2 || h * 5 > line.height * 11 || line.height * 5 > h * 12)
                continue;
            const int shared = std::max(shared_height(last, mark.box), shared_height(line.box, mark.box));
            if (2 * shared < std::min(h, line.height)) continue;
            const int distance = std::max(gap, 0) + std::abs(last.bottom - mark.box.bottom);
            if (distance < least) {
                least = distance;
                nearest = &line;
            }
        }
        if (nearest == nullptr) {
            lines.push_back({{mark}, mark.box, mark.box.height()});
            continue;
        }
        nearest->marks.push_back(mark);
        nearest->box = {std::min(nearest->box.left, mark.box.left), std::min(nearest->box.top, mark.box.top),
                        std::max(nearest->box.right, mark.box.right),
                        std::max(nearest->box.bottom, mark.box.bottom)};
        nearest->height = std::max(nearest->height, mark.box.height());
    }
    return lines;
}

// How much a line looks like text: many marks that stand on one base line. 0: not at all.
float line_score(const Line& line) {
    const std::size_t count = line.marks.size();
    const bool is_one_word = count == 1 && line.box.width() >= 2 * line.box.height();
    if (count < 2 && !is_one_word) return 0;
    if (line.box.width() < line.box.height() || line.box.height() > 2 * line.height) return 0;
    std::vector<int> bottoms;
    for (const Mark& mark : line.marks) bottoms.push_back(mark.box.bottom);
    std::nth_element(bottoms.begin(), bottoms.begin() + static_cast<std::ptrdiff_t>(count / 2),
                     bottoms.end());
    const int base = bottoms[count / 2];
    const int slack = std::max(1, line.height / 6);
    int on_base = 0;
    for (const Mark& mark : line.marks) on_base += std::abs(mark.box.bottom - base) <= slack ? 1 : 0;
    const float share = static_cast<float>(on_base) / static_cast<float>(count);
    if (share < 0.55F) return 0;
    return share * share * std::sqrt(static_cast<float>(std::min<std::size_t>(count, 30)));
}

Box grown(const Box& box, int by, int width, int height) {
    return {std::max(0, box.left - by), std::max(0, box.top - by), std::min(width, box.right + by),
            std::min(height, box.bottom + by)};
}

// Bilinear where it grows, the mean of what a pixel covers where it shrinks.
GrayPicture resample(GrayView picture, const Box& box, int width, int height) {
    GrayPicture scaled{width, height, std::string(index(width, 0, height), '\0')};
    const double step_x = static_cast<double>(box.width()) / width;
    const double step_y = static_cast<double>(box.height()) / height;
    const bool shrinks = step_x > 1.0;
    for (int y = 0; y < height; ++y) {
        for (int x = 0; x < width; ++x) {
            double value = 0;
            if (shrinks) {
                const int left = box.left + static_cast<int>(x * step_x);
                const int right =
                    std::min(box.right, std::max(left + 1, box.left + static_cast<int>((x + 1) * step_x)));
                const int top = box.top + static_cast<int>(y * step_y);
                const int bottom =
                    std::min(box.bottom, std::max(top + 1, box.top + static_cast<int>((y + 1) * step_y)));
                int sum = 0;
                for (int v = top; v < bottom; ++v) {
                    for (int u = left; u < right; ++u) sum += picture.at(u, v);
                }
                value = static_cast<double>(sum) / ((right - left) * (bottom - top));
            } else {
                const double u = std::clamp((x + 0.5) * step_x - 0.5, 0.0, box.width() - 1.0);
                const double v = std::clamp((y + 0.5) * step_y - 0.5, 0.0, box.height() - 1.0);
                const int left = static_cast<int>(u);
                const int top = static_cast<int>(v);
                const int right = std::min(left + 1, box.width() - 1);
                const int bottom = std::min(top + 1, box.height() - 1);
                const double fx = u - left;
                const double fy = v - top;
                const auto pixel = [&](int px, int py) {
                    return static_cast<double>(picture.at(box.left + px, box.top + py));
                };
                value = (pixel(left, top) * (1 - fx) + pixel(right, top) * fx) * (1 - fy) +
                        (pixel(left, bottom) * (1 - fx) + pixel(right, bottom) * fx) * fy;
            }
            scaled.bytes[index(width, x, y)] = static_cast<char>(std::lround(value));
        }
    }
    return scaled;
}

void stretch(GrayPicture& picture, bool invert) {
    std::array<std::size_t, 256> counts{};
    for (const char pixel : picture.bytes) ++counts[static_cast<std::uint8_t>(pixel)];
    const std::size_t few = picture.bytes.size() / 100;
    const auto level = [&](bool from_top) {
        std::size_t seen = 0;
        for (int i = 0; i < 256; ++i) {
            const int value = from_top ? 255 - i : i;
            seen += counts[static_cast<std::size_t>(value)];
            if (seen > few) return value;
        }
        return from_top ? 255 : 0;
    };
    const int low = level(false);
    const int high = std::max(level(true), low + 1);
    for (char& pixel : picture.bytes) {
        const int value = std::clamp((static_cast<std::uint8_t>(pixel) - low) * 255 / (high - low), 0, 255);
        pixel = static_cast<char>(invert ? 255 - value : value);
    }
}

// Surrounded by the level that its edge mostly has.
GrayPicture with_margin(const GrayPicture& cut) {
    std::vector<std::uint8_t> edge;
    for (int x = 0; x < cut.width; ++x) {
        edge.push_back(cut.view().at(x, 0));
        edge.push_back(cut.view().at(x, cut.height - 1));
    }
    const auto middle = edge.begin() + static_cast<std::ptrdiff_t>(edge.size() / 2);
    std::nth_element(edge.begin(), middle, edge.end());
    GrayPicture framed{cut.width + 2 * kMargin, cut.height + 2 * kMargin, {}};
    framed.bytes.assign(index(framed.width, 0, framed.height), static_cast<char>(*middle));
    for (int y = 0; y < cut.height; ++y) {
        std::copy_n(
            cut.bytes.begin() + static_cast<std::ptrdiff_t>(index(cut.width, 0, y)), cut.width,
            framed.bytes.begin() + static_cast<std::ptrdiff_t>(index(framed.width, kMargin, y + kMargin)));
    }
    return framed;
}

}  // namespace

double overlap(const Box& left, const Box& right) {
    const int width = std::min(left.right, right.right) - std::max(left.left, right.left);
    const int height = std::min(left.bottom, right.bottom) - std::max(left.top, right.top);
    if (width <= 0 || height <= 0) return 0;
    const std::int64_t smaller =
        std::min(std::int64_t{left.width()} * left.height(), std::int64_t{right.width()} * right.height());
    return static_cast<double>(std::int64_t{width} * height) /
           static_cast<double>(std::max<std::int64_t>(smaller, 1));
}

std::vector<LineCandidate> find_lines(GrayView picture) {
    CHECK(picture.bytes.size() == index(picture.width, 0, picture.height), "one byte a pixel");
    std::vector<LineCandidate> found;
    GrayPicture reduced;
    GrayView level = picture;
    for (int step = 0; step < kLevels && level.width >= 48 && level.height >= 24; ++step) {
        const std::vector<std::int8_t> signs = stand_out(level);
        for (const bool is_light : {false, true}) {
            const std::int8_t sign = is_light ? std::int8_t{1} : std::int8_t{-1};
            for (const Line& line : join_marks(find_marks(signs, level.width, level.height, sign))) {
                // Small marks were seen better one level up.
                if (step > 0 && line.height < kMarkHeightMax / 2 - 3) continue;
                const float score = line_score(line);
                if (score <= 0) continue;
                const int factor = 1 << step;
                const Box& box = line.box;
                found.push_back(
                    {{box.left * factor, box.top * factor, box.right * factor, box.bottom * factor},
                     is_light,
                     score});
            }
        }
        reduced = halve(level);
        level = reduced.view();
    }
    std::sort(found.begin(), found.end(),
              [](const LineCandidate& l, const LineCandidate& r) { return l.score > r.score; });
    std::vector<LineCandidate> kept;
    for (const LineCandidate& candidate : found) {
        const bool is_covered = std::any_of(kept.begin(), kept.end(), [&](const LineCandidate& other) {
            return overlap(other.box, candidate.box) > 0.5;
        });
        if (!is_covered) kept.push_back(candidate);
        if (kept.size() == kLinesMax) break;
    }
    return kept;
}

GrayPicture cut_line(GrayView picture, const LineCandidate& line, CutStyle style) {
    const Box box = grown(line.box, std::max(1, line.box.height() / 12), picture.width, picture.height);
    const double scale = std::min(static_cast<double>(kReadHeight) / line.box.height(),
                                  static_cast<double>(kReadWidthMax) / box.width());
    const int width = std::max(8, static_cast<int>(std::lround(box.width() * scale)));
    const int height = std::max(8, static_cast<int>(std::lround(box.height() * scale)));
    GrayPicture cut = resample(picture, box, width, height);
    if (style == CutStyle::levelled) {
        std::string levelled(cut.bytes.size(), '\0');
        for_each_offset(cut.view(), kReadHeight / 2, [&](std::size_t place, int off) {
            // Only what stands out as the marks do: the other side is ground.
            const int mark = std::max(0, line.is_light ? off : -off);
            levelled[place] = static_cast<char>(255 - std::min(255, mark * 5));
        });
        cut.bytes = std::move(levelled);
    } else {
        stretch(cut, line.is_light);
    }
    return with_margin(cut);
}

}  // namespace sheaf::backend::scene

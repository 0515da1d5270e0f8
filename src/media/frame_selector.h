#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>

#include "media/video.h"

namespace sheaf::media {

// The largest time that means anything, in seconds.
inline constexpr double kSecondsMax = 1e12;

// Whether the numbers of a request make sense; invalid names the field that does not.
Result<> check(const FrameRequest& request);

struct PictureSize {
    int width = 0;
    int height = 0;
    bool operator==(const PictureSize&) const = default;
};

// `size` made to fit `long_edge_max`, never enlarged, its ratio kept, edges even.
PictureSize fit(PictureSize size, int long_edge_max);

// Where the frames of a sampling are wanted: moments `step` apart from `origin` on, `count_max` at most.
struct Sampling {
    double origin = 0;
    double step = 0;  // 0: every frame
    std::uint64_t count_max = std::numeric_limits<std::uint64_t>::max();
    // What lies outside of the half-open window is never taken.
    double from = -std::numeric_limits<double>::infinity();
    double until = std::numeric_limits<double>::infinity();
    // A frame that comes this long before a wanted moment stands for it.
    double early = 0;
};

struct VideoSpan {
    double start = 0;
    std::optional<double> end;
    double fps = 0;  // 0: unknown
};

// How `request` samples a video that is known to last for `span`.
Sampling plan_sampling(const FrameRequest& request, const VideoSpan& span);

// Whether key frames alone give `sampling` what it wants: no gap between them, or to the ends of the window,
// is wider than its step and a quarter. `keys` are their times, rising, from the last one before the window
// to the first one behind it.
bool key_frames_are_enough(const Sampling& sampling, std::span<const double> keys,
                           std::optional<double> video_end);

// The usual distance between key frames: the median; 0 when there are fewer than two.
double usual_gap(std::span<const double> keys);

// Picks frames as they come by in order of time: of all that stand for one wanted moment, the first.
class FrameSelector {
public:
    explicit FrameSelector(const Sampling& sampling) : sampling_(sampling) {}
    bool take(double time);
    // No later frame can be taken.
    bool done(double time) const;

private:
    Sampling sampling_;
    std::uint64_t next_ = 0;
    std::uint64_t taken_ = 0;
};

}  // namespace sheaf::media

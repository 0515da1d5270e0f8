#include "scheduler/video_rules.h"

#include <algorithm>

#include <fmt/format.h>

namespace sheaf::scheduler {
namespace {

using core::Failure;

// Containers round; a window that ends this much after the last frame still means "to the end".
constexpr double kSlackSeconds = 1.0;

std::optional<Failure> find_shape_fault(int width, int height, const service::Limits& limits) {
    const int longer = std::max(width, height);
    const int shorter = std::min(width, height);
    if (shorter < limits.video_edge_min) {
        return Failure{"video_resolution_too_low",
                       fmt::format("The video is {}x{}; each side must have at least {} pixels.", width,
                                   height, limits.video_edge_min)};
    }
    if (longer > limits.video_long_edge_max || shorter > limits.video_short_edge_max) {
        return Failure{"video_resolution_too_high",
                       fmt::format("The video is {}x{}; at most {}x{} is analysed.", width, height,
                                   limits.video_long_edge_max, limits.video_short_edge_max)};
    }
    if (static_cast<double>(longer) > static_cast<double>(shorter) * limits.video_aspect_max) {
        return Failure{"video_resolution_invalid_aspect_ratio",
                       fmt::format("The video is {}x{}; the longer side may be at most {} times the shorter.",
                                   width, height, limits.video_aspect_max)};
    }
    return std::nullopt;
}

std::optional<Failure> find_length_fault(double seconds, const service::Limits& limits) {
    if (seconds < limits.video_seconds_min) {
        return Failure{"video_duration_too_short",
                       fmt::format("The video lasts {:.3f} s; at least {} s is needed.", seconds,
                                   limits.video_seconds_min)};
    }
    if (seconds > limits.video_seconds_max) {
        return Failure{"video_duration_too_long",
                       fmt::format("The video lasts {:.0f} s; at most {} s is analysed.", seconds,
                                   limits.video_seconds_max)};
    }
    return std::nullopt;
}

std::optional<Failure> find_window_fault(double first, double last, const core::VideoAnalysis& analysis) {
    const auto outside = [&](double start, double end) {
        return Failure{"analysis_failed",
                       fmt::format("The window from {} s to {} s lies outside the video, which runs "
                                   "from {:.3f} s to {:.3f} s.",
                                   start, end, first, last)};
    };
    const double start = analysis.start_time.value_or(first);
    const double end = analysis.end_time.value_or(last);
    if (start >= last || end > last + kSlackSeconds || end <= first) return outside(start, end);
    if (const auto* segments = std::get_if<core::SegmentsOutput>(&analysis.output)) {
        for (const core::SegmentDefinition& definition : segments->definitions) {
            for (const core::TimeRange& range : definition.ranges) {
                if (range.start >= last || range.end > last + kSlackSeconds)
                    return outside(range.start, range.end);
            }
        }
    }
    return std::nullopt;
}

}  // namespace

std::optional<core::Failure> find_video_fault(const media::MediaInfo& info,
                                              const core::VideoAnalysis& analysis,
                                              const service::Limits& limits) {
    if (info.type != core::MediaType::video || info.video.empty()) {
        return Failure{"video_file_broken", "The file has no video stream."};
    }
    if (!info.duration_s)
        return Failure{"video_file_broken", "The length of the video cannot be determined."};
    if (auto fault = find_length_fault(*info.duration_s, limits)) return fault;
    if (auto fault = find_shape_fault(info.video.front().width, info.video.front().height, limits))
        return fault;
    return find_window_fault(info.start_s, info.start_s + *info.duration_s, analysis);
}

}  // namespace sheaf::scheduler

#include "media/frame_selector.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace sheaf::media {
namespace {

// Times come from rational time stamps by way of doubles.
constexpr double kRounding = 1e-6;
constexpr double kGapTolerance = 1.25;

}  // namespace

Result<> check(const FrameRequest& request) {
    const auto sane = [](const std::optional<double>& time) {
        return !time || (std::isfinite(*time) && std::abs(*time) <= kSecondsMax);
    };
    if (!sane(request.start)) return fail(ErrorCode::invalid, "The start of the window is no time.", "start");
    if (!sane(request.end)) return fail(ErrorCode::invalid, "The end of the window is no time.", "end");
    if (request.start && request.end && *request.end <= *request.start) {
        return fail(ErrorCode::invalid, "The window ends before it starts.", "end");
    }
    if (!(request.frames_per_second >= 0 && request.frames_per_second <= 1000)) {
        return fail(ErrorCode::invalid, "Frames per second must be from 0 to 1000.", "frames_per_second");
    }
    if (request.frames_per_second > 0 && request.frames_per_second < 1e-6) {
        return fail(ErrorCode::invalid, "Frames per second must be 0 or at least 0.000001.",
                    "frames_per_second");
    }
    if (request.long_edge_max < 16 || request.long_edge_max > 16384) {
        return fail(ErrorCode::invalid, "The long edge must be from 16 to 16384 pixels.", "long_edge_max");
    }
    if (request.jpeg_quality < 1 || request.jpeg_quality > 100) {
        return fail(ErrorCode::invalid, "The JPEG quality must be from 1 to 100.", "jpeg_quality");
    }
    return {};
}

PictureSize fit(PictureSize size, int long_edge_max) {
    const int longest = std::max(size.width, size.height);
    const double factor = longest > long_edge_max ? static_cast<double>(long_edge_max) / longest : 1.0;
    const auto even = [factor, long_edge_max](int edge) {
        const int scaled = factor < 1 ? static_cast<int>(std::lround(edge * factor / 2)) * 2 : edge & ~1;
        return std::clamp(scaled, 2, std::max(long_edge_max & ~1, 2));
    };
    return {even(size.width), even(size.height)};
}

Sampling plan_sampling(const FrameRequest& request, const VideoSpan& span) {
    Sampling plan;
    plan.origin = request.start.value_or(span.start);
    if (request.start) plan.from = *request.start;
    if (request.end) plan.until = *request.end;
    plan.step = request.frames_per_second > 0 ? 1 / request.frames_per_second : 0;
    std::optional<double> end = request.end;
    // A window that reaches past the end of the video has nothing there to cover.
    if (span.end && (!end || *end > *span.end)) end = span.end;
    if (request.count_max > 0) {
        plan.count_max = request.count_max;
        if (end && *end > plan.origin) {
            const double length = *end - plan.origin;
            const double rate = plan.step > 0 ? 1 / plan.step : span.fps;
            const double wanted = rate > 0 ? std::ceil(length * rate - kRounding) : 0;
            if (rate <= 0 || wanted > request.count_max) plan.step = length / request.count_max;
        }
    }
    if (plan.step > 0 && request.end && *request.end > plan.origin) {
        const double moments = std::ceil((*request.end - plan.origin) / plan.step - kRounding);
        plan.count_max = std::min(plan.count_max, static_cast<std::uint64_t>(std::clamp(moments, 1.0, 1e15)));
    }
    if (plan.step > 0 && span.fps > 0) plan.early = std::min(0.5 / span.fps, plan.step / 2);
    return plan;
}

bool key_frames_are_enough(const Sampling& sampling, std::span<const double> keys,
                           std::optional<double> video_end) {
    if (sampling.step <= 0) return false;
    const double widest = sampling.step * kGapTolerance;
    double last = sampling.origin;
    bool any = false;
    for (std::size_t n = 0; n < keys.size(); ++n) {
        const bool inside = keys[n] >= sampling.from - kRounding && keys[n] < sampling.until - kRounding;
        const bool reaches_in = keys[n] > sampling.from && n > 0 && keys[n - 1] < sampling.until;
        // Also of a gap that only begins or ends in the window: a short window would hide how wide it is.
        if (reaches_in && keys[n] - keys[n - 1] > widest) return false;
        if (!inside) continue;
        if (keys[n] - last > widest) return false;
        last = std::max(last, keys[n]);
        any = true;
    }
    if (!any) return false;
    double end = sampling.until;
    if (video_end) end = std::min(end, *video_end);
    return !std::isfinite(end) || end - last <= widest;
}

double usual_gap(std::span<const double> keys) {
    if (keys.size() < 2) return 0;
    std::vector<double> gaps;
    gaps.reserve(keys.size() - 1);
    for (std::size_t n = 1; n < keys.size(); ++n) gaps.push_back(keys[n] - keys[n - 1]);
    const auto middle = gaps.begin() + static_cast<std::ptrdiff_t>(gaps.size() / 2);
    std::ranges::nth_element(gaps, middle);
    return std::max(*middle, 0.0);
}

bool FrameSelector::take(double time) {
    if (taken_ >= sampling_.count_max) return false;
    if (time < sampling_.from - kRounding || time >= sampling_.until - kRounding) return false;
    if (sampling_.step > 0) {
        const double place =
            std::floor((time + sampling_.early - sampling_.origin + kRounding) / sampling_.step);
        // What comes before the first moment stands for it.
        const auto moment = place < 0 ? 0 : static_cast<std::uint64_t>(std::min(place, 1e18));
        if (moment < next_ || moment >= sampling_.count_max) return false;
        next_ = moment + 1;
    }
    ++taken_;
    return true;
}

bool FrameSelector::done(double time) const {
    return taken_ >= sampling_.count_max || time >= sampling_.until - kRounding ||
           (sampling_.step > 0 && next_ >= sampling_.count_max);
}

}  // namespace sheaf::media

#include "backend/scene/boundaries.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <utility>

namespace sheaf::backend::scene {
namespace {

constexpr double kFlashMax = 0.2;  // seconds a flash may last
constexpr std::size_t kFlashFrames = 6;
constexpr std::size_t kNeighbours = 12;  // frames to either side that tell how much the picture moves anyway
constexpr double kBlendMax = kBlendLengths.back();
constexpr std::size_t kRecentMax = 512;  // frames held, whatever the frame rate

bool is_black(const Sketch& sketch) {
    return sketch.mean < 12 && sketch.contrast < 4;
}

// `inner` are the frames a quarter, half and three quarters of the way. The mean of luma is left out, since a
// change of exposure blends just as well; but in a fade from or to black it is what changes.
Blend blend(const Sketch& first, const std::array<const Sketch*, 3>& inner, const Sketch& last) {
    std::int64_t apart = 0;
    std::array<std::int64_t, 3> off{};
    const bool is_fade = is_black(first) || is_black(last);
    const auto add = [&](std::vector<std::uint8_t> Sketch::* plane, bool without_mean) {
        const auto mean = [&](const Sketch& sketch) {
            return without_mean ? static_cast<int>(sketch.mean) : 0;
        };
        const std::vector<std::uint8_t>& from = first.*plane;
        const std::vector<std::uint8_t>& to = last.*plane;
        const int from_mean = mean(first);
        const int to_mean = mean(last);
        for (std::size_t i = 0; i < from.size(); ++i) {
            apart += std::abs(int{from[i]} - from_mean - (int{to[i]} - to_mean));
        }
        for (std::size_t k = 0; k < inner.size(); ++k) {
            const std::vector<std::uint8_t>& middle = inner[k]->*plane;
            const int weight = static_cast<int>(k) + 1;
            const int mix_mean = 4 * mean(*inner[k]) - (4 - weight) * from_mean - weight * to_mean;
            for (std::size_t i = 0; i < from.size(); ++i) {
                off[k] += std::abs(4 * int{middle[i]} - (4 - weight) * int{from[i]} - weight * int{to[i]} -
                                   mix_mean);
            }
        }
    };
    const auto fits = [&](const Sketch* sketch) { return sketch->luma.size() == last.luma.size(); };
    if (!fits(&first) || !std::all_of(inner.begin(), inner.end(), fits)) return {};
    add(&Sketch::luma, !is_fade);
    add(&Sketch::blue, false);
    add(&Sketch::red, false);
    if (apart == 0) return {};
    const float mean = static_cast<float>(apart) / static_cast<float>(first.luma.size());
    const std::int64_t worst = *std::max_element(off.begin(), off.end());
    return {.strength = mean / (std::max(first.contrast, last.contrast) + 6),
            .residue = static_cast<float>(worst) / static_cast<float>(4 * apart)};
}

// How much the steps around `i` differ anyway: the fourth highest of them, since a few may be cuts
// themselves.
float usual(std::span<const Step> steps, std::size_t i, float Step::* what) {
    std::array<float, 2 * kNeighbours> around{};
    std::size_t count = 0;
    const std::size_t from = i > kNeighbours ? i - kNeighbours : 1;
    const std::size_t to = std::min(steps.size(), i + kNeighbours + 1);
    for (std::size_t j = from; j < to; ++j) {
        if (j != i) around[count++] = steps[j].*what;
    }
    if (count == 0) return 0;
    const std::size_t rank = count >= 16 ? 3 : count >= 8 ? 2 : count >= 4 ? 1 : 0;
    const auto end = around.begin() + static_cast<std::ptrdiff_t>(count);
    std::nth_element(around.begin(), around.begin() + static_cast<std::ptrdiff_t>(rank), end,
                     std::greater<>());
    return around[rank];
}

struct Candidate {
    Boundary boundary;
    float score = 0;
};

bool is_flash(const Step& step) {
    return std::min(step.unlike_later, step.unlike_earlier) < 0.5F * step.unlike;
}

// Above 1 for a cut.
float cut_score(std::span<const Step> steps, std::size_t i) {
    const Step& step = steps[i];
    const float unlike = step.unlike / (0.22F + 1.6F * usual(steps, i, &Step::unlike));
    const float histogram = step.histogram / (0.25F + 2.5F * usual(steps, i, &Step::histogram));
    // Either measure may carry a cut, if the other does not speak against it.
    const float either = std::max(std::min(unlike, 0.55F + histogram), std::min(histogram, 0.4F + unlike));
    // A jump far beyond what is usual needs no second witness: the colours of two pictures may well agree.
    const float alone = step.unlike / (0.27F + 3.0F * usual(steps, i, &Step::unlike));
    return std::max(either, alone);
}

void find_cuts(std::span<const Step> steps, std::vector<Candidate>& found) {
    for (std::size_t i = 1; i < steps.size(); ++i) {
        const Step& step = steps[i];
        if (step.unlike < 0.08F && step.histogram < 0.2F) continue;
        const float score = cut_score(steps, i);
        if (score < 1 || is_flash(step)) continue;
        found.push_back({{step.time, step.time, step.time, BoundaryKind::cut}, score});
    }
}

float blend_score(const Step& step, std::size_t length) {
    const Blend& blend = step.blends[length];
    return blend.residue < 0.22F ? blend.strength * (1 - 2 * blend.residue) : 0;
}

bool has_cut(const std::vector<Candidate>& found, double from, double to) {
    return std::any_of(found.begin(), found.end(), [&](const Candidate& candidate) {
        return candidate.boundary.end >= from && candidate.boundary.start <= to;
    });
}

// Whether the picture stands still enough before and after the stretch for the change to be an event: a
// camera or a pattern that moves on and on blends all the time.
bool stands_out(std::span<const Step> steps, std::size_t i, std::size_t length, double span) {
    const double begin = steps[i].time - span;
    float sum = 0;
    int count = 0;
    const auto add = [&](std::size_t j) {
        sum += steps[j].blends[length].strength;
        ++count;
    };
    // A stretch that ends at j lies before `begin` or starts after `i`.
    for (std::size_t j = i; j-- > 0 && steps[j].time > begin - 1.5 * span;) {
        if (steps[j].time <= begin + 0.05 * span) add(j);
    }
    for (std::size_t j = i + 1; j < steps.size() && steps[j].time < steps[i].time + 2.5 * span; ++j) {
        if (steps[j].time >= steps[i].time + 0.95 * span) add(j);
    }
    return count == 0 || sum / static_cast<float>(count) < 0.45F * steps[i].blends[length].strength;
}

void find_blends(std::span<const Step> steps, std::size_t length, std::vector<Candidate>& found) {
    const double span = kBlendLengths[length];
    const std::vector<Candidate> cuts = found;
    std::vector<Candidate> blends;
    for (std::size_t i = 1; i < steps.size(); ++i) {
        const float score = blend_score(steps[i], length);
        if (score < 0.55F) continue;
        const double begin = steps[i].time - span;
        // The best of its neighbourhood speaks for the change.
        bool best = true;
        for (std::size_t j = i; j-- > 0 && steps[j].time > begin;)
            best = best && blend_score(steps[j], length) <= score;
        for (std::size_t j = i + 1; j < steps.size() && steps[j].time < steps[i].time + span; ++j) {
            best = best && blend_score(steps[j], length) < score;
        }
        if (!best || has_cut(cuts, begin - 0.1, steps[i].time + 0.1)) continue;
        if (!stands_out(steps, i, length, span)) continue;
        blends.push_back({{begin + span / 2, begin, steps[i].time, BoundaryKind::gradual}, score});
    }
    found.insert(found.end(), blends.begin(), blends.end());
}

// Two gradual changes around a short flat stretch are one: out to black and in again.
void join_fades(std::span<const Step> steps, std::vector<Candidate>& found) {
    const auto is_flat = [&](double from, double to) {
        const auto begin = std::lower_bound(steps.begin(), steps.end(), from,
                                            [](const Step& step, double time) { return step.time < time; });
        return std::any_of(begin, steps.end(),
                           [&](const Step& step) { return step.time <= to && step.contrast < 4; });
    };
    for (std::size_t i = 1; i < found.size();) {
        Boundary& before = found[i - 1].boundary;
        const Boundary& after = found[i].boundary;
        if (before.kind == BoundaryKind::gradual && after.kind == BoundaryKind::gradual &&
            after.start - before.end < 1.0 && is_flat(before.time, after.time)) {
            before.end = after.end;
            before.time = (before.start + before.end) / 2;
            found.erase(found.begin() + static_cast<std::ptrdiff_t>(i));
        } else {
            ++i;
        }
    }
}

}  // namespace

void StepMaker::push(Sketch sketch) {
    Step step{.time = sketch.time, .luma = sketch.mean, .contrast = sketch.contrast};
    if (!recent_.empty()) {
        const Difference difference = compare(recent_.back(), sketch);
        step.unlike = difference.unlike;
        step.histogram = difference.histogram;
        step.unlike_later = difference.unlike;
        step.unlike_earlier = difference.unlike;
        // Only a step that may be a cut is worth asking whether it belongs to a flash.
        const std::size_t held = recent_.size();
        for (std::size_t back = 1; back <= kFlashFrames && back < held; ++back) {
            const Sketch& earlier = recent_[held - 1 - back];
            if (sketch.time - earlier.time > kFlashMax + (sketch.time - recent_.back().time) + 1e-6) break;
            // The frame after `earlier` began something; this frame may be its end.
            Step& started = steps_[steps_.size() - back];
            if (step.unlike < 0.15F && started.unlike < 0.15F) continue;
            const float unlike = compare(earlier, sketch).unlike;
            step.unlike_earlier = std::min(step.unlike_earlier, unlike);
            started.unlike_later = std::min(started.unlike_later, unlike);
        }
        const auto at_or_after = [&](double time) -> const Sketch& {
            const auto found = std::lower_bound(recent_.begin(), recent_.end(), time - 1e-6,
                                                [](const Sketch& s, double t) { return s.time < t; });
            return found == recent_.end() ? recent_.back() : *found;
        };
        const Sketch& gap = at_or_after(sketch.time - kMotionGap);
        if (gap.luma.size() == sketch.luma.size() && !gap.luma.empty()) {
            std::int64_t sum = 0;
            for (std::size_t i = 0; i < gap.luma.size(); ++i)
                sum += std::abs(int{gap.luma[i]} - int{sketch.luma[i]});
            step.moved = static_cast<float>(sum) / static_cast<float>(gap.luma.size());
        }
        for (std::size_t i = 0; i < kBlendLengths.size(); ++i) {
            if (sketch.time - recent_.front().time < kBlendLengths[i] - 1e-6) continue;
            const auto earlier = [&](double share) {
                return &at_or_after(sketch.time - kBlendLengths[i] * share);
            };
            step.blends[i] = blend(*earlier(1), {earlier(0.75), earlier(0.5), earlier(0.25)}, sketch);
        }
    }
    const double keep_from = sketch.time - kBlendMax - 0.5;
    recent_.push_back(std::move(sketch));
    while (recent_.size() > kFlashFrames + 2 &&
           (recent_.front().time < keep_from || recent_.size() > kRecentMax)) {
        recent_.pop_front();
    }
    steps_.push_back(step);
}

std::vector<Boundary> find_boundaries(std::span<const Step> steps) {
    std::vector<Candidate> found;
    find_cuts(steps, found);
    // The shortest change first: a longer stretch that holds it would only blur where it is.
    for (std::size_t length = 0; length < kBlendLengths.size(); ++length) find_blends(steps, length, found);
    std::sort(found.begin(), found.end(),
              [](const Candidate& l, const Candidate& r) { return l.boundary.time < r.boundary.time; });
    join_fades(steps, found);
    std::vector<Candidate> kept;
    for (const Candidate& candidate : found) {
        if (!kept.empty() && candidate.boundary.time - kept.back().boundary.time < kShotMin - 1e-6) {
            if (candidate.score > kept.back().score) kept.back() = candidate;
        } else if (!steps.empty() && candidate.boundary.time - steps.front().time < kShotMin - 1e-6) {
            continue;
        } else {
            kept.push_back(candidate);
        }
    }
    std::vector<Boundary> boundaries;
    boundaries.reserve(kept.size());
    for (const Candidate& candidate : kept) boundaries.push_back(candidate.boundary);
    return boundaries;
}

}  // namespace sheaf::backend::scene

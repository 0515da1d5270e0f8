#include "backend/scene/findings.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace sheaf::backend::scene {
namespace {

constexpr float kSilenceDbfs = -50;
constexpr double kSilenceMin = 0.5;

Level motion_level(float moved) {
    if (moved < 0.8F) return Level::none;
    if (moved < 4) return Level::low;
    return moved < 11 ? Level::medium : Level::high;
}

Level brightness_level(float luma) {
    if (luma < 70) return Level::low;
    return luma < 165 ? Level::medium : Level::high;
}

template <class Timed>
auto first_from(const std::vector<Timed>& all, double time) {
    return std::lower_bound(all.begin(), all.end(), time - 1e-6,
                            [](const Timed& one, double t) { return one.time < t; });
}

// Of the steps that look back no further than the span's start, lest a cut count as motion.
float mean_motion(const Findings& findings, Span span) {
    double sum = 0;
    int count = 0;
    // A cut inside the span is no motion either.
    auto shot = findings.shots.begin();
    for (auto step = first_from(findings.steps, span.start);
         step != findings.steps.end() && step->time < span.end; ++step) {
        while (shot != findings.shots.end() && shot->end <= step->time + 1e-6) ++shot;
        const double since =
            shot == findings.shots.end() ? span.start : std::max(shot->start, findings.window.start);
        if (step->time - since < kMotionGap - 1e-3) continue;
        sum += static_cast<double>(step->moved);
        ++count;
    }
    return count == 0 ? 0.0F : static_cast<float>(sum / count);
}

std::optional<float> mean_loudness(const media::Loudness& loudness, Span span) {
    double power = 0;
    int count = 0;
    for (std::size_t i = 0; i < loudness.dbfs.size(); ++i) {
        const double middle = loudness.start + (static_cast<double>(i) + 0.5) * loudness.window_s;
        if (!span.contains(middle)) continue;
        power += std::pow(10.0, static_cast<double>(loudness.dbfs[i]) / 10);
        ++count;
    }
    if (count == 0) return std::nullopt;
    return static_cast<float>(std::max(-100.0, 10 * std::log10(power / count + 1e-10)));
}

}  // namespace

std::vector<Span> shots_between(Span window, const std::vector<Boundary>& boundaries) {
    std::vector<Span> shots;
    double start = window.start;
    for (const Boundary& boundary : boundaries) {
        if (boundary.time <= start || boundary.time >= window.end) continue;
        shots.push_back({start, boundary.time});
        start = boundary.time;
    }
    shots.push_back({start, window.end});
    return shots;
}

std::vector<Span> find_silences(const media::Loudness& loudness, Span window) {
    std::vector<Span> silences;
    std::optional<Span> open;
    const auto close = [&] {
        if (!open) return;
        const Span inside{std::max(open->start, window.start), std::min(open->end, window.end)};
        if (inside.length() >= kSilenceMin - 1e-6) silences.push_back(inside);
        open.reset();
    };
    for (std::size_t i = 0; i < loudness.dbfs.size(); ++i) {
        const double start = loudness.start + static_cast<double>(i) * loudness.window_s;
        if (loudness.dbfs[i] < kSilenceDbfs) {
            if (!open) open = Span{start, start};
            open->end = start + loudness.window_s;
        } else {
            close();
        }
    }
    close();
    return silences;
}

Portrait describe(const Findings& findings, Span span) {
    Portrait portrait;
    portrait.motion = mean_motion(findings, span);
    portrait.motion_level = motion_level(portrait.motion);
    double luma = 0;
    int frames = 0;
    for (auto step = first_from(findings.steps, span.start);
         step != findings.steps.end() && step->time < span.end; ++step) {
        luma += static_cast<double>(step->luma);
        ++frames;
    }
    if (frames > 0) portrait.luma = static_cast<float>(luma / frames);
    portrait.brightness = brightness_level(portrait.luma);
    bool has_moment = false;
    auto moment = first_from(findings.moments, span.start);
    for (; moment != findings.moments.end() && moment->time < span.end; ++moment) {
        portrait.colours.add(moment->colours);
        has_moment = true;
    }
    if (!has_moment && moment != findings.moments.begin()) portrait.colours.add(std::prev(moment)->colours);
    if (findings.loudness) {
        portrait.dbfs = mean_loudness(*findings.loudness, span);
        double silent = 0;
        for (const Span& silence : findings.silences) {
            silent += std::max(0.0, std::min(silence.end, span.end) - std::max(silence.start, span.start));
        }
        portrait.is_silent = silent >= 0.9 * span.length();
    }
    for (const SeenText& seen : findings.texts) {
        if (seen.span.start >= span.end || seen.span.end <= span.start) continue;
        if (std::find(portrait.texts.begin(), portrait.texts.end(), seen.text) == portrait.texts.end()) {
            portrait.texts.push_back(seen.text);
        }
    }
    return portrait;
}

std::string_view to_string(Level level) {
    switch (level) {
        case Level::none:
            return "none";
        case Level::low:
            return "low";
        case Level::medium:
            return "medium";
        case Level::high:
            return "high";
    }
    return "none";
}

std::string_view loudness_word(float dbfs) {
    if (dbfs < kSilenceDbfs) return "silent";
    if (dbfs < -32) return "quiet";
    return dbfs < -16 ? "medium" : "loud";
}

std::string hex(Rgb colour) {
    return fmt::format("#{:02x}{:02x}{:02x}", colour.red, colour.green, colour.blue);
}

}  // namespace sheaf::backend::scene

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/scene/boundaries.h"
#include "backend/scene/sketch.h"
#include "media/video.h"

namespace sheaf::backend::scene {

// Colours and a thumb, kept of one frame in each kMomentEvery.
struct Moment {
    double time = 0;
    ColourShares colours;
    Thumb thumb{};
};
inline constexpr double kMomentEvery = 0.2;  // seconds

// Half open.
struct Span {
    double start = 0;
    double end = 0;
    double length() const { return end - start; }
    bool contains(double time) const { return time >= start && time < end; }
};

struct SeenText {
    Span span;
    std::string text;
};

enum class Level : std::uint8_t { none, low, medium, high };

// What was measured in a video, or in the part of it that was asked about.
struct Findings {
    Span window;
    std::vector<Step> steps;
    std::vector<Moment> moments;
    std::vector<Boundary> boundaries;
    std::vector<Span> shots;  // they follow one another and cover the window
    std::optional<media::Loudness> loudness;
    bool has_sound = false;
    std::string sound_problem;  // why the sound could not be measured, or empty
    std::vector<Span> silences;
    std::vector<SeenText> texts;
    std::string text_problem;          // why text was not looked for, or empty
    std::uint64_t looks = 0;           // frames that were searched for text
    std::uint64_t looks_left_out = 0;  // for the limit on them
};

// The shots that `boundaries` cut `window` into.
std::vector<Span> shots_between(Span window, const std::vector<Boundary>& boundaries);

// Stretches of at least 0.5 s below -50 dBFS, within `window`.
std::vector<Span> find_silences(const media::Loudness& loudness, Span window);

// One stretch of the video, measured.
struct Portrait {
    float motion = 0;  // mean change of luma in kMotionGap seconds, 0 to 255
    Level motion_level = Level::none;
    float luma = 0;                    // mean, 0 to 255
    Level brightness = Level::medium;  // low, medium or high
    ColourShares colours;
    std::optional<float> dbfs;  // of the mean power; nothing without sound
    bool is_silent = false;     // silent for at least nine tenths of it
    std::vector<std::string> texts;
};
Portrait describe(const Findings& findings, Span span);

std::string_view to_string(Level level);
// "silent", "quiet", "medium", "loud".
std::string_view loudness_word(float dbfs);
// "#1a2b3c"
std::string hex(Rgb colour);

}  // namespace sheaf::backend::scene

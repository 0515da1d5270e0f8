#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "backend/scene/sketch.h"

namespace sheaf::backend::scene {

// A dissolve as seen over one length of time that ends at a frame.
struct Blend {
    float strength = 0;  // how unlike the two ends are, about 1 for unrelated pictures
    float residue =
        1;  // how far the frames between are from a mix of the ends: 0 in a dissolve, 0.75 at a cut
};

// The lengths of time over which dissolves and fades are looked for, in seconds.
inline constexpr std::array<double, 4> kBlendLengths{0.4, 0.8, 1.2, 2.0};

// What is kept of one frame: how it differs from those before it.
struct Step {
    double time = 0;
    float luma = 0;  // mean, 0 to 255
    float contrast = 0;
    float unlike = 0;  // from the frame before; see Difference
    float histogram = 0;
    // The least difference between the frame before and any of the next few: small when this step starts a
    // flash.
    float unlike_later = 0;
    // The least difference between this frame and any of the few before the last: small when it ends a flash.
    float unlike_earlier = 0;
    float moved = 0;  // mean difference of luma from the frame kMotionGap earlier, or from the first one
    std::array<Blend, kBlendLengths.size()> blends{};
};

inline constexpr double kMotionGap = 0.2;  // seconds, so that motion does not depend on the frame rate

// Turns the frames of a video, one after the other, into steps. Holds the sketches of a few seconds.
class StepMaker {
public:
    // Frames in order of time. All of one size.
    void push(Sketch sketch);
    // The steps of all frames pushed. Valid until the next push.
    std::span<const Step> steps() const { return steps_; }

private:
    std::deque<Sketch> recent_;
    std::vector<Step> steps_;
};

enum class BoundaryKind : std::uint8_t { cut, gradual };

struct Boundary {
    double time = 0;   // of the first frame of the new shot; the middle of a gradual change
    double start = 0;  // where a gradual change begins and ends; both are `time` for a cut
    double end = 0;
    BoundaryKind kind = BoundaryKind::cut;
};

// Where shots change, in order of time, at least kShotMin apart.
//
// A cut is a step that stands out from those around it and from what motion, noise and flashes explain. A
// gradual change is a stretch whose middle is a blend of its ends. Camera motion, flashes and changes of
// light give none.
std::vector<Boundary> find_boundaries(std::span<const Step> steps);

inline constexpr double kShotMin = 0.15;  // seconds

}  // namespace sheaf::backend::scene

#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "backend/scene/findings.h"
#include "backend/scene/text_reader.h"

namespace sheaf::backend::scene {

// One frame to be searched for text, and the stretch of its shot that it stands for.
struct Look {
    double time = 0;  // of a frame
    Span slot;
    std::size_t shot = 0;
    // An earlier look of the same shot whose picture is nearly the same, so that reading again would be in
    // vain.
    std::optional<std::size_t> same_as;
    bool is_left_out = false;  // for the limit
    std::vector<ReadLine> lines;
};

struct LookRules {
    double every_s = 2;
    std::uint32_t count_max = 240;  // of frames read
};

// When to look: at least once in a shot, in its middle, and once every so many seconds. Beyond the limit,
// looks are left out evenly, those that are a shot's only one last.
std::vector<Look> plan_looks(const Findings& findings, LookRules rules);

// Lines that were seen in looks that follow one another, as stretches of time. Readings that differ in a few
// characters are one line; the most confident one is told.
std::vector<SeenText> merge_texts(std::span<const Look> looks);

// Looks that are fetched by one request: [first, last], evenly sampled. A group of one is fetched by its
// time.
struct LookGroup {
    std::vector<std::size_t> looks;
    double frames_per_second = 0;
};
std::vector<LookGroup> group_looks(std::span<const Look> looks);

}  // namespace sheaf::backend::scene

#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "core/inference.h"

namespace sheaf::backend {

// A stretch of the video under one definition. `fields` holds, in any order, a JSON value as text per field
// name; a declared field that is missing becomes null, an undeclared one is dropped.
struct Segment {
    double start = 0;  // seconds in the source video
    double end = 0;
    std::vector<std::pair<std::string, std::string>> fields;
};

struct DefinitionSegments {
    std::string definition;  // its id
    std::vector<Segment> segments;
};

// The times that a definition may speak of: its own ranges, else the analysis window.
struct Bounds {
    double start = 0;
    double end = 0;
};

// Sorts the segments, clips them to `bounds` and the definition's ranges (one that reaches over several
// ranges leaves a piece in each), drops what is left empty (under a millisecond), and cuts overlaps (the
// later segment starts where the earlier ends). Merges or splits nothing else. invalid when a duration rule
// (min, max) is broken by more than 0.25 s afterwards, or a segment does not start before it ends.
Result<std::vector<DefinitionSegments>> settle_segments(const core::SegmentsOutput& output, Bounds bounds,
                                                        std::vector<DefinitionSegments> found);

// The result text: one object keyed by definition id, every definition present, times in the asked format,
// `metadata` with exactly the declared fields. Field values must have been checked.
std::string render_segments(const core::SegmentsOutput& output, std::span<const DefinitionSegments> settled);

// A time as a JSON value: 12.5, "00:00:13" (nearest second, negative is zero) or "00:00:12.500".
std::string render_time(double seconds, core::TimeFormat format);
// Reads what a model may write for a time: a number of seconds, "75.5", "1:15", "01:15.5", "00:01:15.500".
std::optional<double> parse_time(std::string_view text);

// Whether the JSON value `json` fits the field (type, enum, array elements); a timestamp is converted to the
// asked format from seconds or any form that parse_time reads. The value as it goes into the result, or why
// not.
Result<std::string> check_field(const core::SegmentField& field, std::string_view json);

}  // namespace sheaf::backend

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "backend/scene/findings.h"
#include "backend/segments.h"
#include "core/inference.h"

namespace sheaf::backend::scene {

// The shots as segments of every definition: limited to its ranges or `bounds`, neighbours joined until they
// last min_duration, and cut into equal parts where they exceed max_duration. A stretch that is shorter than
// min_duration as a whole gives no segment.
std::vector<DefinitionSegments> make_segments(const Findings& findings, const core::SegmentsOutput& output,
                                              Bounds bounds);

// The value of one field for one stretch as JSON text, or nothing where nothing measured answers it. A field
// is known by its name, in any case and with or without underscores (or, failing that, by a phrase in its
// description):
//
//   motion, movement, activity, motion_level      none, low, medium, high; as a number the mean change of
//   brightness
//                                                 in 0.2 s, percent of full scale; as a boolean whether there
//                                                 is any
//   brightness, lighting, luminance, light_level  dark, medium, bright; as a number percent of white
//   color, colour, dominant_color, main_color     one of 16 names; as an array those of at least 15 % of the
//   picture color_hex, dominant_color_hex                 "#rrggbb" loudness, volume, sound_level,
//   audio_level    silent, quiet, medium, loud; as a number dBFS silence, silent, is_silent boolean
//   has_sound, has_audio, sound, audio            boolean
//   text, on_screen_text, ocr, caption, captions, subtitles, visible_text   what was read; a string or an
//   array has_text                                      boolean shot, shot_number, shot_index, index,
//   scene_number   of the first shot of the stretch, from 1 shot_count, shots, cuts integer duration, length,
//   duration_seconds            seconds start, shot_start, begin, end, shot_end       timestamps
//
// An enum is filled only if one of its values says what was measured.
std::optional<std::string> field_value(const Findings& findings, const core::SegmentField& field, Span span);

}  // namespace sheaf::backend::scene

#pragma once

#include "base/result.h"
#include "media/ffmpeg/answer.h"
#include "media/ffmpeg/input.h"

namespace sheaf::media {

// Adds the loudness of the first sound stream, window by window. invalid: no sound, or none of it can be
// decoded.
Result<> measure_levels(Input& input, Answer& answer);

}  // namespace sheaf::media

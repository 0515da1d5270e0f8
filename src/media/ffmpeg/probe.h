#pragma once

#include "base/result.h"
#include "media/ffmpeg/input.h"
#include "media/video.h"

namespace sheaf::media {

// Describes an analysed file. Durations are what can be read, where the header says otherwise.
Result<MediaInfo> describe(Input& input);

}  // namespace sheaf::media

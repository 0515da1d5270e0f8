#pragma once

#include "base/result.h"
#include "media/ffmpeg/answer.h"
#include "media/ffmpeg/input.h"
#include "media/ffmpeg/wire.h"

namespace sheaf::media {

// Adds the frames that the job asks for, as they are decoded. invalid: no video, or none of it can be
// decoded.
Result<wire::End> sample_frames(Input& input, const wire::Job& job, Answer& answer);

}  // namespace sheaf::media

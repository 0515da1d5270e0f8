#include "media/media_conformance.h"

#include "media/decoders.h"
#include "media/ffmpeg/clip_test.h"

namespace sheaf::media {
namespace {

MediaUnderTest make_ffmpeg() {
    return {make_ffmpeg_media(clips::options()), clips::open(clips::plain())};
}
MediaUnderTest make_test_pattern() {
    return {make_test_pattern_media(), std::make_shared<const blob::BlobFile>(-1, 1)};
}

INSTANTIATE_TEST_SUITE_P(Media, MediaConformance,
                         testing::Values(MediaCase{"ffmpeg", make_ffmpeg},
                                         MediaCase{"test_pattern", make_test_pattern}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace sheaf::media

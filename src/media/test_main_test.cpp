#include <string_view>

#include <gtest/gtest.h>

#include "media/decoders.h"
#include "media/ffmpeg/escape_test.h"

// The test program is its own media worker, as the server is.
int main(int argc, char** argv) {
    if (argc > 1 && std::string_view(argv[1]) == "media-worker") return sheaf::media::media_worker_main();
    if (argc > 2 && std::string_view(argv[1]) == "media-worker-escape")
        return sheaf::media::try_to_escape(argv[2]);
    testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}

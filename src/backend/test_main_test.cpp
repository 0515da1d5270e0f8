#include <string_view>

#include <gtest/gtest.h>

#include "media/decoders.h"

// The media port runs its decoder as a child process, which is this program again.
int main(int argc, char** argv) {
    if (argc > 1 && std::string_view(argv[1]) == "media-worker") return sheaf::media::media_worker_main();
    testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}

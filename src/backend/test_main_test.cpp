#include <string_view>

#include <gtest/gtest.h>

#include "backend/backends.h"
#include "backend/managed/python_server_test.h"
#include "media/decoders.h"

// The media port runs its decoder as a child process, a managed server has a keeper: both are this program
// again.
int main(int argc, char** argv) {
    if (argc > 1 && std::string_view(argv[1]) == "media-worker") return sheaf::media::media_worker_main();
    if (argc > 1 && std::string_view(argv[1]) == "model-keeper")
        return sheaf::backend::model_keeper_main(argc, argv);
    if (argc > 1 && std::string_view(argv[1]) == "managed-owner")
        return sheaf::backend::managed::managed_owner_main(argc, argv);
    testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}

#include <string_view>

#include "app/commands.h"
#include "backend/backends.h"
#include "media/decoders.h"

int main(int argc, char** argv) {
    // Before anything else: the children that decode media and keep model servers have nothing to do with the
    // rest.
    if (argc == 2 && std::string_view(argv[1]) == "media-worker") return sheaf::media::media_worker_main();
    if (argc > 1 && std::string_view(argv[1]) == "model-keeper")
        return sheaf::backend::model_keeper_main(argc, argv);
    return sheaf::app::run_command_line(argc, argv);
}

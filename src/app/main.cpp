#include <string_view>

#include "app/commands.h"
#include "media/decoders.h"

int main(int argc, char** argv) {
    // Before anything else: the child that decodes media has nothing to do with the rest.
    if (argc == 2 && std::string_view(argv[1]) == "media-worker") return sheaf::media::media_worker_main();
    return sheaf::app::run_command_line(argc, argv);
}

#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/api.h"
#include "cli/console.h"

namespace sheaf::cli {

struct UploadedFile {
    std::string asset_id;
    std::string failure;  // not empty: this file was not uploaded, or is not usable, and why
};

// Sizes of the files, each there, regular and not empty.
Outcome<std::vector<std::uint64_t>> check_files(const std::vector<std::filesystem::path>& files);

// Uploads all files, a few chunks at a time, and waits until the server has looked into them. A file that
// fails is told in its place; a failure of the whole is one that concerns every file (no server, no key).
async::Task<Outcome<std::vector<UploadedFile>>> upload_files(Api& api, Progress& progress,
                                                             std::vector<std::filesystem::path> files,
                                                             std::vector<std::uint64_t> sizes);

}  // namespace sheaf::cli

#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/create_body.h"
#include "cli/session.h"

namespace sheaf::cli {

struct SubmitFlags {
    ServerFlags server;
    std::vector<std::filesystem::path> files;  // videos, or one file of requests
    std::string dialect;                       // of the requests; empty: by their form
    std::string requests_file, segments_file, schema_file;
    std::string results_file;  // "-": standard output, as JSON Lines
    AnalysisOptions analysis;
    bool stream_results = false;
    bool no_wait = false;
    bool json = false;
};

// Uploads what there is to upload, creates the batch, and unless told not to, follows it and prints its
// results.
int submit(const Console& console, SubmitFlags flags);

}  // namespace sheaf::cli

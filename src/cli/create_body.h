#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cli/failure.h"

// What a batch is made of, from files and options; no I/O here.
namespace sheaf::cli {

struct AnalysisOptions {
    std::string mode;  // empty: general, or time_based_metadata when segments are given
    std::string model = "pegasus1.5";
    std::optional<std::string> prompt;
    std::optional<std::string> segments_json;  // the contents of --segments
    std::optional<std::string> schema_json;    // the contents of --schema
    std::optional<std::uint32_t> max_tokens;
    std::optional<double> temperature;
    std::optional<double> start_time, end_time;
};

// One item to be. `request_json` is its members from the request file; the video takes the place of its own.
struct PlannedItem {
    std::filesystem::path file;  // to be uploaded; empty when the request names an asset
    std::string asset_id;        // known from the start, or once `file` was uploaded
    std::string custom_id;       // empty: none
    std::string request_json;    // empty: made from a file alone
};

struct Plan {
    std::vector<PlannedItem> items;
    std::string
        batch_json;  // the request file's own model_name, analysis_mode and defaults; empty without one
};

// One item a file; custom ids come from the names: letters, digits, - and _, each once.
Plan plan_videos(const std::vector<std::filesystem::path>& files);
// The request file is the body of POST /v1.3/analyze/batches, or its `requests` alone. A video may also be
// {"type":"file","path":"clip.mp4"}, relative to `base`: it is uploaded first.
Outcome<Plan> plan_requests(std::string_view json, const std::filesystem::path& base);

// Checks the options that need no server, so that nothing is uploaded in vain.
Outcome<> check_options(const AnalysisOptions& options, const Plan& plan);
// The body of the create call. Every item has its asset.
std::string render_create_body(const AnalysisOptions& options, const Plan& plan);

}  // namespace sheaf::cli

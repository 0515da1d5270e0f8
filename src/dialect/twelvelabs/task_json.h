#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "jsonl/writer.h"
#include "service/batches.h"
#include "service/webhooks.h"

namespace sheaf::dialect::twelvelabs {

// What a task object is made of.
struct TaskView {
    const core::Batch* batch = nullptr;
    const core::ItemHead* item = nullptr;
    std::string request_params;           // rendered
    std::optional<double> video_seconds;  // of the asset, as far as known
    std::optional<std::string> line;      // its results line
    std::uint32_t max_tokens = 0;         // what it was allowed
    bool with_result = true;              // lists leave it out
    std::vector<service::Telling> tellings;
};

void write_task(jsonl::Writer& json, const TaskView& view);

// Why an answer of `output_tokens` was cut, told from what the task was allowed.
std::string_view truncation_message(std::uint64_t output_tokens, std::uint32_t max_tokens);

// Why an item failed, from its results line.
std::string failure_message(std::string_view line);

// The member `webhooks`, where something was told; else nothing.
void write_tellings(jsonl::Writer& json, const std::vector<service::Telling>& tellings);

// The asset that a subject names, if it names one.
std::optional<AssetId> asset_of(const core::Subject& subject);

}  // namespace sheaf::dialect::twelvelabs

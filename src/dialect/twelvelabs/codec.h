#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/item_codec.h"
#include "dialect/twelvelabs/analysis_params.h"
#include "service/limits.h"

namespace sheaf::dialect::twelvelabs {

// What a batch keeps for its items in core::Batch::shared is the text of `defaults`, or nothing. What a task
// keeps there is its rendered request_params; its item's body is the whole create call.
class Codec final : public core::ItemCodec {
public:
    explicit Codec(service::Limits limits) : limits_(limits) {}
    Result<core::Inference> decode(const core::Batch& batch, std::string_view body) const override;
    // "Finishes the analysis for the items in the processing status": docs.twelvelabs.io, cancel a batch.
    bool finishes_running_items() const override { return true; }
    std::string line(const core::Batch& batch, const core::ItemHead& item,
                     const core::Ending& ending) const override;

private:
    service::Limits limits_;
};

// The effective parameters of an item of a batch, and its video.
struct BatchItem {
    AnalysisParams params;
    core::MediaSource video;
};
Result<BatchItem> read_stored_item(const core::Batch& batch, std::string_view body,
                                   const service::Limits& limits);

// A results line of an item that has neither data nor an error: queued, processing or canceled.
std::string render_plain_line(const core::ItemHead& item);

// Members id or generation_id, data, finish_reason and usage are rendered alike wherever an answer is shown.
std::string generation_id(const RawId& id);
std::string generation_id(const ItemId& id);

}  // namespace sheaf::dialect::twelvelabs

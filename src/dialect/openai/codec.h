#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/item_codec.h"
#include "dialect/openai/openai.h"

namespace sheaf::dialect::openai {

// An item's body is the `body` of its line; its endpoint is the batch's tag. The lines of items that
// succeeded are the output file, all others the error file.
class Codec final : public core::ItemCodec {
public:
    explicit Codec(const Limits& limits) : result_file_time_(limits.result_file_time) {}

    Result<core::Inference> decode(const core::Batch& batch, std::string_view body) const override;
    Order results_order() const override { return Order::succeeded_first; }
    core::Forecast forecast(const core::Batch& batch, const core::Subject& subject,
                            std::string_view body) const override;
    std::vector<core::File> result_files(const core::Batch& batch, std::uint64_t succeeded_bytes,
                                         std::uint64_t total_bytes, Timestamp now) const override;
    std::string line(const core::Batch& batch, const core::ItemHead& item,
                     const core::Ending& ending) const override;

private:
    std::chrono::seconds result_file_time_;
};

}  // namespace sheaf::dialect::openai

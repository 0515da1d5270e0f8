#pragma once

#include <string>
#include <string_view>

#include "core/item_codec.h"
#include "dialect/anthropic/message_request.h"

namespace sheaf::dialect::anthropic {

// What a batch keeps for its items in core::Batch::shared: how they are checked, when their time comes.
std::string render_shared(const MessageRules& rules);
MessageRules read_shared(std::string_view shared);

// An item's body is its `params`.
class Codec final : public core::ItemCodec {
public:
    Result<core::Inference> decode(const core::Batch& batch, std::string_view body) const override;
    core::Forecast forecast(const core::Batch& batch, const core::Subject& subject,
                            std::string_view body) const override;
    std::string line(const core::Batch& batch, const core::ItemHead& item,
                     const core::Ending& ending) const override;
};

// The results line of an item that was canceled or has expired.
std::string render_unanswered_line(const core::ItemHead& item);

// A Message object with its service tier said to be "batch".
std::string with_batch_tier(std::string_view message);

}  // namespace sheaf::dialect::anthropic

#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/item_codec.h"

namespace sheaf::dialect::sail {

// What is stored of an item is its `params`, a Responses request; of a task, the body of the call that made
// it, which is one too. Its line is its response object, as far as that is known without the request.
class Codec final : public core::ItemCodec {
public:
    Result<core::Inference> decode(const core::Batch& batch, std::string_view body) const override;
    core::Forecast forecast(const core::Batch& batch, const core::Subject& subject,
                            std::string_view body) const override;
    std::string line(const core::Batch& batch, const core::ItemHead& item,
                     const core::Ending& ending) const override;
};

// A Responses request of Sail's as any server of that protocol takes it: messages in an object become the
// input itself, and what is for the vendor alone is left out.
Result<core::ModelRequest> to_model_request(std::string_view body);

// As render_item(), in the words that responses have by their id.
std::string render_stored_response(const core::Batch& batch, const core::ItemHead& item,
                                   std::string_view body, std::optional<std::string_view> line);

}  // namespace sheaf::dialect::sail

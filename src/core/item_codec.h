#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "core/batch.h"
#include "core/inference.h"
#include "core/item.h"
#include "core/outcome.h"

namespace sheaf::core {

// What the engine asks of the dialect that a batch came in by. Threads: any; stateless.
class ItemCodec {
public:
    virtual ~ItemCodec() = default;

    // What the item asks, from the bytes the client sent and what the batch shares. An error is the item's
    // end: it was checked at create, so this happens only when the code has changed since.
    virtual Result<Inference> decode(const Batch& batch, std::string_view body) const = 0;

    // The item's line in the results, ended by '\n'. Rendered once; its bytes never change afterwards.
    virtual std::string line(const Batch& batch, const ItemHead& item, const Ending& ending) const = 0;
};

}  // namespace sheaf::core

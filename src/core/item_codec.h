#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/batch.h"
#include "core/file.h"
#include "core/inference.h"
#include "core/item.h"
#include "core/outcome.h"
#include "core/plan.h"

namespace sheaf::core {

// What the engine asks of the dialect that a batch came in by. Threads: any; stateless.
class ItemCodec {
public:
    virtual ~ItemCodec() = default;

    // What the item asks, from the bytes the client sent and what the batch shares. An error is the item's
    // end: it was checked at create, so this happens only when the code has changed since.
    virtual Result<Inference> decode(const Batch& batch, std::string_view body) const = 0;

    // What its bytes tell of the item before it runs: where it stands in the plan. At create, for each item
    // of a batch.
    virtual Forecast forecast(const Batch& batch, const Subject& subject, std::string_view body) const;

    // Whether a cancel has all items finished that are shown as running, also those that wait: for a slot,
    // for their next try, or for a model server that is out. Else it ends these.
    virtual bool finishes_running_items() const { return false; }

    // How the lines of an ended batch are laid out: in submission order, or those of items that succeeded
    // before all others.
    enum class Order : std::uint8_t { submission, succeeded_first };
    virtual Order results_order() const { return Order::submission; }
    // The files that clients read its results by, of a batch laid out with those that succeeded first: the
    // first `succeeded_bytes` bytes of `total_bytes` are theirs. None for most dialects.
    virtual std::vector<File> result_files(const Batch& batch, std::uint64_t succeeded_bytes,
                                           std::uint64_t total_bytes, Timestamp now) const {
        (void)batch, (void)succeeded_bytes, (void)total_bytes, (void)now;
        return {};
    }

    // The item's line in the results, ended by '\n'. Rendered once; its bytes never change afterwards.
    virtual std::string line(const Batch& batch, const ItemHead& item, const Ending& ending) const = 0;
};

// By the name of the dialect that a batch came in by.
using Codecs = std::map<std::string, const ItemCodec*, std::less<>>;

}  // namespace sheaf::core

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/item_codec.h"
#include "core/webhook.h"
#include "dialect/dialect.h"
#include "service/accounts.h"
#include "service/batches.h"
#include "service/live.h"

namespace sheaf::dialect::sail {

// What a client may ask for; the defaults are the vendor's.
struct Limits {
    std::uint32_t items_max = 100'000;
    std::uint64_t body_bytes_max = std::uint64_t{256} << 20;      // of a call that creates a batch
    std::uint64_t live_body_bytes_max = std::uint64_t{64} << 20;  // of a single request
};

// What Sail's routes are built over. Everything referred to outlives the dialect, and the dialect outlives
// the router; all of it belongs to the server's executor.
struct Options {
    async::Executor executor;  // the server's
    service::Accounts& accounts;
    service::Batches& batches;
    service::LiveRunner& live;
    Limits limits = {};
};

// The codec by itself: stateless, the same as the dialect's own.
std::unique_ptr<core::ItemCodec> make_codec();

// "batch_" and 24 hex digits.
std::optional<BatchId> parse_batch_id(std::string_view text);
std::string print_batch_id(const BatchId& id);

// What GET /batches/{id}/{custom_id} shows of an item, and what its completion webhook carries. `body` is
// what was stored for it; `line` is its line in the results, which an item that neither succeeded nor failed
// lacks.
std::string render_item(const core::Batch& batch, const core::ItemHead& item, std::string_view body,
                        std::optional<std::string_view> line);

// Tells the URL in an item's metadata.completion_webhook of its end.
std::unique_ptr<core::EventRenderer> make_event_renderer();

}  // namespace sheaf::dialect::sail

namespace sheaf::dialect {

std::unique_ptr<Dialect> make_sail_dialect(sail::Options options);

}  // namespace sheaf::dialect

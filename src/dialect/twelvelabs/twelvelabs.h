#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/item_codec.h"
#include "core/webhook.h"
#include "dialect/dialect.h"
#include "service/accounts.h"
#include "service/assets.h"
#include "service/batches.h"
#include "service/limits.h"
#include "service/live.h"
#include "service/webhooks.h"

namespace sheaf::dialect::twelvelabs {

// What the TwelveLabs v1.3 routes are built over. Everything referred to outlives the dialect, and the
// dialect outlives the router; all of it belongs to the server's executor.
struct Options {
    async::Executor executor;  // the server's
    service::Accounts& accounts;
    service::Batches& batches;
    service::Assets& assets;
    service::LiveRunner& live;
    service::Webhooks& webhooks;
    // The server's address as clients see it, "https://sheaf.example"; empty: from each request's Host
    // header.
    std::string public_url;
    // What a task or a direct call runs on that names no model, and what "pegasus1.2" stands for.
    std::string default_model = "pegasus1.5";
    std::uint32_t requests_per_minute = 0;  // per account; 0: no limit
};

// The codec by itself: stateless, the same as the dialect's own.
std::unique_ptr<core::ItemCodec> make_codec(service::Limits limits);

// Tells webhooks of tasks that are ready or failed, and of batches that have ended.
std::unique_ptr<core::EventRenderer> make_event_renderer();

// What an asset keeps of its probe: its `technical_metadata`, as one JSON object.
std::string render_details(const media::MediaInfo& info, std::uint64_t bytes);

}  // namespace sheaf::dialect::twelvelabs

namespace sheaf::dialect {

std::unique_ptr<Dialect> make_twelvelabs_dialect(twelvelabs::Options options);

}  // namespace sheaf::dialect

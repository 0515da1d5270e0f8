#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/item_codec.h"
#include "dialect/dialect.h"
#include "service/accounts.h"
#include "service/batches.h"
#include "service/live.h"

namespace sheaf::dialect::anthropic {

// What a client may ask for; the defaults are the vendor's own.
struct Limits {
    std::uint32_t batch_items_max = 100'000;
    std::uint64_t batch_bytes_max = std::uint64_t{256} << 20;  // of the create call's body
    // All from the batch's creation: what has not run by then expires, results are removed, and so is the
    // batch itself.
    std::chrono::seconds batch_time{std::chrono::hours{24}};
    std::chrono::seconds results_time{std::chrono::hours{29 * 24}};
    std::chrono::seconds retention{std::chrono::hours{365 * 24}};
    // For so long a create call that a client repeats gives the batch it made at first.
    std::chrono::seconds repeat_time{std::chrono::minutes{15}};
};

// What the routes below /v1/messages and those for models are built over. Everything referred to outlives the
// dialect, and the dialect outlives the router; all of it belongs to the server's executor.
struct Options {
    async::Executor executor;  // the server's
    service::Accounts& accounts;
    service::Batches& batches;
    service::LiveRunner& live;
    // The server's address as clients see it, "https://sheaf.example/prefix", without "/v1"; empty: from each
    // request, see base_url.h.
    std::string public_url;
    std::uint32_t requests_per_minute = 0;  // per account; 0: no limit
    // Refuses temperature, top_p and top_k under version 2026-10-21, as the vendor does.
    bool refuses_sampling = false;
    Limits limits;
};

// The codec by itself: stateless, the same as the dialect's own.
std::unique_ptr<core::ItemCodec> make_codec();

// "msgbatch_" and 24 hex digits.
std::optional<BatchId> parse_batch_id(std::string_view text);
std::string print_batch_id(const BatchId& id);

}  // namespace sheaf::dialect::anthropic

namespace sheaf::dialect {

std::unique_ptr<Dialect> make_anthropic_dialect(anthropic::Options options);

}  // namespace sheaf::dialect

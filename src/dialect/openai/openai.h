#pragma once

#include <chrono>
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

namespace sheaf::service {
class Files;
}

namespace sheaf::dialect::openai {

inline constexpr std::string_view kDialectName = "openai";
inline constexpr std::string_view kPrefix = "/v1";

// What a client may ask for, beside what the services limit. The defaults are the vendor's, or where it names
// none, ours.
struct Limits {
    std::chrono::seconds batch_file_time{std::chrono::hours{30 * 24}};  // of files of purpose batch

    std::uint32_t lines_max = 50'000;
    std::uint64_t batch_file_bytes_max = std::uint64_t{200} << 20;
    std::uint64_t line_bytes_max = std::uint64_t{16} << 20;
    std::uint32_t batch_errors_max = 1'000;
    std::chrono::seconds batch_time{std::chrono::hours{24}};
    std::chrono::seconds result_file_time{std::chrono::hours{30 * 24}};
    std::chrono::seconds batch_kept{std::chrono::hours{31 * 24}};  // after its end
    std::chrono::seconds idempotency_time{std::chrono::hours{24}};
    // How long a call that an SDK sends again finds what its first try made.
    std::chrono::seconds retry_time{std::chrono::minutes{15}};

    std::uint64_t live_body_bytes_max = std::uint64_t{64} << 20;
};

// What the OpenAI routes are built over. Everything referred to outlives the dialect, and the dialect
// outlives the router; all of it belongs to the server's executor.
struct Options {
    async::Executor executor;  // the server's
    service::Accounts& accounts;
    service::Batches& batches;
    service::Files& files;
    service::LiveRunner& live;
    Limits limits;
};

// A batch's id as clients of this dialect see it, "batch_" and 32 hex digits; nullopt when it is none.
std::optional<BatchId> parse_batch_id(std::string_view text);
std::string print_batch_id(const BatchId& id);

// The codec by itself: stateless, the same as the dialect's own.
std::unique_ptr<core::ItemCodec> make_codec(Limits limits = {});

// Tells webhooks that a batch is completed, failed, expired or cancelled, once that is what GET shows.
std::unique_ptr<core::EventRenderer> make_event_renderer();

}  // namespace sheaf::dialect::openai

namespace sheaf::dialect {

std::unique_ptr<Dialect> make_openai_dialect(openai::Options options);

}  // namespace sheaf::dialect

#include "dialect/sail/idempotency.h"

#include <algorithm>

#include <fmt/format.h>

#include "dialect/spooling.h"

namespace sheaf::dialect::sail {
namespace {

constexpr std::size_t kKeyBytesMax = 255;

}  // namespace

store::IdempotencyRecord RepeatableCall::record(int status, std::string response,
                                                Timestamp expires_at) const {
    return {account, scope, key, request_hash, status, std::move(response), expires_at};
}

async::Task<Checked<std::optional<RepeatableCall>>> read_repeatable(const Call& call, std::string_view body) {
    const auto key = call.request.headers.find("idempotency-key");
    if (!key) co_return std::nullopt;
    const bool printable = std::ranges::all_of(*key, [](char c) { return c >= 0x20 && c < 0x7f; });
    if (key->empty() || key->size() > kKeyBytesMax || !printable)
        co_return refuse(code::kInvalidValue, "Idempotency-Key",
                         fmt::format("Idempotency-Key must be 1 to {} printable characters.", kKeyBytesMax));
    RepeatableCall repeatable{.account = call.caller.account,
                              .scope = "sail POST /batches " + call.caller.key_id,
                              .key = std::string(*key),
                              .request_hash = {}};
    repeatable.request_hash = co_await fingerprint_of(body);
    co_return repeatable;
}

async::Task<Checked<std::optional<store::IdempotencyRecord>>> find_earlier(service::Batches& batches,
                                                                           const RepeatableCall& call) {
    auto found = co_await batches.find_idempotent(call.account, call.scope, call.key);
    if (!found) co_return refuse(found.error());
    if (*found && (**found).request_hash != call.request_hash) {
        co_return std::unexpected(
            ErrorObject{.status = 400,
                        .type = "idempotency_error",
                        .message = "This Idempotency-Key was used for a different request."});
    }
    co_return std::move(*found);
}

}  // namespace sheaf::dialect::sail

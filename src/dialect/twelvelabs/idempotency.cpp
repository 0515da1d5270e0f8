#include "dialect/twelvelabs/idempotency.h"

#include <algorithm>

#include <boost/asio/post.hpp>

#include "base/hash.h"

namespace sheaf::dialect::twelvelabs {
namespace {

constexpr std::size_t kKeyBytesMax = 255;
constexpr std::size_t kHashedAtOnce = std::size_t{1} << 20;

std::string_view as_text(const Sha256& hash) {
    return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

// A chain over pieces of one size, so that the loop can rest between them.
async::Task<std::string> hash_of(std::string_view body) {
    Sha256 chained = sha256(body.substr(0, kHashedAtOnce));
    for (std::size_t at = kHashedAtOnce; at < body.size(); at += kHashedAtOnce) {
        co_await yield_to_others();
        const Sha256 piece = sha256(body.substr(at, kHashedAtOnce));
        chained = sha256(std::string(as_text(chained)).append(as_text(piece)));
    }
    co_return to_hex(chained);
}

}  // namespace

store::IdempotencyRecord RepeatableCall::record(int status, std::string response,
                                                Timestamp expires_at) const {
    return {account, scope, key, request_hash, status, std::move(response), expires_at};
}

async::Task<Checked<std::optional<RepeatableCall>>> read_repeatable(const Call& call, std::string_view scope,
                                                                    std::string_view body) {
    const auto key = call.request.headers.find("idempotency-key");
    if (!key) co_return std::nullopt;
    const bool printable = std::ranges::all_of(*key, [](char c) { return c >= 0x20 && c < 0x7f; });
    if (key->empty() || key->size() > kKeyBytesMax || !printable) {
        co_return refuse(400, code::kParameterInvalid,
                         "Idempotency-Key must be 1 to 255 printable characters.", "Idempotency-Key");
    }
    RepeatableCall repeatable{call.account, std::string(scope), std::string(*key), {}};
    repeatable.request_hash = co_await hash_of(body);
    co_return repeatable;
}

async::Task<Checked<std::optional<store::IdempotencyRecord>>> find_earlier(service::Batches& batches,
                                                                           const RepeatableCall& call) {
    auto found = co_await batches.find_idempotent(call.account, call.scope, call.key);
    if (!found) co_return refuse(found.error());
    if (*found && (**found).request_hash != call.request_hash) {
        co_return refuse(409, code::kIdempotencyKeyConflict,
                         "This Idempotency-Key was used for a different request.");
    }
    co_return std::move(*found);
}

async::Task<void> yield_to_others() {
    co_await boost::asio::post(co_await async::current_executor(), async::use_task);
}

}  // namespace sheaf::dialect::twelvelabs

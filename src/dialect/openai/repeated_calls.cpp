#include "dialect/openai/repeated_calls.h"

#include <algorithm>
#include <charconv>

#include "dialect/spooling.h"

namespace sheaf::dialect::openai {
namespace {

constexpr std::string_view kKeyScope = "openai POST /v1/batches";
constexpr std::string_view kRetryScope = "openai POST /v1/batches, again";
constexpr std::size_t kKeyBytesMax = 255;

bool is_sdk_retry(const http::Headers& headers) {
    const auto text = headers.find("x-stainless-retry-count");
    int count = 0;
    return text && std::from_chars(text->data(), text->data() + text->size(), count).ec == std::errc{} &&
           count > 0;
}

}  // namespace

store::IdempotencyRecord RepeatableCall::record(std::string response, Timestamp now) const {
    return {account, scope, key, request_hash, 200, std::move(response), now + remembered_for};
}

async::Task<Checked<RepeatableCall>> read_repeatable(const Call& call, std::string_view body,
                                                     const Limits& limits) {
    const std::string hash = co_await fingerprint_of(body);
    const auto key = call.request.headers.find("idempotency-key");
    if (!key) {
        co_return RepeatableCall{call.account, std::string(kRetryScope), hash,
                                 hash,         limits.retry_time,        is_sdk_retry(call.request.headers)};
    }
    const bool printable = std::ranges::all_of(*key, [](char c) { return c >= 0x20 && c < 0x7f; });
    if (key->empty() || key->size() > kKeyBytesMax || !printable) {
        co_return refuse("The header Idempotency-Key must have 1 to 255 printable characters.",
                         "Idempotency-Key", code::kInvalidValue);
    }
    co_return RepeatableCall{call.account, std::string(kKeyScope),  std::string(*key),
                             hash,         limits.idempotency_time, true};
}

async::Task<Checked<std::optional<std::string>>> find_earlier(service::Batches& batches,
                                                              const RepeatableCall& call) {
    if (!call.may_be_repeat) co_return std::nullopt;
    auto found = co_await batches.find_idempotent(call.account, call.scope, call.key);
    if (!found) co_return refuse(found.error());
    if (!*found) co_return std::nullopt;
    if ((**found).request_hash != call.request_hash) {
        co_return refuse(409, "This Idempotency-Key was used for a different request.", "Idempotency-Key");
    }
    co_return std::move((**found).response);
}

}  // namespace sheaf::dialect::openai

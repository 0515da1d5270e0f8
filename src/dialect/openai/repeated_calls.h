#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "async/task.h"
#include "dialect/openai/gate.h"
#include "dialect/openai/openai.h"
#include "service/batches.h"

namespace sheaf::dialect::openai {

// A call to POST /v1/batches that may come twice: under a key of the client's own, or, as both SDKs do it
// after a call that got no answer, with a header that counts the tries.
struct RepeatableCall {
    AccountId account;
    std::string scope;
    std::string key;
    std::string request_hash;
    std::chrono::seconds remembered_for{0};
    // Whether it may be answered with what an earlier one made.
    bool may_be_repeat = false;

    // What to keep with the batch. Where the call is no repeat, it takes the place of an earlier one's.
    store::IdempotencyRecord record(std::string response, Timestamp now) const;
};

// From the header Idempotency-Key, 1 to 255 printable characters, or the hash of `body`. Lets others run
// while a large body is hashed.
async::Task<Checked<RepeatableCall>> read_repeatable(const Call& call, std::string_view body,
                                                     const Limits& limits);

// The answer that was kept for this call. Nullopt: it is the first. 409: the key was used for something else.
async::Task<Checked<std::optional<std::string>>> find_earlier(service::Batches& batches,
                                                              const RepeatableCall& call);

}  // namespace sheaf::dialect::openai

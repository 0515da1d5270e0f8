#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "async/task.h"
#include "dialect/sail/gate.h"
#include "service/batches.h"

namespace sheaf::dialect::sail {

// A create call that may be repeated: the key that the client chose, and what it asked for under it. The same
// word by another API key is another key.
struct RepeatableCall {
    AccountId account;
    std::string scope;  // the endpoint and the caller's API key
    std::string key;
    std::string request_hash;

    // What to keep with the created thing, so that the same call gets the same answer.
    store::IdempotencyRecord record(int status, std::string response, Timestamp expires_at) const;
};

// The header Idempotency-Key, 1 to 255 printable characters, and the hash of `body`. Nullopt: no such header.
// Lets others run while a large body is hashed.
async::Task<Checked<std::optional<RepeatableCall>>> read_repeatable(const Call& call, std::string_view body);

// What was kept for this call. Nullopt: nothing yet. 400 idempotency_error: the key was used for something
// else.
async::Task<Checked<std::optional<store::IdempotencyRecord>>> find_earlier(service::Batches& batches,
                                                                           const RepeatableCall& call);

}  // namespace sheaf::dialect::sail

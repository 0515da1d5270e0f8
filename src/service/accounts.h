#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "async/blocking.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/result.h"
#include "base/secret.h"
#include "store/keys.h"

namespace sheaf::service {

struct NewKey {
    store::ApiKey stored;
    Secret key;  // shown once
};

// "sheaf_<12 characters that find it><32 random bytes in base62><6 of checksum>". A key with a wrong checksum
// is refused before any look-up. Not stored: only the SHA-256 of the secret part is.
NewKey make_key(const AccountId& account, Timestamp now);

// Who sent a request, and by which of its keys.
struct Caller {
    AccountId account;
    std::string key_id;
};
bool is_account_name(std::string_view name);

// Who a key belongs to. Belongs to one executor.
//
// A key that was seen is known for one second without asking the store, so that a poll costs no look-up and a
// revocation counts within that second.
class Accounts {
public:
    Accounts(async::Blocking<store::Keys> keys, const Clock& clock);
    // denied: missing, malformed, unknown or revoked; which of them is not told.
    async::Task<Result<Caller>> authenticate(std::string_view key);

private:
    struct Known {
        Sha256 secret_hash{};
        AccountId account;
        Timestamp until;
    };
    async::Blocking<store::Keys> keys_;
    const Clock* clock_;
    std::unordered_map<std::string, Known> known_;  // by key id
};

}  // namespace sheaf::service

#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/hash.h"
#include "base/id.h"
#include "base/result.h"

namespace sheaf::store {

// An API key as it is kept: the secret itself is nowhere.
struct ApiKey {
    std::string id;  // the part of the key that finds it
    AccountId account;
    Sha256 secret_hash{};
    Timestamp created_at;
    std::optional<Timestamp> revoked_at;
};

// Methods block and may be called from any thread, also from another process than the server's.
class Keys {
public:
    virtual ~Keys() = default;
    virtual Result<> insert(const ApiKey& key) = 0;
    virtual Result<std::optional<ApiKey>> find(std::string_view id) = 0;
    virtual Result<std::vector<ApiKey>> list() = 0;
    virtual Result<> revoke(std::string_view id,
                            Timestamp now) = 0;  // not_found; revoking twice changes nothing
};

}  // namespace sheaf::store

#pragma once

#include <optional>
#include <string>

#include "app/store_place.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/secret.h"
#include "store/store.h"

namespace sheaf::app {

// `sheaf keys`: each opens the store beside running servers, prints, and returns the exit code.
int create_key(const StorePlace& place, const std::string& account, bool json);
int list_keys(const StorePlace& place, bool json);
int revoke_key(const StorePlace& place, const std::string& id);

// The first key of a new store; nullopt when there are keys already.
Result<std::optional<Secret>> make_first_key(store::Store& store, const Clock& clock);

}  // namespace sheaf::app

#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "base/secret.h"
#include "store/store.h"

namespace sheaf::app {

// `sheaf keys`: each opens the data directory beside a running server, prints, and returns the exit code.
int create_key(const std::filesystem::path& data, const std::string& account, bool json);
int list_keys(const std::filesystem::path& data, bool json);
int revoke_key(const std::filesystem::path& data, const std::string& id);

// The first key of a new data directory; nullopt when there are keys already.
Result<std::optional<Secret>> make_first_key(store::Store& store, const Clock& clock);

}  // namespace sheaf::app

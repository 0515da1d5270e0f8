#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/secret.h"
#include "store/store.h"

namespace sheaf::app {

// Where everything durable is kept: in a PostgreSQL database if there is a URL, else in the data directory.
struct StorePlace {
    std::filesystem::path data;
    Secret url;  // may hold a password

    bool is_shared() const { return !url.empty(); }
};

// Whether a URL is one that can be used; the message does not repeat it.
Result<> check_store_url(const std::string& url);
// The URL without password and options.
std::string shown_store(const StorePlace& place);

// As the server, which owns what it opens.
Result<std::unique_ptr<store::Store>> open_store(const StorePlace& place);
// As a command, beside servers.
Result<std::unique_ptr<store::Store>> open_store_beside_servers(const StorePlace& place);

}  // namespace sheaf::app

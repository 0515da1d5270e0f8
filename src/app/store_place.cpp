#include "app/store_place.h"

#include <algorithm>

#include "store/stores.h"

namespace sheaf::app {

Result<> check_store_url(const std::string& url) {
    if (url.empty() || url.starts_with("postgres://") || url.starts_with("postgresql://")) return {};
    return fail(ErrorCode::invalid,
                "The store must be postgres://USER@HOST/DATABASE, or absent for the data directory.");
}

std::string shown_store(const StorePlace& place) {
    if (!place.is_shared()) return place.data.string();
    const std::string& url = place.url.reveal();
    const auto host = url.find("://") + 3;
    const auto end = std::min(url.find_first_of("/?", host), url.size());
    const auto database_end = std::min(url.find('?', host), url.size());
    const auto at = url.rfind('@', end);
    const auto from = at == std::string::npos || at < host ? host : at + 1;
    return "postgres://" + url.substr(from, database_end - from);
}

Result<std::unique_ptr<store::Store>> open_store(const StorePlace& place) {
    if (const auto usable = check_store_url(place.url.reveal()); !usable)
        return std::unexpected(usable.error());
    if (place.is_shared()) return store::open_postgres_store({.url = place.url, .directory = place.data});
    return store::open_sqlite_store({.directory = place.data});
}

Result<std::unique_ptr<store::Store>> open_store_beside_servers(const StorePlace& place) {
    if (const auto usable = check_store_url(place.url.reveal()); !usable)
        return std::unexpected(usable.error());
    if (place.is_shared())
        return store::open_postgres_store({.url = place.url, .directory = place.data, .exclusive = false});
    return store::open_sqlite_store({.directory = place.data, .exclusive = false});
}

}  // namespace sheaf::app

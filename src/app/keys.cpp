#include "app/keys.h"

#include <cstdio>

#include <fmt/format.h>

#include "jsonl/writer.h"
#include "service/accounts.h"

namespace sheaf::app {
namespace {

int complain(const Error& error) {
    fmt::print(stderr, "sheaf keys: {}\n", error.message);
    return error.code == ErrorCode::invalid ? 2 : error.code == ErrorCode::not_found ? 4 : 3;
}

}  // namespace

int create_key(const StorePlace& place, const std::string& account, bool json) {
    if (!service::is_account_name(account)) {
        return complain({.code = ErrorCode::invalid,
                         .message = "An account's name has 1 to 64 of the characters A-Z a-z 0-9 _ . -"});
    }
    auto store = open_store_beside_servers(place);
    if (!store) return complain(store.error());
    const service::NewKey key = service::make_key({account}, SystemClock{}.now());
    if (auto inserted = (*store)->keys().insert(key.stored); !inserted) return complain(inserted.error());
    if (json) {
        jsonl::Writer line;
        line.open_object()
            .member("id", key.stored.id)
            .member("account", account)
            .member("key", key.key.reveal())
            .close_object();
        fmt::print("{}\n", line.text());
    } else {
        fmt::print("{}\n", key.key.reveal());
        fmt::print(stderr,
                   "This key of the account \"{}\" is shown only now. Use it as the header x-api-key, or:\n"
                   "  export SHEAF_API_KEY=<the key above>\n",
                   account);
    }
    return 0;
}

int list_keys(const StorePlace& place, bool json) {
    auto store = open_store_beside_servers(place);
    if (!store) return complain(store.error());
    auto keys = (*store)->keys().list();
    if (!keys) return complain(keys.error());
    if (!json) fmt::print("{:<14} {:<24} {:<26} {}\n", "ID", "ACCOUNT", "CREATED", "REVOKED");
    for (const store::ApiKey& key : *keys) {
        const std::string revoked = key.revoked_at ? to_rfc3339(*key.revoked_at) : "";
        if (json) {
            jsonl::Writer line;
            line.open_object().member("id", key.id).member("account", key.account.name);
            line.member("created_at", to_rfc3339(key.created_at));
            if (revoked.empty())
                line.member_null("revoked_at");
            else
                line.member("revoked_at", revoked);
            fmt::print("{}\n", line.close_object().text());
        } else {
            fmt::print("{:<14} {:<24} {:<26} {}\n", key.id, key.account.name, to_rfc3339(key.created_at),
                       revoked);
        }
    }
    return 0;
}

int revoke_key(const StorePlace& place, const std::string& id) {
    auto store = open_store_beside_servers(place);
    if (!store) return complain(store.error());
    if (auto revoked = (*store)->keys().revoke(id, SystemClock{}.now()); !revoked) {
        if (revoked.error().code == ErrorCode::not_found) {
            return complain(
                {.code = ErrorCode::not_found,
                 .message = "There is no key with the id \"" + id + "\"; `sheaf keys list` shows them."});
        }
        return complain(revoked.error());
    }
    fmt::print(stderr, "The key {} is revoked. A running server refuses it within a second.\n", id);
    return 0;
}

Result<std::optional<Secret>> make_first_key(store::Store& store, const Clock& clock) {
    auto keys = store.keys().list();
    if (!keys) return std::unexpected(keys.error());
    if (!keys->empty()) return std::nullopt;
    service::NewKey key = service::make_key({"default"}, clock.now());
    if (auto inserted = store.keys().insert(key.stored); !inserted) return std::unexpected(inserted.error());
    return std::move(key.key);
}

}  // namespace sheaf::app

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "app/store_place.h"

namespace sheaf::app {

// `sheaf webhooks`: each opens the store beside running servers, which notice within a second;
// prints, and returns the exit code: 0, 2 (something given is wrong), 3 (the store cannot be used), 4
// (there is no such webhook).

struct NewWebhook {
    std::string account;
    std::string dialect;
    std::string url;
    std::vector<std::string> types;  // empty: all
};
// The secret is shown only now, and when it is rotated.
int add_webhook(const StorePlace& place, const NewWebhook& wanted, bool json);
int list_webhooks(const StorePlace& place, bool json);
int rotate_webhook(const StorePlace& place, const std::string& id, bool json);
int enable_webhook(const StorePlace& place, const std::string& id, bool enabled);
int remove_webhook(const StorePlace& place, const std::string& id);
// Has the running server send a test event, and waits for what becomes of it: 0 when it was taken, 1 when
// not, 3 when no server sends it.
int test_webhook(const StorePlace& place, const std::string& id);

struct DeliveryFilter {
    std::string webhook;  // its id; empty: all
    bool undelivered_only = false;
    std::uint32_t count = 50;
};
int list_deliveries(const StorePlace& place, const DeliveryFilter& filter, bool json);

}  // namespace sheaf::app

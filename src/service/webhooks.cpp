#include "service/webhooks.h"

namespace sheaf::service {

async::Task<Result<std::vector<std::vector<Telling>>>> Webhooks::tellings(std::vector<store::Topic> topics) {
    std::vector<std::vector<Telling>> all(topics.size());
    if (topics.empty()) co_return all;
    auto found = co_await outbox_([&](store::Outbox& outbox) { return outbox.about(topics); });
    if (!found) co_return std::unexpected(found.error());
    for (std::size_t at = 0; at < all.size(); ++at) {
        for (store::Delivery& each : (*found)[at]) {
            if (each.attempts == 0) continue;
            all[at].push_back({.url = std::move(each.url),
                               .delivered = each.delivered,
                               .attempts = each.attempts,
                               .last_error = std::move(each.last_error)});
        }
    }
    co_return all;
}

}  // namespace sheaf::service

#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <string>

#include "async/blocking.h"
#include "async/task_group.h"
#include "async/timer.h"
#include "base/clock.h"
#include "fetch/fetch.h"
#include "store/outbox.h"
#include "webhook/expander.h"
#include "webhook/retries.h"

namespace sheaf::webhook {

struct SenderPolicy {
    Retries webhook_retries{{std::chrono::seconds{5}, std::chrono::seconds{30}, std::chrono::minutes{2},
                             std::chrono::minutes{10}, std::chrono::minutes{30}, std::chrono::hours{1},
                             std::chrono::hours{2}, std::chrono::hours{4}}};
    // Of targets that items name themselves. Three more attempts, by the vendor's contract
    // (docs/api/sail.md).
    Retries own_target_retries{{std::chrono::seconds{5}, std::chrono::seconds{30}, std::chrono::minutes{2}}};
    std::chrono::milliseconds webhook_time{10'000};  // of one attempt
    std::chrono::milliseconds own_target_time{30'000};
    // What fails when it is so old is given up, however few attempts it had: its target has had too much to
    // catch up with.
    std::chrono::seconds age_max{std::chrono::hours{24}};
    std::chrono::seconds kept_for{std::chrono::hours{24 * 30}};  // once it has ended
    std::uint32_t attempts_at_once = 16;
    std::uint32_t attempts_at_once_per_account = 8;
    std::uint32_t attempts_at_once_per_target = 4;  // one, while its last attempt failed

    AttemptsMax attempts_max() const {
        return {webhook_retries.attempts_max(), own_target_retries.attempts_max()};
    }
};

// Tells webhooks what has ended: makes deliveries of facts, and sends each until it was taken or its attempts
// are used up. At least once: what was sent and not noted before a crash is sent again, under the same id.
//
// Belongs to one executor, but for wake(). No target waits for another: each has a few attempts at once at
// most, and one that fails has one. Deliveries of one target may overtake each other.
class Sender {
public:
    struct Parts {
        async::Executor executor;
        async::Blocking<store::Outbox> outbox;
        async::Lane* store_lane = nullptr;
        Expander* expander = nullptr;      // used on the store's lane
        async::Lane* post_lane = nullptr;  // with a thread for each attempt at once
        fetch::Poster* poster = nullptr;
        const Clock* clock = nullptr;
        SenderPolicy policy;
        std::uint64_t seed = 0;
    };
    explicit Sender(Parts parts);

    // Something has ended. Any thread. Without it the store is looked at once a second.
    void wake();
    // Until stop().
    async::Task<void> run();
    // Starts no more attempts, gives those under way a moment, and cuts the rest: they are made again by the
    // next start.
    async::Task<void> stop();

private:
    async::Task<void> expand();
    async::Task<void> forget_old();
    async::Task<void> send_due();
    async::Task<void> deliver(store::DueDelivery due);
    // Nullopt: it went well.
    async::Task<std::optional<Error>> attempt(const store::Delivery& delivery);
    store::Attempted judge(const store::Delivery& delivery, const std::optional<Error>& error);
    async::Task<void> note(store::Attempted attempted);
    bool has_room_for(const store::DueDelivery& due) const;

    Parts parts_;
    std::mt19937_64 random_;
    async::Bell facts_bell_;
    async::Bell due_bell_;
    async::TaskGroup housekeeping_;
    async::TaskGroup flights_;
    std::map<std::int64_t, store::DueDelivery> in_flight_;
    std::set<std::string> failing_;  // targets whose last attempt failed
    Timestamp forgot_at_;
    bool stopping_ = false;
};

}  // namespace sheaf::webhook

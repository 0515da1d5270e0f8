#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <span>

#include "async/task.h"
#include "async/timer.h"
#include "base/id.h"
#include "store/item_queue.h"

namespace sheaf::service {

// Wakes those who follow a batch when more of its items have ended.
//
// Belongs to the server's executor, but for told() and told_of_all(), which any thread may call. Outlives
// those who follow.
class Followers {
public:
    // `look_every`: how often who waits should look at the store unasked, since others may write to it.
    Followers(async::Executor executor, std::chrono::milliseconds look_every);

    // These results are durable. Costs nothing while nobody follows.
    void told(std::span<const store::ItemResult> results);
    // Items of any batch may have ended.
    void told_of_all();
    // From now on nobody waits: the server stops.
    void stop();
    bool stopped() const { return stopped_; }
    std::chrono::milliseconds look_every() const { return look_every_; }

    // One who follows. Made before it looks at the store, it misses nothing that comes after.
    class Follower {
    public:
        Follower(Followers& all, const BatchId& batch);
        ~Follower();
        Follower(const Follower&) = delete;
        Follower& operator=(const Follower&) = delete;
        // Until more may have ended, or for `at_most`.
        async::Task<void> wait_for(std::chrono::milliseconds at_most);

    private:
        friend class Followers;
        Followers* all_;
        BatchId batch_;
        async::Bell bell_;
    };

private:
    // What outlives this object while words to it are on their way.
    struct State {
        std::atomic<std::size_t> count = 0;
        std::multimap<BatchId, async::Bell*> by_batch;
    };
    async::Executor executor_;
    std::chrono::milliseconds look_every_;
    std::shared_ptr<State> state_ = std::make_shared<State>();
    bool stopped_ = false;
};

}  // namespace sheaf::service

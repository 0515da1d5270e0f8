#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "async/blocking.h"
#include "async/task_group.h"
#include "async/timer.h"
#include "base/clock.h"
#include "core/item_codec.h"
#include "scheduler/choice.h"
#include "scheduler/finisher.h"
#include "scheduler/models.h"
#include "scheduler/runner.h"
#include "service/live.h"
#include "store/batches.h"
#include "store/item_queue.h"

namespace sheaf::scheduler {

// By the name of the dialect that a batch came in by.
using Codecs = std::map<std::string, const core::ItemCodec*, std::less<>>;

// Keeps every model's slots filled: leases items as slots become free, runs each, hands its result to the
// finisher.
//
// It claims as many items as there are free slots, never more; an arrival or a completion wakes it, no timer
// polls. Belongs to the scheduler's executor, but for wake() and run_live(), which any thread may call.
class Dispatcher final : public service::LiveRunner {
public:
    struct Parts {
        async::Executor executor;
        async::Blocking<store::Batches> batches;
        async::Blocking<store::ItemQueue> queue;
        Models* models = nullptr;
        Runner* runner = nullptr;
        Codecs codecs;
        const Clock* clock = nullptr;
        std::chrono::milliseconds lease_for{60'000};
        // Leases of one item after which it fails: an item that takes the process down each time must run
        // out.
        std::uint32_t leases_max = 25;
        // Called when a batch has ended, whatever ended it.
        std::function<void()> on_ended;
        // Called when results are durable.
        std::function<void()> on_written = [] {};
    };
    explicit Dispatcher(Parts parts);

    // Something was submitted, canceled or ended: look at the store again.
    void wake();
    // Leases and runs until stop().
    async::Task<void> run();
    // Claims no more, lets what runs finish for `grace`, then gives the leases of the rest back. Results that
    // are there are written down before it returns.
    async::Task<void> stop(std::chrono::milliseconds grace);

    // Batches known to be unfinished whose time is up.
    std::vector<BatchId> due(Timestamp now) const;

    async::Task<core::Ending> run_live(AccountId account, core::Inference inference,
                                       std::function<void(std::string_view)> on_text) override;
    bool knows_model(std::string_view model) const override { return parts_.models->contains(model); }
    std::vector<std::string> models() const override;

private:
    // A leased item and what it asks.
    struct Decoded {
        core::Lease lease;
        core::Inference inference;
    };

    // An unfinished batch. Stays until its last flight has landed.
    struct Active {
        Active(core::Batch head, async::Executor executor) : batch(std::move(head)), flights(executor) {}
        core::Batch batch;
        async::TaskGroup flights;
        std::uint32_t waiting = 0;  // items that a claim may get, as far as is known
        bool ended = false;
        std::map<std::uint32_t, core::Lease>
            leases;  // by ordinal: what a crash would leave to the next start
        // Of a batch whose items name their models: what was leased while its model had no free slot, by
        // model. At most kParkedMax of them, so that one slow model does not hold up the others for long.
        std::map<std::string, std::deque<Decoded>, std::less<>> parked;
        std::size_t parked_count = 0;
        bool is_mixed() const { return batch.model.empty(); }
    };

    async::Task<void> refresh();
    async::Task<void> fill_slots();
    async::Task<void> claim(Share share, Model& model);
    // Launches what is parked for the model, or leases more.
    async::Task<void> serve(Share share, Model& model);
    void launch_parked(Active& active, Model& model, std::uint32_t count_max);
    // Launches an item of a mixed batch, or parks it, or ends it when its model is not served.
    void sort_in(Active& active, core::Lease lease);
    async::Task<void> fly(Active& active, core::Lease lease, Model& model, Slot slot);
    async::Task<void> fly_decoded(Active& active, Decoded decoded, Model& model, Slot slot);
    async::Task<void> land(Active& active, core::Lease lease, core::Ending ending);
    async::Task<core::Ending> ending_of(const core::Batch& batch, const core::Lease& lease, Model& model);
    // Why the item may not be tried once more: it took the process down too often.
    std::optional<core::Failure> worn_out(const core::Lease& lease) const;
    async::Task<core::Ending> live(AccountId account, core::Inference inference,
                                   std::function<void(std::string_view)> on_text);
    async::Task<void> renew_leases();
    // False when the store could not.
    async::Task<bool> renew_held();
    async::Task<void> release_leases();
    void forget_written(std::span<const store::ItemResult> results, std::span<const core::Batch> ended);
    void drop_ended();
    std::vector<Candidate> candidates_for(const Model& model) const;
    // Batch items that the model may take on now.
    std::uint32_t free_slots(const Model& model) const;

    Parts parts_;
    Finisher finisher_;
    async::TaskGroup housekeeping_;
    async::Bell bell_;
    async::Bell live_slot_freed_;
    std::atomic<bool> store_changed_ = true;
    Timestamp renewed_at_;
    bool stopping_ = false;
    bool stopped_ = false;
    std::map<BatchId, Active> active_;
};

}  // namespace sheaf::scheduler

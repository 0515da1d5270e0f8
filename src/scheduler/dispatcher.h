#pragma once

#include <atomic>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "async/blocking.h"
#include "async/task_group.h"
#include "async/timer.h"
#include "base/clock.h"
#include "core/item_codec.h"
#include "scheduler/active_batch.h"
#include "scheduler/choice.h"
#include "scheduler/finisher.h"
#include "scheduler/models.h"
#include "scheduler/placement.h"
#include "scheduler/runner.h"
#include "service/live.h"
#include "store/batches.h"
#include "store/item_queue.h"

namespace sheaf::scheduler {

// Keeps every model's slots filled: leases items ahead of need, starts them as slots become free, runs each,
// hands its result to the finisher.
//
// It leases what the free slots take and what is likely to end within a twentieth of a second, so a slow
// model has hardly an item leased that does not run; where the first of many items with one beginning goes
// alone, the others wait leased, too. When nothing waits any more, free slots run once more what is
// late, at most one item in fifty. An arrival or a completion wakes it, no timer polls. Belongs to the
// scheduler's executor, but for wake() and run_live(), which any thread may call.
class Dispatcher final : public service::LiveRunner {
public:
    struct Parts {
        async::Executor executor;
        async::Blocking<store::Batches> batches;
        async::Blocking<store::ItemQueue> queue;
        Models* models = nullptr;
        Runner* runner = nullptr;
        core::Codecs codecs;
        const Clock* clock = nullptr;
        std::chrono::milliseconds lease_for{60'000};
        // Leases of one item after which it fails: an item that takes the process down each time must run
        // out.
        std::uint32_t leases_max = 25;
        // Called when a batch has ended, whatever ended it.
        std::function<void()> on_ended;
        // Called when results are durable; those that came too late are among them.
        std::function<void(std::span<const store::ItemResult>)> on_written = [](auto) {};
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
    using SteadyTime = PrefixRuns::Time;
    // Before a store that could not is asked again.
    static constexpr std::chrono::milliseconds kTroubleWait{500};

    async::Task<void> refresh();
    // Starts what may start, and leases more where that is not enough.
    void fill_slots();
    void fill_slots(Model& model, SteadyTime now);
    std::uint32_t launch(ActiveBatch& active, Model& model, std::uint32_t count_max, SteadyTime now);
    // Leases in the background, unless it does already or has all it may.
    void claim_ahead(ActiveBatch& active, Model& model, std::uint32_t missing, SteadyTime now);
    bool may_claim(const ActiveBatch& active, const Model& model) const;
    // Items whose holder was lost, of batches that are being canceled: no slot is needed for them.
    void claim_to_call_off();
    async::Task<void> claim(ActiveBatch& active, std::uint32_t count);
    void line_up(ActiveBatch& active, core::Lease lease);
    void end_at_once(ActiveBatch& active, core::Lease lease, core::Failure failure);
    // `straggler`: the same item's run that is late.
    void take_off(ActiveBatch& active, Waiting item, Model& model, Flight* straggler = nullptr);
    async::Task<void> fly(std::unique_ptr<Flight> flight, Model& model, Slot slot, AtHome home);
    struct Straggler {
        Flight* flight;
        SteadyTime late_at;
    };
    bool has_more_for(const Model& model) const;
    // The next to be run once more, while nothing else could take the free slots.
    std::optional<Straggler> next_straggler(Model& model) const;
    void run_stragglers_again(Model& model, SteadyTime now);
    async::Task<void> land(ActiveBatch& active, core::Lease lease, core::Ending ending);
    async::Task<core::Ending> ending_of(Flight& flight, Model& model);
    // What no model server was asked for, or has to be asked for again, ends as canceled.
    void call_off(ActiveBatch& active);
    void call_off(Flight& flight, Model& model);
    std::expected<core::Inference, core::Failure> inference_of(const core::Batch& batch,
                                                               std::string_view body) const;
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
    // All batches of the model but those that are `idle`.
    std::vector<Candidate> candidates_for(const Model& model, SteadyTime now,
                                          const std::set<BatchId>& idle) const;
    // Until when nothing happens by itself.
    std::chrono::milliseconds idle_time(SteadyTime now, SteadyTime look_at) const;
    Placement placement_of(const Model& model, SteadyTime now) const;
    // Batch items that the model may take on now.
    std::uint32_t free_slots(const Model& model) const;

    Parts parts_;
    Finisher finisher_;
    async::TaskGroup housekeeping_;
    async::TaskGroup claims_;
    async::Bell bell_;
    async::Bell live_slot_freed_;
    std::atomic<bool> store_changed_ = true;
    Timestamp renewed_at_;
    bool stopping_ = false;
    bool stopped_ = false;
    ActiveBatches active_;
};

}  // namespace sheaf::scheduler

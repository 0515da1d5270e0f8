#pragma once

#include <memory>

#include <boost/asio/io_context.hpp>

#include "async/task_group.h"
#include "blob/blobs.h"
#include "outside.h"
#include "plain_dialect.h"
#include "scheduler/dispatcher.h"
#include "scheduler/publisher.h"
#include "scheduler/reaper.h"
#include "service/batches.h"
#include "stage.h"
#include "store/store.h"
#include "webhook/sender.h"

namespace sheaf::sim {

// What app::Config says of a server.
struct NodeSettings {
    std::uint32_t slots = 4;
    std::chrono::milliseconds lease_for{60'000};
    service::Limits limits;
};

// One life of one server: all that app::Engine builds but HTTP, dialects and media, on one executor that the
// simulation turns. Destroying it is the end of its process: nothing is said good-bye to.
class Node {
public:
    Node(Timeline& timeline, Dice& dice, const WallClock& clock, store::Store& store, ModelServer& models,
         Listener& listener, const NodeSettings& settings);
    ~Node();
    Node(const Node&) = delete;

    // Runs what is ready, one piece. False: nothing is.
    bool turn() { return context_->poll_one() > 0; }
    // A client's call on this node; it is dropped with the node.
    void call(async::Task<void> task) { calls_.spawn(std::move(task)); }
    bool is_called() const { return calls_.size() > 0; }
    service::Batches& batches() { return *batches_; }
    void cut_from_store_until(Time when) { store_stage_.cut_until(when); }
    const Clock& clock() const { return *clock_; }
    store::Store& store() { return *store_; }

    // As app::Engine::stop(). `stopped` is true when all is written down.
    void stop(std::chrono::milliseconds grace, bool& stopped);

private:
    async::Task<void> stop_in_order(std::chrono::milliseconds grace, bool& stopped);

    const WallClock* clock_;
    store::Store* store_;
    std::unique_ptr<boost::asio::io_context> context_ = std::make_unique<boost::asio::io_context>(1);
    Stage store_stage_, post_stage_;
    async::Lane store_lane_{store_stage_}, post_lane_{post_stage_};
    PlainCodec codec_;
    PlainRenderer renderer_;
    std::unique_ptr<blob::BlobStore> blobs_ = blob::make_memory_blobs();
    scheduler::Models models_;
    std::unique_ptr<scheduler::Inputs> inputs_;
    std::unique_ptr<scheduler::Runner> runner_;
    std::unique_ptr<scheduler::Dispatcher> dispatcher_;
    std::unique_ptr<scheduler::Publisher> publisher_;
    std::unique_ptr<scheduler::Reaper> reaper_;
    std::unique_ptr<webhook::Expander> expander_;
    std::unique_ptr<webhook::Sender> sender_;
    std::unique_ptr<service::Batches> batches_;
    async::TaskGroup behind_, calls_;
};

}  // namespace sheaf::sim

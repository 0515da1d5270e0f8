#include "node.h"

namespace sheaf::sim {
namespace {

constexpr std::chrono::microseconds kOfStore{300};
constexpr std::chrono::microseconds kOfPost{15'000};

webhook::SenderPolicy sender_policy() {
    webhook::SenderPolicy policy;
    policy.webhook_retries = {{500ms, 1s, 2s, 4s, 8s, 8s, 8s, 8s}};
    policy.age_max = std::chrono::hours{24 * 7};  // clocks jump by a day: no delivery is old for that
    return policy;
}

}  // namespace

Node::Node(Timeline& timeline, Dice& dice, const WallClock& clock, store::Store& store, ModelServer& models,
           Listener& listener, const NodeSettings& settings)
    : clock_(&clock),
      store_(&store),
      store_stage_(timeline, dice, kOfStore),
      post_stage_(timeline, dice, kOfPost),
      behind_(context_->get_executor()),
      calls_(context_->get_executor()) {
    const auto executor = context_->get_executor();
    const core::Codecs codecs{{std::string(kDialect), &codec_}};
    const async::Blocking<store::Batches> batches(store.batches(), store_lane_);
    models_.try_emplace(std::string(kModel),
                        scheduler::Model{.name = std::string(kModel),
                                         .backend = std::make_unique<SimulatedBackend>(models),
                                         .slots = settings.slots});
    inputs_ =
        std::make_unique<scheduler::Inputs>(scheduler::Inputs::Parts{.assets = {store.assets(), store_lane_},
                                                                     .blobs = {*blobs_, store_lane_},
                                                                     .clock = &clock,
                                                                     .limits = settings.limits});
    runner_ = std::make_unique<scheduler::Runner>(*inputs_, dice.seed());
    dispatcher_ = std::make_unique<scheduler::Dispatcher>(
        scheduler::Dispatcher::Parts{.executor = executor,
                                     .batches = batches,
                                     .queue = {store.items(), store_lane_},
                                     .models = &models_,
                                     .runner = runner_.get(),
                                     .codecs = codecs,
                                     .clock = &clock,
                                     .lease_for = settings.lease_for,
                                     .on_ended =
                                         [this] {
                                             publisher_->wake();
                                             sender_->wake();
                                         },
                                     .on_written = [this](auto) { sender_->wake(); }});
    publisher_ = std::make_unique<scheduler::Publisher>(executor, batches, codecs, clock);
    reaper_ = std::make_unique<scheduler::Reaper>(batches, *dispatcher_, clock);
    const webhook::SenderPolicy policy = sender_policy();
    expander_ = std::make_unique<webhook::Expander>(
        store.outbox(), store.batches(), webhook::EventRenderers{{std::string(kDialect), &renderer_}},
        policy.attempts_max());
    sender_ =
        std::make_unique<webhook::Sender>(webhook::Sender::Parts{.executor = executor,
                                                                 .outbox = {store.outbox(), store_lane_},
                                                                 .store_lane = &store_lane_,
                                                                 .expander = expander_.get(),
                                                                 .post_lane = &post_lane_,
                                                                 .poster = &listener,
                                                                 .clock = &clock,
                                                                 .policy = policy,
                                                                 .seed = dice.seed()});
    batches_ = std::make_unique<service::Batches>(batches, store_lane_, clock, settings.limits, codecs,
                                                  [this] { dispatcher_->wake(); });
    behind_.spawn(dispatcher_->run());
    behind_.spawn(publisher_->run());
    behind_.spawn(reaper_->run());
    behind_.spawn(sender_->run());
}

Node::~Node() {
    store_stage_.drop_all();
    post_stage_.drop_all();
    context_.reset();
}

void Node::stop(std::chrono::milliseconds grace, bool& stopped) {
    behind_.spawn(stop_in_order(grace, stopped));
}

async::Task<void> Node::stop_in_order(std::chrono::milliseconds grace, bool& stopped) {
    co_await dispatcher_->stop(grace);
    co_await sender_->stop();
    stopped = true;
}

}  // namespace sheaf::sim

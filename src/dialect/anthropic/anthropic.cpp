#include "dialect/anthropic/anthropic.h"

#include "dialect/anthropic/batch_routes.h"
#include "dialect/anthropic/codec.h"
#include "dialect/anthropic/gate.h"
#include "dialect/anthropic/live_routes.h"
#include "dialect/anthropic/model_routes.h"
#include "dialect/anthropic/words.h"

namespace sheaf::dialect::anthropic {
namespace {

class Anthropic final : public Dialect {
public:
    explicit Anthropic(Options options)
        : gate_({&options.accounts, [&batches = options.batches] { return batches.now(); },
                 options.requests_per_minute}),
          batches_({&options.batches, options.limits, options.refuses_sampling}, options.public_url),
          live_(options.executor, {&options.live, options.refuses_sampling, {}}),
          models_(options.live) {}

    std::string_view name() const override { return kDialectName; }
    const core::ItemCodec& codec() const override { return codec_; }
    async::Task<void> stop() override { return live_.stop(); }

    void add_routes(http::Router& router) override {
        batches_.add_to(router, gate_);
        live_.add_to(router, gate_);
        router.add_fallbacks(kMessages, gate_.fallbacks());
    }

    SharedHandlers shared() override {
        SharedHandlers handlers;
        handlers.list_models = models_.list_handler(gate_);
        handlers.retrieve_model = models_.retrieve_handler(gate_);
        handlers.under_v1 = gate_.fallbacks();
        return handlers;
    }

private:
    Codec codec_;
    Gate gate_;
    BatchRoutes batches_;
    LiveRoutes live_;
    ModelRoutes models_;
};

}  // namespace
}  // namespace sheaf::dialect::anthropic

namespace sheaf::dialect {

std::unique_ptr<Dialect> make_anthropic_dialect(anthropic::Options options) {
    return std::make_unique<anthropic::Anthropic>(std::move(options));
}

}  // namespace sheaf::dialect

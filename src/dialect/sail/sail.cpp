#include "dialect/sail/sail.h"

#include "dialect/sail/batch_routes.h"
#include "dialect/sail/codec.h"
#include "dialect/sail/gate.h"
#include "dialect/sail/model_routes.h"
#include "dialect/sail/response_routes.h"
#include "dialect/sail/words.h"

namespace sheaf::dialect::sail {
namespace {

async::Task<Reply> refuse_path() {
    co_return std::unexpected(
        ErrorObject{.status = 404, .type = "not_found_error", .message = "There is nothing at this path."});
}

async::Task<Reply> refuse_method(const http::Request& request) {
    http::Response response = to_response(
        {.status = 405, .type = "invalid_request_error", .message = "This path does not have that method."});
    // The router hands the header's value over in the request.
    response.headers.add("Allow", std::string(request.headers.find("allow").value_or("")));
    co_return response;
}

class Sail final : public Dialect {
public:
    explicit Sail(const Options& options)
        : gate_(options.accounts),
          batches_(options.batches, options.live, options.limits),
          responses_(options.executor, {.batches = &options.batches,
                                        .live = &options.live,
                                        .body_bytes_max = options.limits.live_body_bytes_max}),
          models_(options.live, options.batches.now()) {}

    std::string_view name() const override { return kDialectName; }
    const core::ItemCodec& codec() const override { return codec_; }
    async::Task<void> stop() override { return responses_.stop(); }

    void add_routes(http::Router& router) override {
        batches_.add_to(router, gate_);
        responses_.add_to(router, gate_);
        models_.add_to(router, gate_);
        router.add_fallbacks(kPrefix, fallbacks());
    }

    SharedHandlers shared() override {
        return {.create_batch = [this](http::Request& request,
                                       service::Spool spool) { return create(request, std::move(spool)); },
                .list_batches = gate_.keyed([this](Call& call) { return batches_.list(call); }),
                .retrieve_batch = gate_.keyed([this](Call& call) { return batches_.retrieve(call); }),
                .cancel_batch = gate_.keyed([this](Call& call) { return batches_.cancel(call); }),
                .retrieve_item = gate_.keyed([this](Call& call) { return batches_.retrieve_item(call); }),
                .list_models = {},
                .retrieve_model = {},
                .under_v1 = fallbacks()};
    }

private:
    http::Router::Fallbacks fallbacks() {
        return {.not_found = gate_.keyed([](Call&) { return refuse_path(); }),
                .method_not_allowed = gate_.keyed([](Call& call) { return refuse_method(call.request); })};
    }

    async::Task<http::Response> create(http::Request& request, service::Spool spool) {
        const Gate::Endpoint endpoint = [this, &spool](Call& call) {
            return batches_.create(call, std::move(spool));
        };
        co_return co_await gate_.answer(request, endpoint);
    }

    Codec codec_;
    Gate gate_;
    BatchRoutes batches_;
    ResponseRoutes responses_;
    ModelRoutes models_;
};

}  // namespace
}  // namespace sheaf::dialect::sail

namespace sheaf::dialect {

std::unique_ptr<Dialect> make_sail_dialect(sail::Options options) {
    return std::make_unique<sail::Sail>(options);
}

}  // namespace sheaf::dialect

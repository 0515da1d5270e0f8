#include "dialect/twelvelabs/twelvelabs.h"

#include "dialect/twelvelabs/analyze_routes.h"
#include "dialect/twelvelabs/asset_routes.h"
#include "dialect/twelvelabs/batch_routes.h"
#include "dialect/twelvelabs/codec.h"
#include "dialect/twelvelabs/gate.h"
#include "dialect/twelvelabs/task_routes.h"
#include "dialect/twelvelabs/upload_routes.h"
#include "dialect/twelvelabs/words.h"

namespace sheaf::dialect::twelvelabs {
namespace {

async::Task<Reply> refuse_path() {
    co_return refuse(404, code::kEndpointNotExist, "There is no such endpoint.");
}

async::Task<Reply> refuse_method() {
    co_return refuse(405, code::kMethodNotAllowed, "The endpoint does not know this method.");
}

class TwelveLabs final : public Dialect {
public:
    explicit TwelveLabs(Options options)
        : codec_(options.batches.limits()),
          gate_({&options.accounts, [&batches = options.batches] { return batches.now(); },
                 options.requests_per_minute}),
          batches_({options.batches, options.assets, options.live, options.webhooks}),
          tasks_(
              {&options.batches, &options.assets, &options.live, &options.webhooks, options.default_model}),
          analyze_(options.executor, {&options.assets, &options.live, options.default_model, {}}),
          assets_(options.assets),
          uploads_(options.assets, options.batches, options.public_url) {}

    std::string_view name() const override { return kDialectName; }
    const core::ItemCodec& codec() const override { return codec_; }
    async::Task<void> stop() override { return analyze_.stop(); }

    void add_routes(http::Router& router) override {
        batches_.add_to(router, gate_);
        tasks_.add_to(router, gate_);
        analyze_.add_to(router, gate_);
        assets_.add_to(router, gate_);
        uploads_.add_to(router, gate_);
        router.add_fallbacks(
            kPrefix, {.not_found = gate_.keyed([](Call&) { return refuse_path(); }),
                      .method_not_allowed = with_allow(gate_.keyed([](Call&) { return refuse_method(); }))});
    }

private:
    // Adds the Allow header, whose value the router hands over in the request.
    static http::Handler with_allow(http::Handler refuse) {
        return [refuse = std::move(refuse)](http::Request& request) {
            return answer_with_allow(refuse, request);
        };
    }
    static async::Task<http::Response> answer_with_allow(const http::Handler& refuse,
                                                         http::Request& request) {
        http::Response response = co_await refuse(request);
        if (response.status == 405) {
            response.headers.add("Allow", std::string(request.headers.find("allow").value_or("")));
        }
        co_return response;
    }

    Codec codec_;
    Gate gate_;
    BatchRoutes batches_;
    TaskRoutes tasks_;
    AnalyzeRoutes analyze_;
    AssetRoutes assets_;
    UploadRoutes uploads_;
};

}  // namespace
}  // namespace sheaf::dialect::twelvelabs

namespace sheaf::dialect {

std::unique_ptr<Dialect> make_twelvelabs_dialect(twelvelabs::Options options) {
    return std::make_unique<twelvelabs::TwelveLabs>(std::move(options));
}

}  // namespace sheaf::dialect

#include "dialect/openai/openai.h"

#include <fmt/format.h>

#include "dialect/openai/batch_routes.h"
#include "dialect/openai/codec.h"
#include "dialect/openai/file_routes.h"
#include "dialect/openai/gate.h"
#include "dialect/openai/live_routes.h"
#include "dialect/openai/models.h"
#include "dialect/openai/upload_routes.h"

namespace sheaf::dialect::openai {
namespace {

async::Task<Reply> refuse_path(const http::Request& request) {
    co_return refuse(404, fmt::format("Invalid URL ({} {}).", request.method, request.path.substr(0, 256)));
}

// The value of the Allow header is in the request, where the router put it.
async::Task<Reply> refuse_method(const http::Request& request) {
    const Problem problem{
        405, std::string(type::kInvalidRequest),
        fmt::format("Not allowed to {} on {}.", request.method, request.path.substr(0, 256))};
    http::Response response = to_response(problem);
    response.headers.add("Allow", std::string(request.headers.find("allow").value_or("")));
    co_return response;
}

class OpenAi final : public Dialect {
public:
    explicit OpenAi(const Options& options)
        : codec_(options.limits),
          gate_(options.accounts),
          batches_(gate_, {&options.batches, &options.files, &options.live, options.limits}),
          models_(gate_, options.live, options.batches.now()),
          files_(options.files, options.limits.batch_file_time),
          uploads_(options.files, options.limits.batch_file_time),
          live_(options.executor, {&options.live, options.limits.live_body_bytes_max, {}}) {}

    std::string_view name() const override { return kDialectName; }
    const core::ItemCodec& codec() const override { return codec_; }
    async::Task<void> stop() override { return live_.stop(); }

    void add_routes(http::Router& router) override {
        files_.add_to(router, gate_);
        uploads_.add_to(router, gate_);
        live_.add_to(router, gate_);
    }

    SharedHandlers shared() override {
        SharedHandlers handlers;
        batches_.add_to(handlers);
        models_.add_to(handlers);
        handlers.under_v1 = {
            .not_found = gate_.keyed([](Call& call) { return refuse_path(call.request); }),
            .method_not_allowed = gate_.keyed([](Call& call) { return refuse_method(call.request); })};
        return handlers;
    }

private:
    Codec codec_;
    Gate gate_;
    BatchRoutes batches_;
    ModelRoutes models_;
    FileRoutes files_;
    UploadRoutes uploads_;
    LiveRoutes live_;
};

}  // namespace
}  // namespace sheaf::dialect::openai

namespace sheaf::dialect {

std::unique_ptr<Dialect> make_openai_dialect(openai::Options options) {
    return std::make_unique<openai::OpenAi>(options);
}

}  // namespace sheaf::dialect

#include <utility>
#include <variant>

#include <fmt/format.h>

#include "backend/backends.h"
#include "backend/chat_http/video_analyst.h"
#include "backend/relay/relay.h"

namespace sheaf::backend {
namespace {

class RelayBackend final : public Backend {
public:
    RelayBackend(std::unique_ptr<Servers> servers, RelayOptions options)
        : servers_(std::move(servers)), relay_(*servers_, options.model, std::move(options.protocols)) {
        if (relay_.speaks(core::Protocol::chat_completions))
            analyst_ = chat_http::make_video_analyst(*servers_, std::move(options.model), options.sampling);
    }

    async::Task<core::Outcome> run(Job job) override {
        if (auto* request = std::get_if<core::ModelRequest>(&job.inference))
            co_return co_await relay_.run(std::move(*request), std::move(job.on_text), job.prefix);
        if (analyst_ == nullptr)
            co_return core::Refused{
                {"invalid_request",
                 fmt::format("The model \"{}\" analyses no videos: that takes Chat Completions, and the "
                             "setting protocols of its [[model]] has no \"chat\".",
                             core::model_of(job.inference))}};
        co_return co_await analyst_->run(std::move(job));
    }

    std::optional<std::uint32_t> window() const override { return servers_->window(); }
    void on_wider_window(std::function<void()> told) override { servers_->on_wider_window(std::move(told)); }
    async::Task<void> ready_for(Try attempt) override { return servers_->ready_for(attempt); }
    std::optional<Home> home_of(std::uint64_t prefix) const override { return servers_->home_of(prefix); }
    async::Task<void> stop() override { return servers_->stop(); }

private:
    std::unique_ptr<Servers> servers_;
    relay::Relay relay_;
    std::unique_ptr<Backend> analyst_;
};

}  // namespace

Result<std::unique_ptr<Backend>> make_relay_backend(async::Executor executor, RelayOptions options) {
    auto servers = Servers::make(executor, {.urls = options.urls,
                                            .key = options.key,
                                            .answer_time = options.answer_time,
                                            .admission = options.admission});
    if (!servers) return std::unexpected(servers.error());
    return std::make_unique<RelayBackend>(*std::move(servers), std::move(options));
}

}  // namespace sheaf::backend

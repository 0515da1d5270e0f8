#include <utility>
#include <variant>

#include <fmt/format.h>

#include "backend/backends.h"
#include "backend/chat_http/video_analyst.h"
#include "backend/managed/managed_server.h"
#include "backend/relay/relay.h"

namespace sheaf::backend {
namespace {

class RelayBackend final : public Backend {
public:
    RelayBackend(async::Executor executor, std::unique_ptr<Servers> servers, RelayOptions options)
        : servers_(std::move(servers)), relay_(*servers_, options.model, std::move(options.protocols)) {
        if (relay_.speaks(core::Protocol::chat_completions))
            analyst_ = chat_http::make_video_analyst(*servers_, std::move(options.model), options.sampling);
        if (options.managed)
            managed_ = std::make_unique<managed::ManagedServer>(
                executor, *std::move(options.managed),
                [this](const std::string& origin) { servers_->move(origin + "/v1"); });
    }

    async::Task<core::Outcome> run(Job job) override {
        if (managed_ == nullptr) co_return co_await ask(std::move(job));
        const auto up = co_await managed_->up(job.is_live ? Patience::one_start : Patience::endless);
        if (!up && job.is_live)
            co_return core::Refused{{.code = "overloaded", .message = up.error().message}};
        if (!up) co_return core::Broken{{.code = "analysis_failed", .message = up.error().message}};
        const managed::ManagedServer::Use use(*managed_);
        co_return co_await ask(std::move(job));
    }

    std::optional<std::uint32_t> window() const override { return servers_->window(); }
    void on_wider_window(std::function<void()> told) override { servers_->on_wider_window(std::move(told)); }
    bool is_out() const override { return servers_->is_out(); }
    bool may_be_late() const override { return true; }
    bool keeps_prefixes() const override { return true; }
    std::size_t server_count() const override { return servers_->count(); }
    std::optional<std::size_t> home_of(std::uint64_t prefix) const override {
        return servers_->home_of(prefix);
    }
    void settle(std::uint64_t prefix, std::size_t server) override { servers_->settle(prefix, server); }
    async::Task<void> ready_for(Try attempt) override {
        if (managed_ != nullptr) co_await managed_->up(Patience::endless);
        co_await servers_->ready_for(attempt);
    }

    async::Task<void> stop() override {
        if (managed_ != nullptr) co_await managed_->stop();
        co_await servers_->stop();
    }

private:
    using Patience = managed::ManagedServer::Patience;

    async::Task<core::Outcome> ask(Job job) {
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

    std::unique_ptr<Servers> servers_;
    relay::Relay relay_;
    std::unique_ptr<Backend> analyst_;
    std::unique_ptr<managed::ManagedServer> managed_;
};

}  // namespace

Result<std::unique_ptr<Backend>> make_relay_backend(async::Executor executor, RelayOptions options) {
    // Where a managed server is shows when it is up; nothing is asked before.
    if (options.managed) options.urls = {"http://127.0.0.1:1/v1"};
    auto servers = Servers::make(executor, {.urls = options.urls,
                                            .key = options.key,
                                            .answer_time = options.answer_time,
                                            .admission = options.admission});
    if (!servers) return std::unexpected(servers.error());
    return std::make_unique<RelayBackend>(executor, *std::move(servers), std::move(options));
}

}  // namespace sheaf::backend

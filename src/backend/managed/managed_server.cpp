#include "backend/managed/managed_server.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backend/managed/command.h"
#include "base/descriptor.h"
#include "base/log.h"
#include "http/client.h"

namespace sheaf::backend::managed {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kHealthEvery{200};
constexpr std::chrono::milliseconds kHealthTime{5'000};
constexpr std::chrono::milliseconds kLookAgain{5'000};
// One that was up for so long begins anew with the first wait.
constexpr std::chrono::milliseconds kGoodRun{60'000};

// Free at the moment; should another take it meanwhile, the start fails and the next gets a new one.
Result<std::uint16_t> free_port() {
    const Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    if (::bind(socket.fd(), any, size) != 0 || ::getsockname(socket.fd(), any, &size) != 0)
        return fail(ErrorCode::unavailable, "no port is free");
    return ntohs(address.sin_port);
}

std::string told_status(int status) {
    if (status == 127) return "its command cannot be started";
    return status > 128 ? fmt::format("signal {} ended it", status - 128)
                        : fmt::format("it ended with exit code {}", status);
}

}  // namespace

ManagedServer::ManagedServer(async::Executor executor, ManagedOptions options,
                             std::function<void(const std::string& origin)> on_up)
    : executor_(executor),
      model_(options.name),
      options_(std::move(options)),
      on_up_(std::move(on_up)),
      tasks_(executor),
      changed_(executor) {}

ManagedServer::~ManagedServer() = default;

ManagedServer::Use::Use(ManagedServer& server) : server_(&server) {
    ++server.uses_;
}

ManagedServer::Use::~Use() {
    if (--server_->uses_ == 0) server_->changed_.ring();
}

async::Task<Result<>> ManagedServer::up(Patience patience) {
    const Use waiting(*this);
    while (state_ != State::up && !is_stopped_) {
        if (patience == Patience::one_start && state_ == State::waiting && !is_hopeful_)
            co_return fail(ErrorCode::unavailable, fault_);
        if (!std::exchange(is_looked_after_, true)) tasks_.spawn(look_after());
        co_await changed_.wait_for(kLookAgain);
    }
    if (is_stopped_) co_return fail(ErrorCode::unavailable, "the server stops");
    co_return Result<>{};
}

async::Task<void> ManagedServer::look_after() {
    while (uses_ > 0 && !is_stopped_) co_await run_once();
    is_looked_after_ = false;
}

void ManagedServer::note_fault(std::string message, bool was_up) {
    fault_ = std::move(message);
    ++faults_;
    is_hopeful_ = was_up && faults_ == 1;
    state_ = State::waiting;
    changed_.ring();
}

// From a start to an end; after a fault, to the end of the wait too.
async::Task<void> ManagedServer::run_once() {
    state_ = State::starting;
    const auto port = free_port();
    auto child = port ? Child::start(executor_, {.keeper = options_.keeper,
                                                 .command = with_port(options_.command, *port),
                                                 .environment = without_our_settings(environ),
                                                 .grace = options_.stop_grace,
                                                 .on_line =
                                                     [this](std::string_view line) {
                                                         log::info("model server says",
                                                                   {{"model", model_}, {"line", line}});
                                                     }})
                      : std::unexpected(port.error());
    if (child) {
        const auto origin = fmt::format("http://127.0.0.1:{}", *port);
        log::info("a model server is started", {{"model", model_}, {"origin", origin}});
        child_status_.reset();
        async::TaskGroup running(executor_);
        running.spawn(run_child(**child));
        if (co_await come_up(**child, origin)) {
            log::info("a model server is up", {{"model", model_}, {"origin", origin}});
            state_ = State::up;
            on_up_(origin);
            changed_.ring();
            co_await serve(**child);
        }
        co_await running.wait_until_empty();
    } else {
        note_fault(fmt::format("The model \"{}\" has no server: {}.", model_, child.error().message), false);
    }
    if (state_ == State::down || is_stopped_) {
        state_ = State::down;
        changed_.ring();
        co_return;
    }
    const auto wait =
        std::min(options_.first_wait * (std::int64_t{1} << std::min(faults_ - 1, 20U)), options_.wait_max);
    log::error("a model server is to be started again",
               {{"model", model_}, {"why", fault_}, {"wait_ms", wait.count()}});
    const auto until = Clock::now() + wait;
    while (Clock::now() < until && !is_stopped_)
        co_await changed_.wait_for(std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()));
    state_ = State::down;
}

async::Task<void> ManagedServer::run_child(Child& child) {
    child_status_ = co_await child.run();
    changed_.ring();
}

async::Task<bool> ManagedServer::come_up(Child& child, const std::string& origin) {
    const auto end = Clock::now() + options_.start_time;
    bool is_late = false;
    while (!child_status_) {
        if (!is_late && !is_stopped_ && co_await is_healthy(origin)) {
            if (!child_status_) co_return true;
            break;
        }
        if (!is_late && (Clock::now() >= end || is_stopped_)) {
            is_late = true;
            child.ask_to_stop();
        }
        co_await changed_.wait_for(is_late ? kLookAgain : kHealthEvery);
    }
    note_fault(is_late ? fmt::format("The server of the model \"{}\" did not answer /health within {} s.",
                                     model_, std::chrono::duration<double>(options_.start_time).count())
                       : fmt::format("The server of the model \"{}\" does not come up: {}.", model_,
                                     told_status(*child_status_)),
               false);
    co_return false;
}

// Until it has ended, be it because nobody needed it.
async::Task<void> ManagedServer::serve(Child& child) {
    const auto up_since = Clock::now();
    auto idle_since = up_since;
    bool is_asked = false;
    while (!child_status_) {
        if (uses_ > 0) idle_since = Clock::now();
        const bool is_idle = Clock::now() - idle_since >= options_.idle_time;
        if (!is_asked && (is_idle || is_stopped_)) {
            log::info("a model server is stopped",
                      {{"model", model_}, {"why", is_stopped_ ? "Sheaf stops" : "it was idle"}});
            is_asked = true;
            state_ = State::stopping;
            child.ask_to_stop();
        }
        // A use that ends rings.
        const auto wait = uses_ > 0 || is_asked ? kLookAgain
                                                : std::chrono::ceil<std::chrono::milliseconds>(
                                                      options_.idle_time - (Clock::now() - idle_since));
        co_await changed_.wait_for(std::max(wait, std::chrono::milliseconds{1}));
    }
    if (is_asked) {
        state_ = State::down;
        faults_ = 0;
    } else {
        if (Clock::now() - up_since > kGoodRun) faults_ = 0;
        note_fault(
            fmt::format("The server of the model \"{}\" died: {}.", model_, told_status(*child_status_)),
            true);
    }
}

async::Task<bool> ManagedServer::is_healthy(const std::string& origin) {
    const auto client = http::Client::make(executor_, origin, {});
    for (const auto* path : {"/health", "/v1/models"}) {
        http::ClientRequest request;
        request.method = "GET";
        request.target = path;
        request.time_max = kHealthTime;
        const auto response = co_await (*client)->send(std::move(request));
        if (response && response->status >= 200 && response->status < 300) co_return true;
        if (!response || response->status != 404) co_return false;
    }
    co_return false;
}

async::Task<void> ManagedServer::stop() {
    is_stopped_ = true;
    changed_.ring();
    co_await tasks_.wait_until_empty();
}

}  // namespace sheaf::backend::managed

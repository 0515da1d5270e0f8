#include "app/server.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <thread>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/signal_set.hpp>
#include <fmt/format.h>
#include <sys/resource.h>

#include "app/engine.h"
#include "app/keys.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/out_of_memory.h"

namespace sheaf::app {
namespace {

using Context = boost::asio::io_context;

// Runs a context on a thread of its own until it is stopped.
class ContextThread {
public:
    explicit ContextThread(Context& context)
        : context_(&context), guard_(context.get_executor()), thread_([&context] { context.run(); }) {}
    ~ContextThread() {
        guard_.reset();
        context_->stop();
        thread_.join();
    }

private:
    Context* context_;
    boost::asio::executor_work_guard<async::Executor> guard_;
    std::thread thread_;
};

std::string url_of(const Address& address, std::uint16_t port) {
    const bool is_ipv6 = address.host.find(':') != std::string::npos;
    return is_ipv6 ? fmt::format("http://[{}]:{}", address.host, port)
                   : fmt::format("http://{}:{}", address.host, port);
}

void say_how_to_use(const std::string& url, const Config& config, const std::optional<Secret>& first_key) {
    fmt::print("sheaf serves {} (data in {})\n", url, shown_store(config.store_place()));
    if (first_key) {
        fmt::print(
            "\nFirst start: this key of the account \"default\" was made. It is shown only now.\n\n"
            "  export SHEAF_API_KEY={}\n  export SHEAF_SERVER={}\n  sheaf submit my-video.mp4\n\n"
            "Base URLs for the vendors' SDKs, with this key as the API key:\n\n"
            "  Anthropic {}    OpenAI {}/v1    Sail {}/sail/v1    TwelveLabs {}/v1.3\n\n",
            first_key->reveal(), url, url, url, url, url);
    }
    std::fflush(stdout);
}

// Written whole or not at all: who waits for the file reads a complete number.
Result<> write_port_file(const std::filesystem::path& path, std::uint16_t port) {
    if (path.empty()) return {};
    const std::filesystem::path temporary = path.string() + ".part";
    std::ofstream file(temporary);
    file << port << '\n';
    file.close();
    std::error_code error;
    if (file) std::filesystem::rename(temporary, path, error);
    if (!file || error)
        return fail(ErrorCode::invalid, "The port file " + path.string() + " cannot be written.");
    return {};
}

// Waits for a signal, or for the store to refuse for good. Nullopt after a signal, else what the store said.
async::Task<std::optional<Error>> wait_for_the_end(Engine& engine) {
    using SignalSet = boost::asio::basic_signal_set<async::Executor>;
    SignalSet signals(co_await async::current_executor(), SIGINT, SIGTERM);
    bool signaled = false;
    signals.async_wait([&](const boost::system::error_code& error, int) { signaled = !error; });
    std::optional<Error> fault;
    while (!signaled && !fault) {
        co_await async::sleep_for(std::chrono::milliseconds{50});
        if (auto health = engine.health(); !health) fault = health.error();
    }
    signals.cancel();
    co_await async::sleep_for(std::chrono::milliseconds{0});
    co_return fault;
}

// A descriptor a connection and one a file: as many as the system lets us have. How many there are.
std::size_t raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
    const rlimit raised{.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
    if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
    return limit.rlim_cur;
}

// Half of the descriptors stay for files and for calls of model servers: clients' connections, which cost
// them nothing, must not stop work.
Config with_descriptors_left(Config config, std::size_t descriptors) {
    const std::size_t for_clients = std::max<std::size_t>(1, descriptors / 2);
    if (for_clients >= config.server.connections_max) return config;
    log::warning("the limit on open files (ulimit -n) allows fewer connections than are set",
                 {{"set", config.server.connections_max}, {"allowed", for_clients}});
    config.server.connections_max = static_cast<std::uint32_t>(for_clients);
    return config;
}

int complain(const Error& error) {
    fmt::print(stderr, "sheaf serve: {}\n", error.message);
    return error.code == ErrorCode::invalid ? 2 : 3;
}

}  // namespace

int serve(const Config& set) {
    log::set_level(set.log_level);
    end_when_out_of_memory();
    // OpenSSL makes itself ready at its first use, once: were there no memory then, no key could ever be
    // checked.
    (void)sha256({});
    std::signal(SIGPIPE, SIG_IGN);
    const Config config = with_descriptors_left(set, raise_descriptor_limit());
    const auto address = parse_address(config.listen);
    if (!address) return complain(address.error());

    Context io(1);
    Context scheduler(1);
    Context control(1);
    auto engine = Engine::make(config, io.get_executor(), scheduler.get_executor());
    if (!engine) return complain(engine.error());
    if (auto listening = (*engine)->listen(address->host, address->port); !listening)
        return complain(listening.error());
    auto first_key = make_first_key((*engine)->store(), SystemClock{});
    if (!first_key) return complain(first_key.error());

    int code = 0;
    {
        const ContextThread io_thread(io);
        const ContextThread scheduler_thread(scheduler);
        auto life = [&]() -> async::Task<void> {
            co_await (*engine)->start();
            if (auto written = write_port_file(config.port_file, (*engine)->port()); !written)
                code = complain(written.error());
            say_how_to_use(url_of(*address, (*engine)->port()), config, *first_key);
            if (code == 0) {
                if (const auto fault = co_await wait_for_the_end(**engine)) {
                    // What reached the disk is unknown now: nothing more may be acknowledged or written.
                    log::error("the store has failed; ending at once, start again to recover",
                               {{"why", fault->message}});
                    std::_Exit(5);
                }
            }
            std::signal(SIGINT, SIG_DFL);
            std::signal(SIGTERM, SIG_DFL);
            log::info("stopping", {{"grace_ms", config.stop_grace.count()}});
            co_await (*engine)->stop();
        };
        async::TaskGroup group(control.get_executor());
        group.spawn(life());
        control.run();
    }
    engine->reset();
    return code;
}

}  // namespace sheaf::app

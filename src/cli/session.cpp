#include "cli/session.h"

#include <csignal>
#include <cstdlib>
#include <fstream>

#include <boost/asio/basic_signal_set.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <fmt/format.h>

namespace sheaf::cli {
namespace {

std::string environment(const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr ? "" : value;
}

Outcome<Secret> read_key_file(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    if (!file || !std::getline(file, line))
        return give_up(ExitCode::usage, fmt::format("The key file {} cannot be read.", path));
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    return Secret(std::move(line));
}

Outcome<Secret> find_key(const ServerFlags& flags) {
    if (!flags.key.empty()) return Secret(flags.key);
    if (!flags.key_file.empty()) return read_key_file(flags.key_file);
    if (std::string key = environment("SHEAF_API_KEY"); !key.empty()) return Secret(std::move(key));
    if (const std::string path = environment("SHEAF_KEY_FILE"); !path.empty()) return read_key_file(path);
    return Secret();
}

std::string find_server(const ServerFlags& flags) {
    if (!flags.server.empty()) return flags.server;
    const std::string server = environment("SHEAF_SERVER");
    return server.empty() ? "http://127.0.0.1:8080" : server;
}

int complain(const Console& console, const Failure& failure) {
    console.tell("sheaf: " + failure.message);
    return static_cast<int>(failure.exit_code);
}

}  // namespace

int run_session(const Console& console, const ServerFlags& flags, const Command& command) {
    auto key = find_key(flags);
    if (!key) return complain(console, key.error());
    boost::asio::io_context io(1);
    auto api = Api::make(io.get_executor(), find_server(flags), std::move(*key));
    if (!api) return complain(console, api.error());

    Session session{console, **api, {}};
    bool interrupted = false;
    boost::asio::cancellation_signal canceled;
    boost::asio::basic_signal_set<async::Executor> signals(io.get_executor(), SIGINT, SIGTERM);
    signals.async_wait([&](const boost::system::error_code& error, int) {
        if (error) return;
        interrupted = true;
        // From now on a signal does what it does by default.
        boost::system::error_code ignored;
        signals.clear(ignored);
        canceled.emit(boost::asio::cancellation_type::terminal);
    });
    int exit_code = static_cast<int>(ExitCode::no_server);
    boost::asio::co_spawn(
        io, command(session),
        boost::asio::bind_cancellation_slot(
            canceled.slot(), [&](const std::exception_ptr& thrown, const Outcome<ExitCode>& outcome) {
                io.stop();
                if (interrupted) return;
                if (thrown) std::rethrow_exception(thrown);
                exit_code = outcome ? static_cast<int>(*outcome) : complain(console, outcome.error());
            }));
    io.run();
    std::fflush(console.out);
    if (!interrupted) return exit_code;
    if (!session.if_interrupted.empty()) console.tell("\n" + session.if_interrupted);
    return static_cast<int>(ExitCode::interrupted);
}

}  // namespace sheaf::cli

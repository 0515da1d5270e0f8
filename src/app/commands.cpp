#include "app/commands.h"

#include <cstdio>
#include <functional>
#include <optional>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/config.h"
#include "app/keys.h"
#include "app/server.h"
#include "cli/command.h"

namespace sheaf::app {
namespace {

constexpr std::string_view kVersion = "0.1.0";

// What was given on the command line; what was not keeps the value from the environment, file or default.
struct ServeFlags {
    std::optional<std::string> config;
    std::optional<std::string> data;
    std::optional<std::string> listen;
    std::optional<std::string> port_file;
};

int run_serve(const ServeFlags& flags) {
    std::optional<std::filesystem::path> path;
    if (flags.config)
        path = *flags.config;
    else if (const char* const from_environment = std::getenv("SHEAF_CONFIG"))
        path = from_environment;
    auto config = read_config(path);
    if (!config) {
        fmt::print(stderr, "sheaf serve: {}\n", config.error().message);
        return 2;
    }
    if (flags.data) config->data = *flags.data;
    if (flags.listen) config->listen = *flags.listen;
    if (flags.port_file) config->port_file = *flags.port_file;
    return serve(*config);
}

std::string default_data() {
    const auto config = read_config(std::nullopt);
    return config ? config->data.string() : "data";
}

void add_serve(CLI::App& program, ServeFlags& flags, std::function<int()>& chosen) {
    CLI::App* const serve = program.add_subcommand("serve", "Run the server until SIGINT or SIGTERM");
    serve
        ->add_option("--config", flags.config,
                     "TOML file with the settings (default: $SHEAF_CONFIG, or none)")
        ->type_name("FILE");
    serve->add_option("--data", flags.data, "Directory for everything durable (default: ./data)")
        ->type_name("DIR");
    serve
        ->add_option("--listen", flags.listen,
                     "Address to serve on (default: 127.0.0.1:8080; port 0 takes a free one)")
        ->type_name("HOST:PORT");
    serve->add_option("--port-file", flags.port_file, "File that receives the port once the server is ready")
        ->type_name("FILE");
    serve->footer(
        "The first start makes an API key and prints it. Settings: flags win over SHEAF_* variables,\n"
        "those over the file, the file over defaults (docs/operations.md).\n"
        "Exit codes: 0 stopped by a signal, 2 wrong settings, 3 cannot start, 5 the disk failed.");
    serve->callback([&] { chosen = [&flags] { return run_serve(flags); }; });
}

struct KeyFlags {
    std::string data = default_data();
    std::string account = "default";
    std::string id;
    bool json = false;
};

void add_keys(CLI::App& program, KeyFlags& flags, std::function<int()>& chosen) {
    CLI::App* const keys =
        program.add_subcommand("keys", "Create, list and revoke API keys, also while the server runs");
    keys->require_subcommand(1);
    const auto add_data = [&](CLI::App* command) {
        command
            ->add_option("--data", flags.data, "The server's data directory (default: $SHEAF_DATA or ./data)")
            ->type_name("DIR");
    };
    CLI::App* const create =
        keys->add_subcommand("create", "Make a key; it is printed once and stored as a hash");
    create->add_option("--account", flags.account, "Whose key it is (default: default)")->type_name("NAME");
    create->add_flag("--json", flags.json, "Print {\"id\",\"account\",\"key\"}");
    add_data(create);
    create->callback(
        [&] { chosen = [&flags] { return create_key(flags.data, flags.account, flags.json); }; });
    CLI::App* const list = keys->add_subcommand("list", "Show all keys, without their secrets");
    list->add_flag("--json", flags.json, "One JSON object per line");
    add_data(list);
    list->callback([&] { chosen = [&flags] { return list_keys(flags.data, flags.json); }; });
    CLI::App* const revoke = keys->add_subcommand("revoke", "Refuse a key from now on");
    revoke->add_option("id", flags.id, "The key's id, as `sheaf keys list` shows it")
        ->required()
        ->type_name("ID");
    add_data(revoke);
    revoke->callback([&] { chosen = [&flags] { return revoke_key(flags.data, flags.id); }; });
}

}  // namespace

int run_command_line(int argc, char** argv) {
    CLI::App program("Sheaf, a self-hosted batch inference server", "sheaf");
    program.set_version_flag("--version", std::string("sheaf ") + std::string(kVersion));
    program.require_subcommand(1);
    std::function<int()> chosen;
    ServeFlags serve_flags;
    KeyFlags key_flags;
    add_serve(program, serve_flags, chosen);
    add_keys(program, key_flags, chosen);
    cli::ClientCommands client;
    client.add_to(program, chosen);
    try {
        program.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        const int code = program.exit(error);
        return code == 0 ? 0 : 2;
    }
    return chosen();
}

}  // namespace sheaf::app

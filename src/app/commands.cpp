#include "app/commands.h"

#include <cstdio>
#include <functional>
#include <optional>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/backup.h"
#include "app/config.h"
#include "app/fsck.h"
#include "app/keys.h"
#include "app/server.h"
#include "app/webhooks.h"
#include "cli/command.h"
#include "cli/console.h"

namespace sheaf::app {
namespace {

constexpr std::string_view kVersion = "0.1.0";

// What was given on the command line; what was not keeps the value from the environment, file or default.
struct ServeFlags {
    std::optional<std::string> config;
    std::optional<std::string> data;
    std::optional<std::string> store;
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
    if (flags.store) config->store = Secret(*flags.store);
    if (flags.listen) config->listen = *flags.listen;
    if (flags.port_file) config->port_file = *flags.port_file;
    return serve(*config);
}

// Where a command that works beside servers finds what they keep.
struct PlaceFlags {
    PlaceFlags() {
        const auto config = read_config(std::nullopt);
        if (!config) return;
        data = config->data.string();
        store = config->store.reveal();
    }
    void add_to(CLI::App* command) {
        command->add_option("--data", data, "The server's data directory (default: $SHEAF_DATA or ./data)")
            ->type_name("DIR");
        command
            ->add_option("--store", store,
                         "The servers' PostgreSQL database (default: $SHEAF_STORE, or none)")
            ->type_name("URL");
    }
    StorePlace place() const { return {data, Secret(store)}; }

    std::string data = "data";
    std::string store;
};

void add_serve(CLI::App& program, ServeFlags& flags, std::function<int()>& chosen) {
    CLI::App* const serve = program.add_subcommand("serve", "Run the server until SIGINT or SIGTERM");
    serve
        ->add_option("--config", flags.config,
                     "TOML file with the settings (default: $SHEAF_CONFIG, or none)")
        ->type_name("FILE");
    serve->add_option("--data", flags.data, "Directory for everything durable (default: ./data)")
        ->type_name("DIR");
    serve
        ->add_option("--store", flags.store,
                     "PostgreSQL database that several servers may share: postgres://USER@HOST/DATABASE "
                     "(default: $SHEAF_STORE, or the data directory)")
        ->type_name("URL");
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
    PlaceFlags place;
    std::string account = "default";
    std::string id;
    bool json = false;
};

void add_keys(CLI::App& program, KeyFlags& flags, std::function<int()>& chosen) {
    CLI::App* const keys =
        program.add_subcommand("keys", "Create, list and revoke API keys, also while the server runs");
    keys->require_subcommand(1);
    CLI::App* const create =
        keys->add_subcommand("create", "Make a key; it is printed once and stored as a hash");
    create->add_option("--account", flags.account, "Whose key it is (default: default)")->type_name("NAME");
    create->add_flag("--json", flags.json, "Print {\"id\",\"account\",\"key\"}");
    flags.place.add_to(create);
    create->callback(
        [&] { chosen = [&flags] { return create_key(flags.place.place(), flags.account, flags.json); }; });
    CLI::App* const list = keys->add_subcommand("list", "Show all keys, without their secrets");
    list->add_flag("--json", flags.json, "One JSON object per line");
    flags.place.add_to(list);
    list->callback([&] { chosen = [&flags] { return list_keys(flags.place.place(), flags.json); }; });
    CLI::App* const revoke = keys->add_subcommand("revoke", "Refuse a key from now on");
    revoke->add_option("id", flags.id, "The key's id, as `sheaf keys list` shows it")
        ->required()
        ->type_name("ID");
    flags.place.add_to(revoke);
    revoke->callback([&] { chosen = [&flags] { return revoke_key(flags.place.place(), flags.id); }; });
}

struct BackupFlags {
    PlaceFlags place;
    std::string to;
};

int run_backup(const BackupFlags& flags) {
    if (!flags.place.store.empty()) {
        fmt::print(
            stderr,
            "sheaf backup: it copies a data directory; for PostgreSQL use pg_dump, and copy the uploads "
            "(docs/operations.md, \"PostgreSQL\")\n");
        return 2;
    }
    return backup({.data = flags.place.data, .to = flags.to}, cli::standard_console());
}

void add_backup(CLI::App& program, BackupFlags& flags, std::function<int()>& chosen) {
    CLI::App* const command =
        program.add_subcommand("backup", "Copy a data directory, also while a server runs on it");
    flags.place.add_to(command);
    command->add_option("--to", flags.to, "Directory to make; it must not be there, or be empty")
        ->required()
        ->type_name("DIR");
    command->footer(
        "The copy has all that was acknowledged before it began, and is checked as `sheaf fsck` does. Until "
        "it is\n"
        "whole and durable its name ends in .partial. A server that is started on it runs what had not "
        "ended:\n"
        "beside the original, twice.\n"
        "Exit codes: 0 done, 1 done but what was copied is damaged, 2 not done.");
    command->callback([&] { chosen = [&flags] { return run_backup(flags); }; });
}

struct FsckFlags {
    PlaceFlags place;
    FsckOptions options;
};

// Only of the embedded store: a database has tools of its own.
int run_fsck(const FsckFlags& flags) {
    if (!flags.place.store.empty()) {
        fmt::print(stderr,
                   "sheaf fsck: it looks at a data directory; a PostgreSQL database has its own tools "
                   "(docs/operations.md, \"PostgreSQL\")\n");
        return 2;
    }
    return fsck({.data = flags.place.data, .repair = flags.options.repair}, cli::standard_console());
}

void add_fsck(CLI::App& program, FsckFlags& flags, std::function<int()>& chosen) {
    CLI::App* const command =
        program.add_subcommand("fsck", "Look for damage in a data directory on which no server runs");
    flags.place.add_to(command);
    command->add_flag("--repair", flags.options.repair,
                      "Mend what can be mended; what is replaced is kept beside as NAME.damaged-TIME");
    command->footer(
        "Without --repair nothing is changed. One line is printed for each thing that is damaged, and a "
        "sum.\n"
        "Exit codes: 0 all is well, or was made so; 1 something is damaged or lost; 2 it could not look.");
    command->callback([&] { chosen = [&flags] { return run_fsck(flags); }; });
}

struct WebhookFlags {
    PlaceFlags place;
    NewWebhook wanted{.account = "default", .dialect = "twelvelabs", .url = {}, .types = {}};
    std::string id;
    DeliveryFilter filter;
    bool json = false;
};

void add_webhooks(CLI::App& program, WebhookFlags& flags, std::function<int()>& chosen) {
    CLI::App* const webhooks = program.add_subcommand(
        "webhooks", "Add, list, test, rotate and remove webhooks, also while the server runs");
    webhooks->require_subcommand(1);
    const auto add = [&](const char* name, const char* what, auto run) {
        CLI::App* const command = webhooks->add_subcommand(name, what);
        flags.place.add_to(command);
        command->callback([&chosen, run] { chosen = run; });
        return command;
    };
    const auto add_id = [&](CLI::App* command) {
        command->add_option("id", flags.id, "The webhook's id, as `sheaf webhooks list` shows it")
            ->required()
            ->type_name("ID");
    };
    CLI::App* const create = add("add", "Tell a URL what ends; its secret is printed once", [&flags] {
        return add_webhook(flags.place.place(), flags.wanted, flags.json);
    });
    create->add_option("url", flags.wanted.url, "Where events are posted to")->required()->type_name("URL");
    create->add_option("--account", flags.wanted.account, "Whose batches it hears of (default: default)")
        ->type_name("NAME");
    create
        ->add_option("--dialect", flags.wanted.dialect,
                     "Whose form it speaks, and of whose batches it hears: twelvelabs or openai "
                     "(default: twelvelabs)")
        ->type_name("NAME");
    create->add_option("--event", flags.wanted.types, "Only this type of event; may be repeated")
        ->type_name("TYPE");
    create->add_flag("--json", flags.json, "Print the webhook with its secret as JSON");
    CLI::App* const list = add("list", "Show all webhooks, without their secrets",
                               [&flags] { return list_webhooks(flags.place.place(), flags.json); });
    list->add_flag("--json", flags.json, "One JSON object per line");
    add_id(add("test", "Send a test event and wait for the answer",
               [&flags] { return test_webhook(flags.place.place(), flags.id); }));
    CLI::App* const rotate =
        add("rotate", "Sign with a new secret from now on, which is printed once",
            [&flags] { return rotate_webhook(flags.place.place(), flags.id, flags.json); });
    add_id(rotate);
    rotate->add_flag("--json", flags.json, "Print the webhook with its secret as JSON");
    add_id(add("enable", "Send again what it is to be told",
               [&flags] { return enable_webhook(flags.place.place(), flags.id, true); }));
    add_id(add("disable", "Send nothing until it is enabled; what waits keeps waiting",
               [&flags] { return enable_webhook(flags.place.place(), flags.id, false); }));
    add_id(add("remove", "Forget a webhook and give up what waits for it",
               [&flags] { return remove_webhook(flags.place.place(), flags.id); }));
    CLI::App* const deliveries =
        add("deliveries", "Show what was sent, newest first, and what waits",
            [&flags] { return list_deliveries(flags.place.place(), flags.filter, flags.json); });
    deliveries->add_option("id", flags.filter.webhook, "Only of this webhook")->type_name("ID");
    deliveries->add_flag("--undelivered", flags.filter.undelivered_only, "Only what was not delivered (yet)");
    deliveries->add_option("--count", flags.filter.count, "How many at most (default: 50)")->type_name("N");
    deliveries->add_flag("--json", flags.json, "One JSON object per line");
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
    BackupFlags backup_flags;
    add_backup(program, backup_flags, chosen);
    FsckFlags fsck_flags;
    add_fsck(program, fsck_flags, chosen);
    WebhookFlags webhook_flags;
    add_keys(program, key_flags, chosen);
    add_webhooks(program, webhook_flags, chosen);
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

#include "cli/command.h"

#include <CLI/CLI.hpp>

#include "cli/batch_commands.h"
#include "cli/submit.h"
#include "cli/verify.h"

namespace sheaf::cli {
namespace {

constexpr const char* kExitCodes =
    "Exit codes:\n"
    "  0  all items are ready, or the request was carried out\n"
    "  1  some items failed, were canceled or expired\n"
    "  2  the command line or its input is wrong\n"
    "  3  the server is unreachable, or refused\n"
    "  4  there is no such batch\n"
    "  5  the batch is in a state that does not allow this\n"
    "  130  interrupted\n";

std::string footer(const char* examples) {
    return std::string("Examples:\n") + examples + "\n" + kExitCodes;
}

void add_server_flags(CLI::App& command, ServerFlags& flags) {
    command
        .add_option("--server", flags.server, "Where the server is [$SHEAF_SERVER, http://127.0.0.1:8080]")
        ->type_name("URL");
    command
        .add_option("--key", flags.key,
                    "The API key [$SHEAF_API_KEY]; others on this machine may see it: prefer --key-file")
        ->type_name("KEY");
    command.add_option("--key-file", flags.key_file, "A file that holds the API key [$SHEAF_KEY_FILE]")
        ->type_name("FILE");
}

CLI::App& add_command(CLI::App& program, const char* name, const char* what, const char* examples,
                      ServerFlags& flags) {
    CLI::App* const command = program.add_subcommand(name, what);
    add_server_flags(*command, flags);
    command->footer(footer(examples));
    return *command;
}

void add_submit_flags(CLI::App& command, SubmitFlags& flags) {
    command
        .add_option("files", flags.files,
                    "The videos, each an item of the batch; or one file of requests, .jsonl or .json")
        ->type_name("FILE");
    command
        .add_option("--dialect", flags.dialect,
                    "Whose requests the file has: openai, anthropic or sail [as they are written]")
        ->type_name("NAME");
    command
        .add_option("--requests", flags.requests_file,
                    "A request file: the JSON body of POST /v1.3/analyze/batches, or its list of requests; a "
                    "video may be "
                    "{\"type\":\"file\",\"path\":\"clip.mp4\"}")
        ->type_name("FILE");
    command
        .add_option("--prompt", flags.analysis.prompt,
                    "What to ask about each video [Describe what happens in this video.]")
        ->type_name("TEXT");
    command
        .add_option("--mode", flags.analysis.mode,
                    "general, or time_based_metadata (with --segments the default)")
        ->type_name("MODE");
    command.add_option("--segments", flags.segments_file, "Segment definitions, as JSON")->type_name("FILE");
    command.add_option("--schema", flags.schema_file, "The JSON Schema that answers keep to")
        ->type_name("FILE");
    command.add_option("--model", flags.analysis.model, "The model")
        ->type_name("NAME")
        ->capture_default_str();
    command.add_option("--max-tokens", flags.analysis.max_tokens, "The longest answer, in tokens")
        ->type_name("N");
    command.add_option("--temperature", flags.analysis.temperature, "0 to 1")->type_name("T");
    command.add_option("--start", flags.analysis.start_time, "Look at the video from here, in seconds")
        ->type_name("S");
    command.add_option("--end", flags.analysis.end_time, "Look at the video up to here, in seconds")
        ->type_name("S");
    command
        .add_option("--results", flags.results_file,
                    "Write the results there as JSON Lines; - is standard output")
        ->type_name("FILE");
    command.add_flag("--stream-results", flags.stream_results, "Print each result as soon as it is there");
    command.add_flag("--no-wait", flags.no_wait,
                     "Print the batch's id and end; `sheaf watch` comes back to it");
    command.add_flag("--json", flags.json, "Results as JSON Lines instead of text");
}

}  // namespace

struct ClientCommands::Options {
    Console console = standard_console();
    SubmitFlags submit;
    BatchFlags watch, results, receipt, cancel, remove, list;
    VerifyFlags verify;
};

ClientCommands::ClientCommands() : options_(std::make_unique<Options>()) {}
ClientCommands::~ClientCommands() = default;

void ClientCommands::add_to(CLI::App& program, std::function<int()>& chosen) {
    Options& own = *options_;
    CLI::App& submitting =
        add_command(program, "submit", "Submit videos or requests as a batch, follow it, print the results",
                    "  sheaf submit --prompt \"What happens?\" *.mp4\n"
                    "  sheaf submit --segments scenes.json --results out.jsonl film.mp4\n"
                    "  sheaf submit --requests batch.json --no-wait\n"
                    "  sheaf submit requests.jsonl --results answers.jsonl\n",
                    own.submit.server);
    add_submit_flags(submitting, own.submit);
    submitting.callback([&own, &chosen] { chosen = [&own] { return submit(own.console, own.submit); }; });

    const auto add = [&](const char* name, const char* what, const char* examples, BatchFlags& flags,
                         int (*run)(const Console&, const BatchFlags&)) -> CLI::App& {
        CLI::App& command = add_command(program, name, what, examples, flags.server);
        command.callback([&own, &flags, &chosen, run] {
            chosen = [&own, &flags, run] { return run(own.console, flags); };
        });
        return command;
    };
    const auto needs_batch = [](CLI::App& command, BatchFlags& flags) {
        command.add_option("batch", flags.batch_id, "The batch's id")->type_name("BATCH")->required();
    };

    CLI::App& watching = add("watch", "Follow a batch until it is over",
                             "  sheaf watch 68f4ddaf8aaa60d33df0e800\n", own.watch, watch);
    needs_batch(watching, own.watch);
    watching.add_flag("--stream-results", own.watch.stream_results,
                      "Print each result as soon as it is there");
    watching.add_flag("--json", own.watch.json, "Results as JSON Lines instead of text");

    CLI::App& reading = add("results", "Print the results of a batch, also while it runs",
                            "  sheaf results 68f4ddaf8aaa60d33df0e800\n"
                            "  sheaf results 68f4ddaf8aaa60d33df0e800 -o results.jsonl\n"
                            "  sheaf results 68f4ddaf8aaa60d33df0e800 --follow -o results.jsonl\n",
                            own.results, results);
    needs_batch(reading, own.results);
    reading
        .add_option("-o,--output", own.results.output, "Write JSON Lines to this file; - is standard output")
        ->type_name("FILE");
    reading.add_flag("--json", own.results.json, "JSON Lines instead of text");
    reading.add_flag(
        "-f,--follow", own.results.follow,
        "Print each result as soon as it is there, in that order, until the batch is over; with -o "
        "go on with the lines that the file has");

    CLI::App& receipting =
        add("receipt", "Print the receipt of a batch that is over",
            "  sheaf receipt 68f4ddaf8aaa60d33df0e800 -o receipt.jsonl\n", own.receipt, receipt);
    needs_batch(receipting, own.receipt);
    receipting.add_option("-o,--output", own.receipt.output, "Write it to this file; - is standard output")
        ->type_name("FILE");

    CLI::App& verifying =
        *program.add_subcommand("verify", "Check downloaded results against a batch's receipt");
    verifying.add_option("receipt", own.verify.receipt, "The receipt, as `sheaf receipt` writes it")
        ->type_name("RECEIPT")
        ->required();
    verifying
        .add_option("results", own.verify.results,
                    "The results, whole lines in any order, in one file or several; - is standard input")
        ->type_name("RESULTS")
        ->required();
    verifying.footer(
        "Examples:\n"
        "  sheaf verify receipt.jsonl results.jsonl\n"
        "  sheaf verify receipt.jsonl output.jsonl errors.jsonl\n\n"
        "Exit codes:\n"
        "  0  every line is there, once and unchanged\n"
        "  1  not, or the receipt itself was changed; it says what is missing, doubled, changed or foreign\n"
        "  2  the command line is wrong, or a file cannot be read\n");
    verifying.callback([&own, &chosen] { chosen = [&own] { return verify(own.console, own.verify); }; });

    CLI::App& canceling = add("cancel", "Cancel what of a batch has not begun",
                              "  sheaf cancel 68f4ddaf8aaa60d33df0e800\n", own.cancel, cancel);
    needs_batch(canceling, own.cancel);
    canceling.add_flag("--json", own.cancel.json, "Print the batch as JSON");

    CLI::App& deleting = add("delete", "Delete a batch that is over, and its results",
                             "  sheaf delete 68f4ddaf8aaa60d33df0e800\n", own.remove, remove);
    needs_batch(deleting, own.remove);

    CLI::App& listing = add("list", "List batches, newest first", "  sheaf list -n 5\n", own.list, list);
    listing.add_option("-n,--count", own.list.count, "How many at most")
        ->type_name("N")
        ->capture_default_str()
        ->check(CLI::Range(1, 100'000));
    listing.add_flag("--json", own.list.json, "One JSON object a line");
}

}  // namespace sheaf::cli

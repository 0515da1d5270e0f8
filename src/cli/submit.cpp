#include "cli/submit.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <variant>

#include <fmt/format.h>

#include "cli/follow.h"
#include "cli/request_file.h"
#include "cli/result_file.h"
#include "cli/upload.h"

namespace sheaf::cli {
namespace {

// Far more than a batch may hold, and little enough to keep in memory.
constexpr std::uintmax_t kInputBytesMax = 256U << 20;

Outcome<std::string> read_file(const std::string& path) {
    std::error_code error;
    const auto size = std::filesystem::file_size(path, error);
    if (!error && size > kInputBytesMax)
        return give_up(ExitCode::usage, fmt::format("{} is too large.", path));
    std::ifstream file(path, std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(file), {}};
    if (error || !file) return give_up(ExitCode::usage, fmt::format("{} cannot be read.", path));
    return text;
}

Outcome<> read_options(SubmitFlags& flags) {
    for (const auto& [path, contents] : {std::pair(&flags.segments_file, &flags.analysis.segments_json),
                                         std::pair(&flags.schema_file, &flags.analysis.schema_json)}) {
        if (path->empty()) continue;
        auto text = read_file(*path);
        if (!text) return std::unexpected(text.error());
        *contents = std::move(*text);
    }
    return {};
}

bool may_hold_requests(const std::filesystem::path& file) {
    return file.extension() == ".jsonl" || file.extension() == ".json";
}

// What is to be submitted: analyses of videos, or requests that were written for another API.
using Work = std::variant<Plan, RequestFile>;

Outcome<Work> read_requests(const SubmitFlags& flags, const std::string& path) {
    std::optional<RequestDialect> dialect;
    if (!flags.dialect.empty()) {
        dialect = parse_request_dialect(flags.dialect);
        if (!dialect) return give_up(ExitCode::usage, "--dialect is openai, anthropic or sail.");
    }
    auto text = read_file(path);
    if (!text) return std::unexpected(text.error());
    if (dialect || is_request_file(*text)) return read_request_file(std::move(*text), dialect);
    return plan_requests(*text, std::filesystem::path(path).parent_path());
}

// Everything that can be found wrong before a byte is sent.
Outcome<Work> prepare(SubmitFlags& flags) {
    std::string requests = flags.requests_file;
    if (!requests.empty() && !flags.files.empty())
        return give_up(ExitCode::usage, "Name videos or a request file, not both.");
    if (requests.empty() && flags.files.size() == 1 && may_hold_requests(flags.files[0]))
        requests = flags.files[0];
    if (requests.empty() && !flags.dialect.empty())
        return give_up(ExitCode::usage, "--dialect goes with one file of requests, .jsonl or .json.");
    if (auto options = read_options(flags); !options) return std::unexpected(options.error());
    Outcome<Work> work = plan_videos(flags.files);
    if (!requests.empty()) work = read_requests(flags, requests);
    if (!work) return work;
    if (const auto* const plan = std::get_if<Plan>(&*work)) {
        if (auto checked = check_options(flags.analysis, *plan); !checked)
            return std::unexpected(checked.error());
    }
    return work;
}

// Uploads each file once and gives every item its asset. Items whose file cannot be used are told and left
// out; how many those are is returned.
async::Task<Outcome<std::size_t>> upload_plan(Session& session, Progress& progress, Plan& plan) {
    std::vector<std::filesystem::path> files;
    for (const PlannedItem& item : plan.items) {
        if (!item.file.empty() && std::ranges::find(files, item.file) == files.end())
            files.push_back(item.file);
    }
    if (files.empty()) co_return 0;
    const auto sizes = check_files(files);
    if (!sizes) co_return std::unexpected(sizes.error());
    session.if_interrupted = "Stopped before the batch was created; nothing was submitted.";
    const auto uploaded = co_await upload_files(session.api, progress, files, *sizes);
    if (!uploaded) co_return std::unexpected(uploaded.error());
    for (std::size_t i = 0; i < files.size(); ++i) {
        const UploadedFile& file = (*uploaded)[i];
        if (!file.failure.empty())
            progress.note(fmt::format("Left out: {}: {}", files[i].string(), file.failure));
        for (PlannedItem& item : plan.items) {
            if (item.file == files[i] && file.failure.empty()) item.asset_id = file.asset_id;
        }
    }
    const std::size_t left_out =
        std::erase_if(plan.items, [](const PlannedItem& item) { return item.asset_id.empty(); });
    if (plan.items.empty())
        co_return give_up(ExitCode::usage, "None of the videos can be used; no batch was created.");
    co_return left_out;
}

ItemNames names_of(const Plan& plan) {
    ItemNames names;
    for (const PlannedItem& item : plan.items) {
        if (!item.file.empty() && !item.custom_id.empty())
            names[item.custom_id] = item.file.filename().string();
    }
    return names;
}

// A batch that was created.
struct Submitted {
    CreatedBatch batch;
    std::size_t items = 0;
    std::size_t left_out = 0;
    ItemNames names = {};
};

constexpr const char* kWhileCreating =
    "Stopped while the batch was being created; `sheaf list` shows whether it was.";

async::Task<Outcome<Submitted>> submit_plan(Session& session, Progress& progress, const SubmitFlags& flags,
                                            Plan plan) {
    const auto left_out = co_await upload_plan(session, progress, plan);
    if (!left_out) co_return std::unexpected(left_out.error());
    session.if_interrupted = kWhileCreating;
    auto batch = co_await session.api.create_analyses(render_create_body(flags.analysis, plan));
    if (!batch) co_return std::unexpected(batch.error());
    co_return Submitted{std::move(*batch), plan.items.size(), *left_out, names_of(plan)};
}

async::Task<Outcome<Submitted>> submit_requests(Session& session, RequestFile requests) {
    session.if_interrupted = kWhileCreating;
    const std::size_t items = requests.items;
    auto batch = co_await session.api.create_requests(std::move(requests));
    if (!batch) co_return std::unexpected(batch.error());
    co_return Submitted{.batch = std::move(*batch), .items = items};
}

async::Task<Outcome<BatchState>> follow_and_print(Session& session, Progress& progress,
                                                  const SubmitFlags& flags, const Submitted& submitted) {
    const std::string& id = submitted.batch.batch_id;
    auto target = ResultFile::open(session.console, flags.results_file);
    if (!target) co_return std::unexpected(target.error());
    const bool raw = flags.json || !flags.results_file.empty();
    ResultPrinter printer(target->file(), raw ? ResultForm::json_lines : ResultForm::text, submitted.names);
    Changed changed;
    if (flags.stream_results) {
        // Owned by this frame, which outlives the calls.
        changed = [&](const BatchState&) { return printer.print_new(session.api, &progress, id); };
    }
    auto batch = co_await follow_batch(session.api, progress, id, changed);
    if (!batch) {
        co_return give_up(
            batch.error().exit_code,
            fmt::format("{} The batch may go on; come back with: sheaf watch {}", batch.error().message, id));
    }
    if (auto printed = co_await printer.print_new(session.api, &progress, id); !printed)
        co_return std::unexpected(printed.error());
    if (auto kept = target->keep(); !kept) co_return std::unexpected(kept.error());
    co_return batch;
}

async::Task<Outcome<ExitCode>> submit_work(Session& session, SubmitFlags flags, Work work) {
    const Console& console = session.console;
    Progress progress(console);
    auto* const plan = std::get_if<Plan>(&work);
    const auto submitted = plan != nullptr
                               ? co_await submit_plan(session, progress, flags, std::move(*plan))
                               : co_await submit_requests(session, std::move(std::get<RequestFile>(work)));
    if (!submitted) co_return std::unexpected(submitted.error());
    const std::string& id = submitted->batch.batch_id;
    session.if_interrupted =
        fmt::format("Stopped watching; the batch goes on. Come back with: sheaf watch {}", id);
    const ExitCode so_far = submitted->left_out > 0 ? ExitCode::some_not_ready : ExitCode::all_ready;
    if (flags.no_wait) {
        console.print((flags.json ? submitted->batch.json : id) + "\n");
        co_return so_far;
    }
    console.tell(fmt::format("Batch {}: {} {}.", to_printable(id, Lines::join), submitted->items,
                             submitted->items == 1 ? "item" : "items"));
    const auto batch = co_await follow_and_print(session, progress, flags, *submitted);
    if (!batch) co_return std::unexpected(batch.error());
    console.tell(describe_end(*batch));
    const ExitCode ended = exit_code_of(*batch);
    co_return ended == ExitCode::all_ready ? so_far : ended;
}

}  // namespace

int submit(const Console& console, SubmitFlags flags) {
    auto work = prepare(flags);
    if (!work) {
        console.tell("sheaf: " + work.error().message);
        return static_cast<int>(work.error().exit_code);
    }
    const ServerFlags server = flags.server;
    return run_session(console, server, [&](Session& session) {
        return submit_work(session, std::move(flags), std::move(*work));
    });
}

}  // namespace sheaf::cli

#include "cli/submit.h"

#include <algorithm>
#include <fstream>
#include <iterator>

#include <fmt/format.h>

#include "cli/follow.h"
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

// Everything that can be found wrong before a byte is sent.
Outcome<Plan> prepare(SubmitFlags& flags) {
    if (!flags.requests_file.empty() && !flags.videos.empty()) {
        return give_up(ExitCode::usage, "Name videos or a request file, not both.");
    }
    for (const auto& [path, contents] : {std::pair(&flags.segments_file, &flags.analysis.segments_json),
                                         std::pair(&flags.schema_file, &flags.analysis.schema_json)}) {
        if (path->empty()) continue;
        auto text = read_file(*path);
        if (!text) return std::unexpected(text.error());
        *contents = std::move(*text);
    }
    Plan plan = plan_videos(flags.videos);
    if (!flags.requests_file.empty()) {
        const auto text = read_file(flags.requests_file);
        if (!text) return std::unexpected(text.error());
        auto planned = plan_requests(*text, std::filesystem::path(flags.requests_file).parent_path());
        if (!planned) return std::unexpected(planned.error());
        plan = std::move(*planned);
    }
    if (auto checked = check_options(flags.analysis, plan); !checked) return std::unexpected(checked.error());
    return plan;
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

async::Task<Outcome<ExitCode>> submit_plan(Session& session, SubmitFlags flags, Plan plan) {
    const Console& console = session.console;
    Progress progress(console);
    const auto left_out = co_await upload_plan(session, progress, plan);
    if (!left_out) co_return std::unexpected(left_out.error());

    session.if_interrupted = "Stopped while the batch was being created; `sheaf list` shows whether it was.";
    const auto created = co_await session.api.create_batch(render_create_body(flags.analysis, plan));
    if (!created) co_return std::unexpected(created.error());
    const std::string id = created->batch_id;
    session.if_interrupted =
        fmt::format("Stopped watching; the batch goes on. Come back with: sheaf watch {}", id);
    const ExitCode so_far = *left_out > 0 ? ExitCode::some_not_ready : ExitCode::all_ready;
    if (flags.no_wait) {
        console.print(flags.json ? created->json + "\n" : id + "\n");
        co_return so_far;
    }
    console.tell(fmt::format("Batch {}: {} {}.", to_printable(id, Lines::join), plan.items.size(),
                             plan.items.size() == 1 ? "item" : "items"));

    auto target = ResultFile::open(console, flags.results_file);
    if (!target) co_return std::unexpected(target.error());
    const bool raw = flags.json || !flags.results_file.empty();
    ResultPrinter printer(target->file(), raw ? ResultForm::json_lines : ResultForm::text, names_of(plan));
    Changed changed;
    if (flags.stream_results) {
        // Owned by this frame, which outlives the calls.
        changed = [&](const BatchState&) { return printer.print_new(session.api, &progress, id, {}); };
    }
    const auto batch = co_await follow_batch(session.api, progress, id, changed);
    if (!batch) {
        co_return give_up(
            batch.error().exit_code,
            fmt::format("{} The batch may go on; come back with: sheaf watch {}", batch.error().message, id));
    }
    if (auto printed = co_await printer.print_new(session.api, &progress, id, {.finished_only = false});
        !printed) {
        co_return std::unexpected(printed.error());
    }
    if (auto kept = target->keep(); !kept) co_return std::unexpected(kept.error());
    console.tell(describe_end(*batch));
    const ExitCode ended = exit_code_of(*batch);
    co_return ended == ExitCode::all_ready ? so_far : ended;
}

}  // namespace

int submit(const Console& console, SubmitFlags flags) {
    auto plan = prepare(flags);
    if (!plan) {
        console.tell("sheaf: " + plan.error().message);
        return static_cast<int>(plan.error().exit_code);
    }
    const ServerFlags server = flags.server;
    return run_session(console, server, [&](Session& session) {
        return submit_plan(session, std::move(flags), std::move(*plan));
    });
}

}  // namespace sheaf::cli

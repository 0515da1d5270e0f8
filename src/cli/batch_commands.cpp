#include "cli/batch_commands.h"

#include <algorithm>

#include <fmt/format.h>

#include "cli/follow.h"
#include "cli/follow_results.h"
#include "cli/result_file.h"

namespace sheaf::cli {
namespace {

constexpr std::uint32_t kPageMax = 100;

async::Task<Outcome<ExitCode>> watch_batch(Session& session, BatchFlags flags) {
    session.if_interrupted =
        fmt::format("Stopped watching; the batch goes on. Come back with: sheaf watch {}", flags.batch_id);
    Progress progress(session.console);
    ResultPrinter printer(session.console.out, flags.json ? ResultForm::json_lines : ResultForm::text, {});
    Changed changed;
    if (flags.stream_results) {
        // Owned by this frame, which outlives the calls.
        changed = [&](const BatchState&) {
            return printer.print_new(session.api, &progress, flags.batch_id);
        };
    }
    const auto batch = co_await follow_batch(session.api, progress, flags.batch_id, changed);
    if (!batch) co_return std::unexpected(batch.error());
    session.console.tell(describe_end(*batch));
    if (!flags.stream_results)
        session.console.tell(fmt::format("Its results: sheaf results {}", flags.batch_id));
    co_return exit_code_of(*batch);
}

async::Task<Outcome<ExitCode>> print_results(Session& session, BatchFlags flags) {
    auto target = ResultFile::open(session.console, flags.output);
    if (!target) co_return std::unexpected(target.error());
    const bool raw = flags.json || !flags.output.empty();
    ResultPrinter printer(target->file(), raw ? ResultForm::json_lines : ResultForm::text, {});
    if (auto printed = co_await printer.print_new(session.api, nullptr, flags.batch_id); !printed)
        co_return std::unexpected(printed.error());
    if (auto kept = target->keep(); !kept) co_return std::unexpected(kept.error());
    const auto batch = co_await session.api.find_batch(flags.batch_id);
    if (!batch) co_return std::unexpected(batch.error());
    if (!batch->is_over) {
        session.console.tell(fmt::format("The batch goes on: {}.", describe_counts(*batch)));
    }
    co_return exit_code_of(*batch);
}

async::Task<Outcome<ExitCode>> follow_and_print(Session& session, BatchFlags flags) {
    session.if_interrupted =
        fmt::format("Stopped following; the batch goes on. Come back with: sheaf results {} --follow{}",
                    flags.batch_id, flags.output.empty() ? "" : " -o " + flags.output);
    const bool raw = flags.json || !flags.output.empty();
    const auto followed =
        co_await follow_results(session, {.batch_id = flags.batch_id,
                                          .output = flags.output,
                                          .form = raw ? ResultForm::json_lines : ResultForm::text});
    if (!followed) co_return std::unexpected(followed.error());
    const auto batch = co_await session.api.find_batch(flags.batch_id);
    if (!batch) co_return std::unexpected(batch.error());
    co_return exit_code_of(*batch);
}

async::Task<Outcome<ExitCode>> print_receipt(Session& session, BatchFlags flags) {
    auto target = ResultFile::open(session.console, flags.output);
    if (!target) co_return std::unexpected(target.error());
    // Captured by reference: read_receipt is done with it when it returns.
    const Api::LineSink take = [&](std::string_view line) -> Outcome<> {
        const std::string text = std::string(line) + '\n';
        if (std::fwrite(text.data(), 1, text.size(), target->file()) == text.size()) return {};
        return give_up(ExitCode::usage, "The receipt cannot be written; is the disk full?");
    };
    if (auto read = co_await session.api.read_receipt(flags.batch_id, take); !read)
        co_return std::unexpected(read.error());
    if (auto kept = target->keep(); !kept) co_return std::unexpected(kept.error());
    co_return ExitCode::all_ready;
}

async::Task<Outcome<ExitCode>> cancel_batch(Session& session, BatchFlags flags) {
    const auto batch = co_await session.api.cancel_batch(flags.batch_id);
    if (!batch) co_return std::unexpected(batch.error());
    if (flags.json)
        session.console.print(batch->json + "\n");
    else
        session.console.tell(
            fmt::format("Batch {} is {}: {}.", batch->batch_id, batch->status, describe_counts(*batch)));
    co_return ExitCode::all_ready;
}

async::Task<Outcome<ExitCode>> delete_batch(Session& session, BatchFlags flags) {
    if (auto gone = co_await session.api.delete_batch(flags.batch_id); !gone)
        co_return std::unexpected(gone.error());
    session.console.tell(fmt::format("Batch {} and its results are deleted.", flags.batch_id));
    co_return ExitCode::all_ready;
}

async::Task<Outcome<ExitCode>> list_batches(Session& session, BatchFlags flags) {
    std::vector<BatchState> batches;
    bool is_last = false;
    while (!is_last && batches.size() < flags.count) {
        const auto wanted = flags.count - static_cast<std::uint32_t>(batches.size());
        const std::string after = batches.empty() ? "" : batches.back().batch_id;
        auto page = co_await session.api.list_batches(after, std::min(wanted, kPageMax));
        if (!page) co_return std::unexpected(page.error());
        for (BatchState& batch : page->batches) batches.push_back(std::move(batch));
        is_last = page->is_last;
    }
    if (flags.json) {
        for (const BatchState& batch : batches) session.console.print(batch.json + "\n");
    } else if (batches.empty()) {
        session.console.tell("There are no batches.");
    } else {
        session.console.print(render_batches(batches));
    }
    co_return ExitCode::all_ready;
}

}  // namespace

int watch(const Console& console, const BatchFlags& flags) {
    return run_session(console, flags.server, [&](Session& session) { return watch_batch(session, flags); });
}

int results(const Console& console, const BatchFlags& flags) {
    return run_session(console, flags.server, [&](Session& session) {
        return flags.follow ? follow_and_print(session, flags) : print_results(session, flags);
    });
}

int receipt(const Console& console, const BatchFlags& flags) {
    return run_session(console, flags.server,
                       [&](Session& session) { return print_receipt(session, flags); });
}

int cancel(const Console& console, const BatchFlags& flags) {
    return run_session(console, flags.server, [&](Session& session) { return cancel_batch(session, flags); });
}

int remove(const Console& console, const BatchFlags& flags) {
    return run_session(console, flags.server, [&](Session& session) { return delete_batch(session, flags); });
}

int list(const Console& console, const BatchFlags& flags) {
    return run_session(console, flags.server, [&](Session& session) { return list_batches(session, flags); });
}

}  // namespace sheaf::cli

#include "cli/follow.h"

#include <algorithm>

#include <fmt/format.h>

#include "async/timer.h"

namespace sheaf::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPollFirst{250};
constexpr std::chrono::milliseconds kPollLast{2000};
constexpr std::chrono::seconds kAwayMax{60};

std::string describe_pace(const BatchState& batch, std::uint64_t done_before,
                          std::chrono::duration<double> elapsed) {
    std::string text =
        fmt::format("{}  {}", describe_counts(batch),
                    format_duration(std::chrono::duration_cast<std::chrono::seconds>(elapsed)));
    const auto done = static_cast<double>(batch.done() - std::min(done_before, batch.done()));
    if (elapsed.count() < 1 || done == 0) return text;
    const double rate = done / elapsed.count();
    return text + (rate >= 1 ? fmt::format("  {:.1f}/s", rate) : fmt::format("  {:.1f}/min", rate * 60));
}

}  // namespace

async::Task<Outcome<>> ResultPrinter::print_new(Api& api, Progress* progress, std::string batch_id) {
    // Captured by reference: read_results is done with it when it returns.
    const Api::LineSink take = [&](std::string_view json) -> Outcome<> {
        const auto line = parse_result_line(json);
        if (!line) return std::unexpected(line.error());
        if (!printed_.insert(line->item).second) return {};
        if (progress != nullptr) progress->clear();
        const std::string text =
            form_ == ResultForm::text ? render_result(*line, names_) : std::string(json) + "\n";
        if (std::fwrite(text.data(), 1, text.size(), file_) != text.size() || std::fflush(file_) != 0) {
            return give_up(ExitCode::usage, "The results cannot be written; is the disk full?");
        }
        return {};
    };
    co_return co_await api.read_results(std::move(batch_id), take);
}

async::Task<Outcome<BatchState>> follow_batch(Api& api, Progress& progress, std::string batch_id,
                                              Changed changed) {
    const Clock::time_point start = Clock::now();
    Clock::time_point last_answer = start;
    std::chrono::milliseconds pause = kPollFirst;
    std::optional<std::uint64_t> done_at_start;
    std::uint64_t done = 0;
    bool away = false;
    while (true) {
        auto batch = co_await api.find_batch(batch_id);
        if (!batch) {
            const bool never_there = !done_at_start;
            if (never_there || !batch.error().may_pass || Clock::now() - last_answer > kAwayMax)
                co_return batch;
            if (!std::exchange(away, true)) progress.note("The server does not answer; trying again.");
            co_await async::sleep_for(kPollLast);
            continue;
        }
        away = false;
        last_answer = Clock::now();
        const bool first = !done_at_start;
        if (first) done_at_start = batch->done();
        const double total = batch->total == 0 ? 1 : static_cast<double>(batch->total);
        progress.show({.label = batch->status,
                       .fraction = static_cast<double>(batch->done()) / total,
                       .detail = describe_pace(*batch, *done_at_start, last_answer - start)});
        const bool moved = batch->done() != done || (first && batch->done() > 0);
        done = batch->done();
        if (moved && changed) {
            if (auto told = co_await changed(*batch); !told) co_return std::unexpected(told.error());
        }
        if (batch->is_over) {
            progress.clear();
            co_return batch;
        }
        pause = moved ? kPollFirst : std::min(pause * 3 / 2, kPollLast);
        co_await async::sleep_for(pause);
    }
}

ExitCode exit_code_of(const BatchState& batch) {
    const bool is_whole = !batch.is_over || batch.status == "completed";
    return is_whole && batch.failed + batch.canceled + batch.expired == 0 ? ExitCode::all_ready
                                                                          : ExitCode::some_not_ready;
}

}  // namespace sheaf::cli

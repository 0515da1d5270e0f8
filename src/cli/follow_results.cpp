#include "cli/follow_results.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "async/timer.h"
#include "cli/growing_file.h"

namespace sheaf::cli {
namespace {

constexpr std::chrono::milliseconds kPauseFirst{250};
constexpr std::chrono::milliseconds kPauseLast{10'000};

// Where lines go, and how many are there already.
class Sink {
public:
    static Outcome<Sink> open(const Console& console, const FollowTarget& target) {
        Sink sink(console, target);
        if (target.output.empty() || target.output == "-") return sink;
        auto file = GrowingFile::open(target.output);
        if (!file) return std::unexpected(file.error());
        sink.has_to_agree_ = file->lines() > 0;
        sink.taken_ = file->lines();
        sink.file_ = std::move(*file);
        return sink;
    }

    // What to ask for. The last line that was there is asked for once more, to see whether it is the same.
    std::uint64_t after() const { return has_to_agree_ ? taken_ - 1 : taken_; }
    std::uint64_t taken() const { return taken_; }
    Outcome<> take(std::string_view line) {
        if (std::exchange(has_to_agree_, false))
            return line == file_->last_line() ? Outcome<>{} : not_the_beginning();
        ++taken_;
        return file_ ? file_->append(line) : print(line);
    }
    Outcome<> finish() { return file_ ? file_->sync() : Outcome<>{}; }
    // What to say when the server knows of fewer lines than there are.
    Outcome<> not_the_beginning() const {
        return give_up(ExitCode::usage,
                       fmt::format("{} does not hold the beginning of what is followed; choose "
                                   "another file.",
                                   target_->output));
    }
    bool has_to_agree() const { return has_to_agree_; }

private:
    Sink(const Console& console, const FollowTarget& target) : console_(&console), target_(&target) {}

    Outcome<> print(std::string_view line) const {
        std::string text = std::string(line) + '\n';
        if (target_->form == ResultForm::text) {
            const auto read = parse_result_line(line);
            if (!read) return std::unexpected(read.error());
            text = render_result(*read, {});
        }
        FILE* const out = console_->out;
        if (std::fwrite(text.data(), 1, text.size(), out) != text.size() || std::fflush(out) != 0)
            return give_up(ExitCode::usage, "The results cannot be written; is the disk full?");
        return {};
    }

    const Console* console_;
    const FollowTarget* target_;
    std::optional<GrowingFile> file_;
    std::uint64_t taken_ = 0;
    bool has_to_agree_ = false;
};

}  // namespace

async::Task<Outcome<>> follow_results(Session& session, FollowTarget target) {
    auto sink = Sink::open(session.console, target);
    if (!sink) co_return std::unexpected(sink.error());
    // A server that was never there is not waited for.
    if (const auto batch = co_await session.api.find_batch(target.batch_id); !batch)
        co_return std::unexpected(batch.error());
    std::chrono::milliseconds pause = kPauseFirst;
    bool is_away = false;
    while (true) {
        // Captured by reference: follow_results is done with it when it returns.
        const Api::LineSink take = [&](std::string_view line) { return sink->take(line); };
        const auto since = std::chrono::steady_clock::now();
        const std::uint64_t before = sink->taken();
        const auto followed = co_await session.api.follow_results(target.batch_id, sink->after(), take);
        if (followed) co_return sink->finish();
        const Failure& failure = followed.error();
        if (!failure.may_pass) {
            // It refuses a number that is larger than the number of lines.
            const bool is_beyond = sink->has_to_agree() && failure.exit_code == ExitCode::usage;
            co_return is_beyond ? sink->not_the_beginning() : std::unexpected(failure);
        }
        const bool was_there =
            sink->taken() > before || std::chrono::steady_clock::now() - since > kPauseLast;
        if (was_there) {
            pause = kPauseFirst;
            is_away = false;
        }
        if (!std::exchange(is_away, true)) {
            session.console.tell(
                fmt::format("{} Trying again, from line {} on.", failure.message, sink->taken() + 1));
        }
        co_await async::sleep_for(pause);
        pause = std::min(pause * 2, kPauseLast);
    }
}

}  // namespace sheaf::cli

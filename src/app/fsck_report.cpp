#include "app/fsck_report.h"

#include <algorithm>
#include <string>

#include <fmt/format.h>

namespace sheaf::app {

Report::Report(const cli::Console& console) : console_(&console) {
    if (console.bars) progress_.emplace(console);
}

void Report::add(Weight weight, std::string_view text) {
    switch (weight) {
        case Weight::damaged:
            ++damaged_;
            break;
        case Weight::lost:
            ++lost_;
            break;
        case Weight::mended:
            ++mended_;
            break;
        case Weight::note:
            ++notes_;
            break;
    }
    if (progress_) progress_->clear();
    console_->print(fmt::format("{}: {}\n", to_string(weight), text));
}

void Report::show_progress(std::string_view doing, std::uint64_t done, std::uint64_t total,
                           std::string_view what) {
    if (!progress_) return;
    const double fraction =
        static_cast<double>(done) / static_cast<double>(std::max<std::uint64_t>(total, 1));
    progress_->show({.label = std::string(doing),
                     .fraction = fraction,
                     .detail = fmt::format("{} of {} {}", done, total, what)});
}

void Report::sum_up(const store::Checked& checked) {
    if (progress_) progress_->clear();
    std::string faults;
    const auto count = [&](std::uint64_t number, std::string_view what) {
        if (number > 0) faults += fmt::format("{}{} {}", faults.empty() ? "" : ", ", number, what);
    };
    count(damaged_, "damaged");
    count(lost_, "lost");
    count(mended_, "mended");
    if (faults.empty()) faults = "all is well";
    count(notes_, "to note");
    console_->print(fmt::format("{} batches, {} items, {} results: {}.\n", checked.batches, checked.items,
                                checked.results, faults));
}

}  // namespace sheaf::app

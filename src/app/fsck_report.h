#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "app/fsck_words.h"
#include "cli/console.h"

namespace sheaf::app {

// The lines of a check as they come, with how far it is where a person looks on, and what they come to.
class Report {
public:
    // The console outlives the report.
    explicit Report(const cli::Console& console);

    void add(Weight weight, std::string_view text);
    // Words such as "checking", 3, 7, "batches".
    void show_progress(std::string_view doing, std::uint64_t done, std::uint64_t total,
                       std::string_view what);
    // The last line.
    void sum_up(const store::Checked& checked);
    // 0: all is well, or was made so. 1: something is damaged, or lost.
    int exit_code() const { return damaged_ + lost_ > 0 ? 1 : 0; }

private:
    const cli::Console* console_;
    std::optional<cli::Progress> progress_;
    std::uint64_t damaged_ = 0;
    std::uint64_t lost_ = 0;
    std::uint64_t mended_ = 0;
    std::uint64_t notes_ = 0;
};

}  // namespace sheaf::app

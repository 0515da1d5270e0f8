#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace sheaf::cli {

// Where a command writes. Bars are drawn on `err`, and only on a terminal.
struct Console {
    FILE* out = stdout;
    FILE* err = stderr;
    bool bars = false;

    void print(std::string_view text) const;  // to out, as it is
    void tell(std::string_view line) const;   // to err, with a line end
    std::size_t width() const;                // of err, in columns
};

// Standard output and error; bars when standard error is a terminal that can draw them.
Console standard_console();

// Control characters become blanks, so that neither a file's name nor a model's answer can command the
// terminal. Line ends and tabs stay where `lines` is set.
enum class Lines : std::uint8_t { keep, join };
std::string to_printable(std::string_view text, Lines lines);

std::string format_bytes(std::uint64_t bytes);               // "1.5 MB"
std::string format_duration(std::chrono::seconds duration);  // "0:42", "1:02:03"

// How far something has come.
struct ProgressView {
    std::string label;
    double fraction = 0;  // 0 to 1
    std::string detail;
};

// One line of at most `width` columns: label, bar, percent, detail. The bar goes first when room is short.
std::string render_progress(const ProgressView& view, std::size_t width);

// Shows progress: a bar that is drawn anew on a terminal, a line now and then elsewhere.
class Progress {
public:
    explicit Progress(const Console& console) : console_(console) {}
    ~Progress() { clear(); }
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    void show(const ProgressView& view);
    // A line of its own, above the bar.
    void note(std::string_view line);
    // Takes the bar away.
    void clear();

private:
    using Instant = std::chrono::steady_clock::time_point;
    const Console& console_;
    std::string last_;
    Instant shown_at_{};
    bool drawn_ = false;
};

}  // namespace sheaf::cli

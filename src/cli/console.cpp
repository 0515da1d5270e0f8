#include "cli/console.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace sheaf::cli {
namespace {

constexpr std::chrono::milliseconds kRedrawEvery{100};
constexpr std::chrono::seconds kPlainLineEvery{10};
constexpr std::size_t kBarMax = 40;
constexpr std::size_t kBarMin = 8;

// Columns, counting a character as one: good enough for names in most scripts.
std::size_t columns(std::string_view text) {
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string cut(std::string_view text, std::size_t width) {
    std::size_t end = 0;
    std::size_t seen = 0;
    while (end < text.size()) {
        const bool starts = (static_cast<unsigned char>(text[end]) & 0xC0) != 0x80;
        if (starts && ++seen > width) break;
        ++end;
    }
    return std::string(text.substr(0, end));
}

}  // namespace

void Console::print(std::string_view text) const {
    std::fwrite(text.data(), 1, text.size(), out);
}

void Console::tell(std::string_view line) const {
    std::fflush(out);
    std::fwrite(line.data(), 1, line.size(), err);
    std::fputc('\n', err);
    std::fflush(err);
}

std::size_t Console::width() const {
    winsize size{};
    if (::ioctl(::fileno(err), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
    return 80;
}

Console standard_console() {
    const char* const terminal = std::getenv("TERM");
    const bool can_draw = terminal != nullptr && std::string_view(terminal) != "dumb";
    return {.out = stdout, .err = stderr, .bars = can_draw && ::isatty(STDERR_FILENO) == 1};
}

std::string to_printable(std::string_view text, Lines lines) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        const bool kept = lines == Lines::keep && (byte == '\n' || byte == '\t');
        if ((byte < 0x20 && !kept) || byte == 0x7F) {
            out.push_back(' ');
        } else if (byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0) {
            // U+0080 to U+009F: control characters too, some terminals obey them.
            out.push_back(' ');
            ++i;
        } else {
            out.push_back(text[i]);
        }
    }
    return out;
}

std::string format_bytes(std::uint64_t bytes) {
    constexpr std::array kUnits{"B", "kB", "MB", "GB", "TB"};
    auto amount = static_cast<double>(bytes);
    std::size_t unit = 0;
    while (amount >= 999.5 && unit + 1 < kUnits.size()) {
        amount /= 1000;
        ++unit;
    }
    return unit == 0 ? fmt::format("{} B", bytes)
                     : fmt::format("{:.{}f} {}", amount, amount < 99.95 ? 1 : 0, kUnits[unit]);
}

std::string format_duration(std::chrono::seconds duration) {
    const auto total = std::max<std::int64_t>(duration.count(), 0);
    const auto hours = total / 3600;
    if (hours > 0) return fmt::format("{}:{:02}:{:02}", hours, total / 60 % 60, total % 60);
    return fmt::format("{}:{:02}", total / 60, total % 60);
}

std::string render_progress(const ProgressView& view, std::size_t width) {
    const double fraction = std::isfinite(view.fraction) ? std::clamp(view.fraction, 0.0, 1.0) : 0.0;
    const std::string label = to_printable(view.label, Lines::join);
    const std::string percent = fmt::format("{:3d} %", static_cast<int>(std::floor(fraction * 100)));
    const std::string tail = fmt::format("{}  {}", percent, to_printable(view.detail, Lines::join));
    const std::size_t taken = columns(label) + columns(tail) + 5;
    if (width < taken + kBarMin) return cut(fmt::format("{} {}", label, tail), width);
    const std::size_t cells = std::min(kBarMax, width - taken);
    const auto full = static_cast<std::size_t>(fraction * static_cast<double>(cells));
    return cut(
        fmt::format("{} [{}{}] {}", label, std::string(full, '#'), std::string(cells - full, '.'), tail),
        width);
}

void Progress::show(const ProgressView& view) {
    const Instant now = std::chrono::steady_clock::now();
    const bool first = shown_at_ == Instant{};
    if (!console_.bars) {
        if (!first && now - shown_at_ < kPlainLineEvery) return;
        std::string line =
            fmt::format("{}: {} %, {}", view.label, static_cast<int>(view.fraction * 100), view.detail);
        shown_at_ = now;
        console_.tell(to_printable(line, Lines::join));
        return;
    }
    if (!first && now - shown_at_ < kRedrawEvery) return;
    shown_at_ = now;
    // One column stays free: writing into the last one wraps on some terminals.
    last_ = render_progress(view, std::max<std::size_t>(console_.width(), 2) - 1);
    fmt::print(console_.err, "\r{}\x1b[K", last_);
    std::fflush(console_.err);
    drawn_ = true;
}

void Progress::note(std::string_view line) {
    const bool redraw = drawn_;
    clear();
    console_.tell(to_printable(line, Lines::join));
    if (!redraw) return;
    fmt::print(console_.err, "\r{}\x1b[K", last_);
    std::fflush(console_.err);
    drawn_ = true;
}

void Progress::clear() {
    if (!drawn_) return;
    std::fputs("\r\x1b[K", console_.err);
    std::fflush(console_.err);
    drawn_ = false;
}

}  // namespace sheaf::cli

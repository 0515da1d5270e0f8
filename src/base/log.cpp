#include "base/log.h"

#include <algorithm>
#include <memory>

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace sheaf::log {
namespace {

spdlog::logger& sink() {
    static const std::shared_ptr<spdlog::logger> logger = [] {
        auto made = spdlog::stderr_color_mt("sheaf");
        made->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %^%-7l%$ %v", spdlog::pattern_time_type::utc);
        made->flush_on(spdlog::level::info);
        return made;
    }();
    return *logger;
}

spdlog::level::level_enum to_spdlog(Level level) {
    switch (level) {
        case Level::debug:
            return spdlog::level::debug;
        case Level::info:
            return spdlog::level::info;
        case Level::warning:
            return spdlog::level::warn;
        case Level::error:
            return spdlog::level::err;
    }
    return spdlog::level::err;
}

bool needs_quotes(std::string_view text) {
    return text.empty() ||
           std::ranges::any_of(text, [](unsigned char c) { return c <= ' ' || c == '"' || c == 0x7f; });
}

// One line stays one line, whatever a client put into a name.
void append_value(std::string& line, std::string_view text) {
    if (!needs_quotes(text)) {
        line += text;
        return;
    }
    line += '"';
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            line += '\\';
            line += c;
        } else if (byte < 0x20 || byte == 0x7f) {
            line += fmt::format("\\x{:02x}", byte);
        } else {
            line += c;
        }
    }
    line += '"';
}

}  // namespace

void set_level(Level level) {
    sink().set_level(to_spdlog(level));
}

void write(Level level, std::string_view message, Fields fields) {
    spdlog::logger& logger = sink();
    if (!logger.should_log(to_spdlog(level))) return;
    std::string line(message);
    for (const Field& field : fields) {
        line += ' ';
        line += field.name;
        line += '=';
        append_value(line, field.text);
    }
    logger.log(to_spdlog(level), "{}", line);
}

}  // namespace sheaf::log

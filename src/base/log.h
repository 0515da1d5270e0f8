#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include <fmt/format.h>

// Structured log lines on standard error: a message that never varies, and fields that do.
//
//   log::info("item finished", {{"item", to_string(id)}, {"attempt", 2}});
//
// Threads: any. Secrets never go in: a `Secret` prints as ***.
namespace sheaf::log {

enum class Level { debug, info, warning, error };

struct Field {
    template <class T>
    Field(std::string_view key, const T& value) : name(key), text(fmt::format("{}", value)) {}
    std::string_view name;
    std::string text;
};
using Fields = std::initializer_list<Field>;

void set_level(Level level);
void write(Level level, std::string_view message, Fields fields);

inline void debug(std::string_view message, Fields fields = {}) {
    write(Level::debug, message, fields);
}
inline void info(std::string_view message, Fields fields = {}) {
    write(Level::info, message, fields);
}
inline void warning(std::string_view message, Fields fields = {}) {
    write(Level::warning, message, fields);
}
inline void error(std::string_view message, Fields fields = {}) {
    write(Level::error, message, fields);
}

}  // namespace sheaf::log

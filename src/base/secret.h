#pragma once

#include <string>
#include <utility>

#include <fmt/format.h>

namespace sheaf {

// A string that must not reach a log, an error or a response by accident: it prints as ***.
class Secret {
public:
    Secret() = default;
    explicit Secret(std::string value) : value_(std::move(value)) {}
    const std::string& reveal() const { return value_; }
    bool empty() const { return value_.empty(); }

private:
    std::string value_;
};

}  // namespace sheaf

template <>
struct fmt::formatter<sheaf::Secret> : fmt::formatter<std::string_view> {
    auto format(const sheaf::Secret&, fmt::format_context& context) const {
        return fmt::formatter<std::string_view>::format("***", context);
    }
};

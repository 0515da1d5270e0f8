#pragma once

#include <chrono>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <toml++/toml.h>

#include "base/result.h"

namespace sheaf::app {

// Typed reading of one TOML table, which collects what is wrong with it: a wrong type, a value out of range,
// a setting nobody asked for. The table must outlive it.
class Settings {
public:
    struct Range {
        double least = std::numeric_limits<double>::lowest();
        double most = std::numeric_limits<double>::max();
    };

    Settings(const toml::table& table, std::string path);

    bool has(std::string_view name) const;
    bool is_text(std::string_view name) const;

    // Each leaves `value` as it is when the setting is absent.
    void read(std::string_view name, std::string& value);
    void read(std::string_view name, std::vector<std::string>& value);
    void read(std::string_view name, bool& value);
    void read(std::string_view name, double& value, Range range);
    template <class Integer>
        requires std::is_integral_v<Integer>
    void read(std::string_view name, Integer& value, Range range) {
        double number = static_cast<double>(value);
        read(name, number, range);
        if (number != static_cast<double>(static_cast<Integer>(number)))
            complain(fmt::format("{} must be a whole number", name));
        else
            value = static_cast<Integer>(number);
    }
    // A number of seconds, fractions allowed where the unit has them.
    template <class Rep, class Period>
    void read_seconds(std::string_view name, std::chrono::duration<Rep, Period>& value) {
        using Duration = std::chrono::duration<Rep, Period>;
        double seconds = std::chrono::duration<double>(value).count();
        read(name, seconds, {0, 1e9});
        value = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
    }
    void read_milliseconds(std::string_view name, std::chrono::milliseconds& value,
                           std::chrono::seconds least, std::chrono::seconds most);
    // An array of numbers of seconds.
    void read_seconds(std::string_view name, std::vector<std::chrono::milliseconds>& value);
    // A number of milliseconds.
    void read_plain_milliseconds(std::string_view name, std::chrono::milliseconds& value);

    // A table below this one; empty when absent.
    Settings table(std::string_view name);
    // The tables of an array below this one.
    std::vector<Settings> tables(std::string_view name);

    void complain(const std::string& fault);
    // What is wrong here or in a table below, or a setting that was never read.
    std::optional<std::string> first_complaint() const;

private:
    // Copies of Settings share it.
    struct Node {
        const toml::table* table;
        std::string path;
        std::vector<std::string> faults;
        std::set<std::string, std::less<>> asked;
        std::vector<Settings> below;
    };
    const toml::node* find(std::string_view name);
    Settings below(const toml::table& table, std::string path);
    std::string named(std::string_view name) const;

    std::shared_ptr<Node> node_;
};

Result<std::string> read_text_file(const std::filesystem::path& path);

}  // namespace sheaf::app

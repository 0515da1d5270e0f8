#include "app/settings.h"

#include <fstream>
#include <sstream>

namespace sheaf::app {
namespace {

const toml::table& no_table() {
    static const toml::table empty;
    return empty;
}

}  // namespace

Settings::Settings(const toml::table& table, std::string path) : node_(std::make_shared<Node>()) {
    node_->table = &table;
    node_->path = std::move(path);
}

std::string Settings::named(std::string_view name) const {
    return node_->path.empty() ? std::string(name) : fmt::format("{}.{}", node_->path, name);
}

void Settings::complain(const std::string& fault) {
    node_->faults.push_back(node_->path.empty() ? fault : node_->path + ": " + fault);
}

const toml::node* Settings::find(std::string_view name) {
    node_->asked.emplace(name);
    return node_->table->get(name);
}

bool Settings::has(std::string_view name) const {
    return node_->table->contains(name);
}

bool Settings::is_text(std::string_view name) const {
    return has(name) && node_->table->get(name)->is_string();
}

void Settings::read(std::string_view name, std::string& value) {
    const toml::node* const found = find(name);
    if (found == nullptr) return;
    if (const auto* text = found->as_string())
        value = text->get();
    else
        complain(fmt::format("{} must be a string", name));
}

void Settings::read(std::string_view name, std::vector<std::string>& value) {
    const toml::node* const found = find(name);
    if (found == nullptr) return;
    const toml::array* const array = found->as_array();
    if (array == nullptr) return complain(fmt::format("{} must be an array of strings", name));
    value.clear();
    for (const toml::node& element : *array) {
        if (const auto* text = element.as_string())
            value.push_back(text->get());
        else
            complain(fmt::format("{} must be an array of strings", name));
    }
}

void Settings::read(std::string_view name, bool& value) {
    const toml::node* const found = find(name);
    if (found == nullptr) return;
    if (const auto* flag = found->as_boolean())
        value = flag->get();
    else
        complain(fmt::format("{} must be true or false", name));
}

void Settings::read(std::string_view name, double& value, Range range) {
    const toml::node* const found = find(name);
    if (found == nullptr) return;
    const auto number = found->value<double>();
    if (!number || found->is_boolean()) return complain(fmt::format("{} must be a number", name));
    if (!(*number >= range.least && *number <= range.most)) {
        return complain(
            fmt::format("{} must be from {} to {}, not {}", name, range.least, range.most, *number));
    }
    value = *number;
}

void Settings::read_milliseconds(std::string_view name, std::chrono::milliseconds& value,
                                 std::chrono::seconds least, std::chrono::seconds most) {
    double seconds = std::chrono::duration<double>(value).count();
    read(name, seconds, {static_cast<double>(least.count()), static_cast<double>(most.count())});
    value = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::duration<double>(seconds));
}

void Settings::read_seconds(std::string_view name, std::vector<std::chrono::milliseconds>& value) {
    const toml::node* const found = find(name);
    if (found == nullptr) return;
    const toml::array* const array = found->as_array();
    std::vector<std::chrono::milliseconds> times;
    for (std::size_t at = 0; array != nullptr && at < array->size(); ++at) {
        const auto seconds = (*array)[at].value<double>();
        if (!seconds || (*array)[at].is_boolean() || !(*seconds >= 0 && *seconds <= 1e9)) break;
        times.push_back(
            std::chrono::round<std::chrono::milliseconds>(std::chrono::duration<double>(*seconds)));
    }
    if (array == nullptr || times.size() != array->size())
        return complain(fmt::format("{} must be an array of numbers of seconds", name));
    value = std::move(times);
}

void Settings::read_plain_milliseconds(std::string_view name, std::chrono::milliseconds& value) {
    auto count = value.count();
    read(name, count, {0, 1e12});
    value = std::chrono::milliseconds(count);
}

Settings Settings::below(const toml::table& table, std::string path) {
    return node_->below.emplace_back(table, std::move(path));
}

Settings Settings::table(std::string_view name) {
    const toml::node* const found = find(name);
    if (found != nullptr && !found->is_table()) complain(fmt::format("{} must be a table: [{}]", name, name));
    const toml::table* const table = found == nullptr ? nullptr : found->as_table();
    return below(table == nullptr ? no_table() : *table, named(name));
}

std::vector<Settings> Settings::tables(std::string_view name) {
    std::vector<Settings> all;
    const toml::node* const found = find(name);
    if (found == nullptr) return all;
    const toml::array* const array = found->as_array();
    if (array == nullptr) {
        complain(fmt::format("{} must be written as [[{}]]", name, name));
        return all;
    }
    for (const toml::node& element : *array) {
        const toml::table* const table = element.as_table();
        if (table == nullptr)
            complain(fmt::format("{} must be written as [[{}]]", name, name));
        else
            all.push_back(below(*table, fmt::format("{}[{}]", named(name), all.size())));
    }
    return all;
}

std::optional<std::string> Settings::first_complaint() const {
    if (!node_->faults.empty()) return node_->faults.front();
    for (const auto& [key, value] : *node_->table) {
        if (!node_->asked.contains(key.str())) return fmt::format("{} is not a setting", named(key.str()));
    }
    for (const Settings& table : node_->below) {
        if (auto fault = table.first_complaint()) return fault;
    }
    return std::nullopt;
}

Result<std::string> read_text_file(const std::filesystem::path& path) {
    const std::ifstream file(path);
    if (!file) return fail(ErrorCode::not_found, "The file " + path.string() + " cannot be read.");
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

}  // namespace sheaf::app

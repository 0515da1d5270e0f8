#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <simdjson.h>

// Wire cases: one call and what it must be answered with, as text. testdata/README says how they are written.
namespace sheaf::dialect {

struct WireCase {
    std::string name;
    int line = 0;
    std::string method;
    std::string target;
    std::string content_type = "application/json";
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
    std::vector<std::string> checks;
};

inline std::string substitute(std::string text, const std::map<std::string, std::string>& names) {
    for (const auto& [name, value] : names) {
        const std::string mark = "${" + name + "}";
        for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark, at)) {
            text.replace(at, mark.size(), value);
        }
    }
    return text;
}

inline std::vector<WireCase> read_wire_cases(const std::filesystem::path& file) {
    std::vector<WireCase> cases;
    std::ifstream in(file);
    std::string line;
    for (int number = 1; std::getline(in, line); ++number) {
        if (line.starts_with("== ")) {
            cases.push_back({});
            cases.back().name = line.substr(3);
            cases.back().line = number;
        } else if (cases.empty() || line.empty() || line.starts_with('#')) {
            continue;
        } else if (line.starts_with("> ")) {
            cases.back().body += line.substr(2);
        } else if (line.starts_with("< ")) {
            cases.back().checks.push_back(line.substr(2));
        } else if (cases.back().method.empty()) {
            cases.back().method = line.substr(0, line.find(' '));
            cases.back().target = line.substr(line.find(' ') + 1);
        } else {
            const auto colon = line.find(": ");
            const std::string name = line.substr(0, colon);
            if (name == "content-type")
                cases.back().content_type = line.substr(colon + 2);
            else
                cases.back().headers.emplace_back(name, line.substr(colon + 2));
        }
    }
    return cases;
}

// Why `actual` does not contain `expected` (members of objects may be more), or nothing. The text "<absent>"
// stands for a member that must not be there.
inline std::string difference(simdjson::dom::element expected, simdjson::dom::element actual,
                              const std::string& path) {
    namespace dom = simdjson::dom;
    if (expected.is_object()) {
        if (!actual.is_object()) return path + " is no object";
        for (const auto& [name, value] : expected.get_object().value_unsafe()) {
            const std::string place = path + "." + std::string(name);
            dom::element found;
            const bool is_there = actual.at_key(name).get(found) == simdjson::SUCCESS;
            std::string_view text;
            if (value.get(text) == simdjson::SUCCESS && text == "<absent>") {
                if (is_there) return place + " is there";
                continue;
            }
            if (!is_there) return place + " is absent";
            if (auto inner = difference(value, found, place); !inner.empty()) return inner;
        }
        return {};
    }
    if (expected.is_array()) {
        dom::array wanted = expected.get_array().value_unsafe();
        dom::array found;
        if (actual.get(found) != simdjson::SUCCESS) return path + " is no array";
        if (wanted.size() != found.size()) return path + " has another length";
        std::size_t index = 0;
        for (const dom::element one : wanted) {
            const std::string place = path + "[" + std::to_string(index) + "]";
            if (auto inner = difference(one, found.at(index++).value_unsafe(), place); !inner.empty())
                return inner;
        }
        return {};
    }
    const std::string left = simdjson::to_string(expected);
    const std::string right = simdjson::to_string(actual);
    return left == right ? std::string() : path + " is " + right + ", not " + left;
}

}  // namespace sheaf::dialect

#pragma once

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "dialect/dialect_world.h"
#include "dialect/wire_case.h"
#include "jsonl/document.h"

namespace sheaf::dialect {

// The files of wire cases beside a test, by name.
inline std::vector<std::string> wire_case_files(const std::filesystem::path& folder) {
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        if (entry.path().extension() == ".case") files.push_back(entry.path().filename());
    }
    std::ranges::sort(files);
    return files;
}

inline std::string wire_case_name(const testing::TestParamInfo<std::string>& info) {
    std::string name = info.param.substr(0, info.param.find('.'));
    std::ranges::replace(name, '-', '_');
    return name;
}

// Plays wire cases in a dialect's world, whose stored() tells what is there: a refused call must not change
// it.
template <class World>
class WireCases : public World, public testing::WithParamInterface<std::string> {
protected:
    // What every answer has, whatever it says.
    virtual void check_every(const Answered& answered) = 0;
    // A check in the dialect's own words, which follow `word`.
    virtual void check_own(const Answered& answered, const std::string& word, const std::string& rest) = 0;

    void play(const std::filesystem::path& file) {
        const auto cases = read_wire_cases(file);
        ASSERT_FALSE(cases.empty());
        for (const WireCase& one : cases) {
            SCOPED_TRACE(file.filename().string() + ":" + std::to_string(one.line) + " " + one.name);
            ASSERT_FALSE(one.checks.empty());
            const std::string before = this->stored();
            const Answered answered = this->call(to_call(one));
            check_every(answered);
            for (const std::string& text : one.checks) check(one, answered, text);
            if (answered.status >= 400) EXPECT_EQ(this->stored(), before) << "a refused call left something";
        }
    }

    std::map<std::string, std::string> names;

private:
    Asked to_call(const WireCase& one) {
        Asked asked{.method = one.method,
                    .target = substitute(one.target, names),
                    .body = substitute(one.body, names),
                    .content_type = one.content_type};
        for (const auto& [name, value] : one.headers) {
            if (name == "key")
                asked.key = value == "other" ? this->other_key : value;
            else
                asked.headers.add(name, substitute(value, names));
        }
        return asked;
    }

    void check(const WireCase& one, const Answered& answered, const std::string& check) {
        const auto space = check.find(' ');
        const std::string word = check.substr(0, space);
        const std::string rest = space == std::string::npos ? "" : substitute(check.substr(space + 1), names);
        if (word == "json") {
            const auto body = jsonl::Document::parse(answered.body);
            ASSERT_TRUE(body) << answered.body;
            const auto expected = jsonl::Document::parse(rest);
            ASSERT_TRUE(expected) << rest;
            EXPECT_EQ(difference(expected->root(), body->root(), "$"), "") << answered.body;
        } else if (word == "save") {
            const auto body = jsonl::Document::parse(answered.body);
            ASSERT_TRUE(body) << answered.body;
            std::string_view text;
            ASSERT_EQ(body->root().at_pointer(rest.substr(rest.find(' ') + 1)).get(text), simdjson::SUCCESS);
            names[rest.substr(0, rest.find(' '))] = text;
        } else if (word == "header") {
            const auto colon = rest.find(": ");
            EXPECT_EQ(answered.headers.find(rest.substr(0, colon)), rest.substr(colon + 2));
        } else if (word == "text") {
            EXPECT_EQ(answered.body, rest);
        } else if (word.find_first_not_of("0123456789") == std::string::npos) {
            EXPECT_EQ(std::to_string(answered.status), word)
                << one.method << " " << one.target << answered.body;
        } else {
            check_own(answered, word, rest);
        }
    }
};

}  // namespace sheaf::dialect

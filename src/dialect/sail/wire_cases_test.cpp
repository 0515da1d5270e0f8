#include <gtest/gtest.h>

#include "dialect/sail/testing_world.h"
#include "dialect/wire_case.h"
#include "jsonl/document.h"

namespace sheaf::dialect::sail {
namespace {

std::filesystem::path testdata() {
    return std::filesystem::path(__FILE__).parent_path() / "testdata";
}

class SailWireCases : public SailWorld, public testing::WithParamInterface<std::string> {
protected:
    void check(const Answered& answered, const std::string& check) {
        const auto space = check.find(' ');
        const std::string word = check.substr(0, space);
        const std::string rest = space == std::string::npos ? "" : substitute(check.substr(space + 1), names);
        if (word == "header") {
            const auto colon = rest.find(": ");
            EXPECT_EQ(answered.headers.find(rest.substr(0, colon)), rest.substr(colon + 2));
        } else if (word == "text") {
            EXPECT_EQ(answered.body, rest);
        } else if (word.size() == 3 && word[0] >= '1' && word[0] <= '9') {
            EXPECT_EQ(std::to_string(answered.status), word) << answered.body;
        } else {
            const auto body = jsonl::Document::parse(answered.body);
            ASSERT_TRUE(body) << answered.body;
            check_json(answered, body->root(), word, rest);
        }
    }

    void check_json(const Answered& answered, simdjson::dom::element body, const std::string& word,
                    const std::string& rest) {
        if (word == "json") {
            const auto expected = jsonl::Document::parse(rest);
            ASSERT_TRUE(expected) << rest;
            EXPECT_EQ(difference(expected->root(), body, "$"), "") << answered.body;
        } else if (word == "save") {
            std::string_view text;
            ASSERT_EQ(body.at_pointer(rest.substr(rest.find(' ') + 1)).get(text), simdjson::SUCCESS);
            names[rest.substr(0, rest.find(' '))] = text;
        } else {
            ASSERT_TRUE(word == "code" || word == "param" || word == "type") << "no such check: " << word;
            simdjson::dom::element found;
            ASSERT_EQ(body["error"][word].get(found), simdjson::SUCCESS) << answered.body;
            EXPECT_EQ(simdjson::to_string(found), rest == "null" ? rest : "\"" + rest + "\"")
                << answered.body;
        }
    }

    std::map<std::string, std::string> names;
};

TEST_P(SailWireCases, AreAnsweredAsWritten) {
    const auto cases = read_wire_cases(testdata() / GetParam());
    ASSERT_FALSE(cases.empty());
    for (const WireCase& one : cases) {
        SCOPED_TRACE(GetParam() + ":" + std::to_string(one.line) + " " + one.name);
        ASSERT_FALSE(one.checks.empty());
        const std::size_t before = stored();
        Asked asked{.method = one.method,
                    .target = substitute(one.target, names),
                    .body = substitute(one.body, names),
                    .content_type = one.content_type};
        for (const auto& [name, value] : one.headers) {
            if (name == "key")
                asked.key = value == "other" ? other_key : value;
            else
                asked.headers.add(name, value);
        }
        const Answered answered = call(std::move(asked));
        EXPECT_TRUE(answered.headers.find("x-request-id").value_or("").starts_with("req_"));
        for (const std::string& text : one.checks) check(answered, text);
        if (answered.status >= 400) EXPECT_EQ(stored(), before) << "a refused call left something";
    }
}

std::vector<std::string> case_files() {
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(testdata())) {
        if (entry.path().extension() == ".case") files.push_back(entry.path().filename());
    }
    std::ranges::sort(files);
    return files;
}

INSTANTIATE_TEST_SUITE_P(Sail, SailWireCases, testing::ValuesIn(case_files()), [](const auto& info) {
    std::string name = info.param.substr(0, info.param.find('.'));
    std::ranges::replace(name, '-', '_');
    return name;
});

}  // namespace
}  // namespace sheaf::dialect::sail

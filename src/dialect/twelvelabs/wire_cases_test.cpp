#include <gtest/gtest.h>

#include "dialect/twelvelabs/testing_world.h"
#include "dialect/wire_case.h"
#include "jsonl/document.h"

namespace sheaf::dialect::twelvelabs {
namespace {

std::filesystem::path testdata() {
    return std::filesystem::path(__FILE__).parent_path() / "testdata";
}

class WireCases : public TwelveLabsWorld, public testing::WithParamInterface<std::string> {
protected:
    void SetUp() override {
        names["VIDEO"] = ready_asset("video one");
        names["VIDEO2"] = ready_asset("video two");
        names["IMAGE"] = ready_asset("image one");
        names["BROKEN"] = ready_asset("nonsense");
        names["NOTHING"] = "0123456789abcdef01234567";
    }

    void check(const WireCase& one, const Answered& answered, const std::string& check) {
        const auto space = check.find(' ');
        const std::string word = check.substr(0, space);
        const std::string rest = space == std::string::npos ? "" : substitute(check.substr(space + 1), names);
        if (word == "code" || word == "field" || word == "json" || word == "save") {
            const auto body = jsonl::Document::parse(answered.body);
            ASSERT_TRUE(body) << answered.body;
            if (word == "json") {
                const auto expected = jsonl::Document::parse(rest);
                ASSERT_TRUE(expected) << rest;
                EXPECT_EQ(difference(expected->root(), body->root(), "$"), "") << answered.body;
            } else if (word == "save") {
                std::string_view text;
                ASSERT_EQ(body->root().at_pointer(rest.substr(rest.find(' ') + 1)).get(text),
                          simdjson::SUCCESS);
                names[rest.substr(0, rest.find(' '))] = text;
            } else {
                // Both envelopes say the same.
                std::string_view flat;
                std::string_view nested;
                const bool is_code = word == "code";
                if (is_code) {
                    ASSERT_EQ(body->root()["code"].get(flat), simdjson::SUCCESS);
                    EXPECT_EQ(flat, rest) << answered.body;
                }
                ASSERT_EQ(
                    body->root().at_pointer(is_code ? "/error/code" : "/error/details/field").get(nested),
                    simdjson::SUCCESS)
                    << answered.body;
                EXPECT_EQ(nested, rest) << answered.body;
            }
        } else if (word == "header") {
            const auto colon = rest.find(": ");
            EXPECT_EQ(answered.headers.find(rest.substr(0, colon)), rest.substr(colon + 2));
        } else if (word == "text") {
            EXPECT_EQ(answered.body, rest);
        } else {
            EXPECT_EQ(std::to_string(answered.status), word)
                << one.method << " " << one.target << answered.body;
        }
    }

    std::map<std::string, std::string> names;
};

TEST_P(WireCases, AreAnsweredAsWritten) {
    const auto cases = read_wire_cases(testdata() / GetParam());
    ASSERT_FALSE(cases.empty());
    for (const WireCase& one : cases) {
        SCOPED_TRACE(GetParam() + ":" + std::to_string(one.line) + " " + one.name);
        ASSERT_FALSE(one.checks.empty());
        const std::string before = stored();
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
        EXPECT_EQ(answered.headers.find("X-Api-Version"), "1.3");
        for (const std::string& text : one.checks) check(one, answered, text);
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

INSTANTIATE_TEST_SUITE_P(TwelveLabs, WireCases, testing::ValuesIn(case_files()), [](const auto& info) {
    std::string name = info.param.substr(0, info.param.find('.'));
    std::ranges::replace(name, '-', '_');
    return name;
});

}  // namespace
}  // namespace sheaf::dialect::twelvelabs

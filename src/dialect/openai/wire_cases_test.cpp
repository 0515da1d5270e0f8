#include <gtest/gtest.h>

#include "dialect/openai/testing_world.h"
#include "dialect/wire_case.h"

namespace sheaf::dialect::openai {
namespace {

std::filesystem::path testdata() {
    return std::filesystem::path(__FILE__).parent_path() / "testdata";
}

class OpenAiWireCases : public OpenAiWorld, public testing::WithParamInterface<std::string> {
protected:
    void SetUp() override {
        live.ending = core::Succeeded{{.reply = R"({"object":"chat.completion"})"}};
        names["FILE"] = add_file(chat_line("one") + chat_line("two"));
        names["BAD"] = add_file("nonsense\n");
        names["IMAGE"] = add_file("image", "vision");
        names["FOREIGN"] = add_file(chat_line("one"), "batch", "other");
        names["NOTHING"] = render_id(FileId{{1, 2, 0}});
    }

    // What the lists show, to tell whether a refused call left anything.
    std::string stored() {
        return get("/batches").body + std::to_string(run(files->list({.account = kTeam}))->rows.size());
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
            names[rest.substr(0, rest.find(' '))] = text_at(answered.body, rest.substr(rest.find(' ') + 1));
        } else if (word == "param" || word == "code") {
            EXPECT_EQ(text_at(answered.body, "/error/" + word), rest) << answered.body;
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

    static void check_envelope(const Answered& answered) {
        EXPECT_EQ(answered.headers.find("openai-version"), "2020-10-01");
        EXPECT_TRUE(answered.headers.find("openai-processing-ms"));
        const auto request_id = answered.headers.find("x-request-id").value_or("");
        EXPECT_TRUE(request_id.starts_with("req_"));
        EXPECT_EQ(request_id.size(), 36U);
        if (answered.status < 400) return;
        EXPECT_EQ(answered.headers.find("Content-Type"), "application/json");
        for (const char* const key : {"message", "type", "param", "code"})
            EXPECT_NE(text_at(answered.body, std::string("/error/") + key), "(absent)") << answered.body;
    }

    std::map<std::string, std::string> names;
};

TEST_P(OpenAiWireCases, AreAnsweredAsWritten) {
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
        check_envelope(answered);
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

INSTANTIATE_TEST_SUITE_P(OpenAi, OpenAiWireCases, testing::ValuesIn(case_files()), [](const auto& info) {
    std::string name = info.param.substr(0, info.param.find('.'));
    std::ranges::replace(name, '-', '_');
    return name;
});

}  // namespace
}  // namespace sheaf::dialect::openai

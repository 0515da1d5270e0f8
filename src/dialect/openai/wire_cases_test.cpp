#include <gtest/gtest.h>

#include "dialect/openai/testing_world.h"
#include "dialect/wire_case_runner.h"

namespace sheaf::dialect::openai {
namespace {

std::filesystem::path testdata() {
    return std::filesystem::path(__FILE__).parent_path() / "testdata";
}

class OpenAiCases : public WireCases<OpenAiWorld> {
protected:
    void SetUp() override {
        live.ending = core::Succeeded{{.reply = R"({"object":"chat.completion"})"}};
        names["FILE"] = add_file(chat_line("one") + chat_line("two"));
        names["BAD"] = add_file("nonsense\n");
        names["IMAGE"] = add_file("image", "vision");
        names["FOREIGN"] = add_file(chat_line("one"), "batch", "other");
        names["NOTHING"] = render_id(FileId{{1, 2, 0}});
    }

    void check_every(const Answered& answered) override {
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

    // `param` and `code` of an error.
    void check_own(const Answered& answered, const std::string& word, const std::string& rest) override {
        ASSERT_TRUE(word == "param" || word == "code") << word;
        EXPECT_EQ(text_at(answered.body, "/error/" + word), rest) << answered.body;
    }
};

TEST_P(OpenAiCases, AreAnsweredAsWritten) {
    play(testdata() / GetParam());
}

INSTANTIATE_TEST_SUITE_P(Wire, OpenAiCases, testing::ValuesIn(wire_case_files(testdata())), wire_case_name);

}  // namespace
}  // namespace sheaf::dialect::openai

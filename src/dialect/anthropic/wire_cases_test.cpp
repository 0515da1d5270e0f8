#include <gtest/gtest.h>

#include "dialect/anthropic/testing_world.h"
#include "dialect/wire_case_runner.h"

namespace sheaf::dialect::anthropic {
namespace {

std::filesystem::path testdata() {
    return std::filesystem::path(__FILE__).parent_path() / "testdata";
}

class AnthropicCases : public WireCases<AnthropicWorld> {
protected:
    void SetUp() override { names["NOTHING"] = "msgbatch_0123456789abcdef01200000"; }

    void check_every(const Answered& answered) override {
        const auto id = answered.headers.find("request-id").value_or("");
        EXPECT_TRUE(id.starts_with("req_")) << id;
        if (answered.status < 400) return;
        EXPECT_EQ(answered.headers.find("content-type"), "application/json");
        EXPECT_EQ(at(answered, "/type"), "error");
        EXPECT_EQ(at(answered, "/request_id"), id);
        EXPECT_NE(at(answered, "/error/message"), "");
    }

    // `type`, `message` and the `error_code` of an error.
    void check_own(const Answered& answered, const std::string& word, const std::string& rest) override {
        ASSERT_TRUE(word == "type" || word == "message" || word == "error_code") << word;
        EXPECT_EQ(at(answered, word == "error_code" ? "/error/details/error_code" : "/error/" + word), rest);
    }
};

TEST_P(AnthropicCases, AreAnsweredAsWritten) {
    play(testdata() / GetParam());
}

INSTANTIATE_TEST_SUITE_P(Wire, AnthropicCases, testing::ValuesIn(wire_case_files(testdata())),
                         wire_case_name);

}  // namespace
}  // namespace sheaf::dialect::anthropic

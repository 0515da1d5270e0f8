#include <gtest/gtest.h>

#include "dialect/sail/testing_world.h"
#include "dialect/wire_case_runner.h"

namespace sheaf::dialect::sail {
namespace {

std::filesystem::path testdata() {
    return std::filesystem::path(__FILE__).parent_path() / "testdata";
}

class SailCases : public WireCases<SailWorld> {
protected:
    void check_every(const Answered& answered) override {
        EXPECT_TRUE(answered.headers.find("x-request-id").value_or("").starts_with("req_"));
    }

    // `code`, `param` and `type` of an error.
    void check_own(const Answered& answered, const std::string& word, const std::string& rest) override {
        ASSERT_TRUE(word == "code" || word == "param" || word == "type") << word;
        const auto body = jsonl::Document::parse(answered.body);
        ASSERT_TRUE(body) << answered.body;
        simdjson::dom::element found;
        ASSERT_EQ(body->root()["error"][word].get(found), simdjson::SUCCESS) << answered.body;
        EXPECT_EQ(simdjson::to_string(found), rest == "null" ? rest : "\"" + rest + "\"") << answered.body;
    }
};

TEST_P(SailCases, AreAnsweredAsWritten) {
    play(testdata() / GetParam());
}

INSTANTIATE_TEST_SUITE_P(Wire, SailCases, testing::ValuesIn(wire_case_files(testdata())), wire_case_name);

}  // namespace
}  // namespace sheaf::dialect::sail

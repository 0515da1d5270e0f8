#include <gtest/gtest.h>

#include "dialect/twelvelabs/testing_world.h"
#include "dialect/wire_case_runner.h"

namespace sheaf::dialect::twelvelabs {
namespace {

std::filesystem::path testdata() {
    return std::filesystem::path(__FILE__).parent_path() / "testdata";
}

class TwelveLabsCases : public WireCases<TwelveLabsWorld> {
protected:
    void SetUp() override {
        names["VIDEO"] = ready_asset("video one");
        names["VIDEO2"] = ready_asset("video two");
        names["IMAGE"] = ready_asset("image one");
        names["BROKEN"] = ready_asset("nonsense");
        names["NOTHING"] = "0123456789abcdef01234567";
    }

    void check_every(const Answered& answered) override {
        EXPECT_EQ(answered.headers.find("X-Api-Version"), "1.3");
    }

    // `code` and `field` of an error.
    void check_own(const Answered& answered, const std::string& word, const std::string& rest) override {
        const auto body = jsonl::Document::parse(answered.body);
        ASSERT_TRUE(body) << answered.body;
        const bool is_code = word == "code";
        ASSERT_TRUE(is_code || word == "field") << word;
        // Both envelopes say the same.
        std::string_view flat;
        if (is_code) {
            ASSERT_EQ(body->root()["code"].get(flat), simdjson::SUCCESS);
            EXPECT_EQ(flat, rest) << answered.body;
        }
        std::string_view nested;
        ASSERT_EQ(body->root().at_pointer(is_code ? "/error/code" : "/error/details/field").get(nested),
                  simdjson::SUCCESS)
            << answered.body;
        EXPECT_EQ(nested, rest) << answered.body;
    }
};

TEST_P(TwelveLabsCases, AreAnsweredAsWritten) {
    play(testdata() / GetParam());
}

INSTANTIATE_TEST_SUITE_P(Wire, TwelveLabsCases, testing::ValuesIn(wire_case_files(testdata())),
                         wire_case_name);

}  // namespace
}  // namespace sheaf::dialect::twelvelabs

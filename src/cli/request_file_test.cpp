#include "cli/request_file.h"

#include <gtest/gtest.h>

namespace sheaf::cli {
namespace {

RequestFile read(std::string text, std::optional<RequestDialect> dialect = {}) {
    auto file = read_request_file(std::move(text), dialect);
    EXPECT_TRUE(file) << file.error().message;
    return file.value_or(RequestFile{});
}

const std::string kOpenAiLine =
    R"({"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[]}})";
const std::string kAnthropicItem = R"({"custom_id":"a","params":{"model":"m","max_tokens":9,"messages":[]}})";
const std::string kSailItem = R"({"custom_id":"a","params":{"model":"m","input":"x"}})";

TEST(RequestFile, OfLinesWithAUrlIsOpenAis) {
    const std::string text = "\n" + kOpenAiLine + "\r\n\r\n" + kOpenAiLine + "\n";
    const RequestFile file = read(text);
    EXPECT_EQ(file.dialect, RequestDialect::openai);
    EXPECT_EQ(file.body, text) << "the bytes stay as they are: line numbers count";
    EXPECT_EQ(file.endpoint, "/v1/chat/completions");
    EXPECT_EQ(file.items, 2U);
}

TEST(RequestFile, OfParamsIsAnthropicsOrSailsByWhatTheyHave) {
    const RequestFile anthropic = read(R"({"requests":[)" + kAnthropicItem + "]}");
    EXPECT_EQ(anthropic.dialect, RequestDialect::anthropic);
    EXPECT_EQ(anthropic.body, R"({"requests":[)" + kAnthropicItem + "]}");
    const RequestFile sail =
        read("{\"label\":\"l\",\n\"requests\":[\n" + kSailItem + ",\n" + kSailItem + "]}");
    EXPECT_EQ(sail.dialect, RequestDialect::sail);
    EXPECT_EQ(sail.items, 2U);
    EXPECT_EQ(sail.body, "{\"label\":\"l\",\"endpoint\":\"/v1/responses\",\"requests\":[\n" + kSailItem +
                             ",\n" + kSailItem + "]}");
}

TEST(RequestFile, MayBeTheListAloneOrItsElementsAsLines) {
    const std::string whole =
        R"({"endpoint":"/v1/responses","requests":[)" + kSailItem + "," + kSailItem + "]}";
    EXPECT_EQ(read("[" + kSailItem + "," + kSailItem + "]").body, whole);
    EXPECT_EQ(read(kSailItem + "\n" + kSailItem).body, whole);
    EXPECT_EQ(read(whole).body, whole);
    EXPECT_EQ(read("\xEF\xBB\xBF" + kSailItem + "\n" + kSailItem).body, whole);
}

TEST(RequestFile, IsWhatItIsSaidToBe) {
    EXPECT_EQ(read(kSailItem, RequestDialect::anthropic).dialect, RequestDialect::anthropic);
    EXPECT_FALSE(read_request_file(kSailItem, RequestDialect::openai)) << "it has no url";
    EXPECT_FALSE(read_request_file("[" + kOpenAiLine + "]", std::nullopt)) << "it is no lines";
    EXPECT_EQ(parse_request_dialect("sail"), RequestDialect::sail);
    EXPECT_FALSE(parse_request_dialect("Sail"));
}

TEST(RequestFile, ThatIsNoneIsRefusedInOneSentence) {
    for (const char* const text :
         {"", "nonsense", "{}", "[]", R"({"requests":[]})", R"({"requests":{}})", R"({"requests":[1,]})",
          R"({"requests":[{"custom_id":"a"}]})", "{\"requests\":[{\"video\":{}}]}"}) {
        const auto file = read_request_file(text, std::nullopt);
        ASSERT_FALSE(file) << text;
        EXPECT_EQ(file.error().exit_code, ExitCode::usage) << text;
        EXPECT_TRUE(file.error().message.ends_with('.')) << file.error().message;
    }
}

TEST(RequestFile, IsToldFromARequestForAnalyses) {
    EXPECT_TRUE(is_request_file(kOpenAiLine));
    EXPECT_TRUE(is_request_file("[" + kAnthropicItem + "]"));
    EXPECT_FALSE(
        is_request_file(R"({"requests":[{"video":{"type":"asset_id","asset_id":"a"},"custom_id":"a"}]})"));
    EXPECT_FALSE(is_request_file(std::string_view("\0\1mp4", 5)));
    EXPECT_FALSE(is_request_file(""));
}

}  // namespace
}  // namespace sheaf::cli

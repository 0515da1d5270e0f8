#include "dialect/sail/codec.h"

#include <gtest/gtest.h>

#include "dialect/sail/sail.h"
#include "jsonl/document.h"

namespace sheaf::dialect::sail {
namespace {

core::ModelRequest request_of(std::string_view body) {
    const auto decoded = Codec().decode({}, body);
    EXPECT_TRUE(decoded) << decoded.error().message;
    return decoded ? std::get<core::ModelRequest>(*decoded) : core::ModelRequest{};
}

TEST(SailCodec, MakesAPlainResponsesRequestOfTheParams) {
    const core::ModelRequest request = request_of(
        "{\n \"model\" : \"m\\u0031\", \"input\":{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}, "
        "\"background\":true,"
        "\"metadata\":{\"webhook_token\":\"t\",\"a\":\"b\"}, \"top_p\" : 0.50 }");
    EXPECT_EQ(request.protocol, core::Protocol::responses);
    EXPECT_EQ(request.model, "m1");
    EXPECT_EQ(
        request.body,
        R"({"model":"m\u0031","input":[{"role":"user","content":"x"}],"metadata":{"a":"b"},"top_p":0.50})");
}

TEST(SailCodec, LeavesOtherInputsAsTheyAre) {
    EXPECT_EQ(request_of(R"({"model":"m","input":"x"})").body, R"({"model":"m","input":"x"})");
    EXPECT_EQ(request_of(R"({"model":"m","input":[{"role":"user","content":"{"}]})").body,
              R"({"model":"m","input":[{"role":"user","content":"{"}]})");
}

TEST(SailCodec, RefusesWhatIsNoRequestAnyMore) {
    EXPECT_FALSE(Codec().decode({}, "nonsense"));
    EXPECT_FALSE(Codec().decode({}, R"({"input":"x"})"));
    EXPECT_FALSE(Codec().decode({}, R"({"model":7})"));
}

TEST(SailCodec, WritesOneLineWhateverTheEnding) {
    const core::ItemHead item{.id = BatchId{1, 2}.item(3), .custom_id = "c-1"};
    const std::vector<std::pair<core::Ending, std::string>> endings{
        {core::Succeeded{{.reply = R"({"status":"completed","output":[],"model":"m"})"}}, "completed"},
        {core::Failed{{"timed_out", "It took too long.\nReally."}}, "failed"},
        {core::Canceled{}, "cancelled"},
        {core::Expired{}, "cancelled"}};
    for (const auto& [ending, word] : endings) {
        const std::string line = Codec().line({}, item, ending);
        EXPECT_EQ(line.find('\n'), line.size() - 1) << line;
        const auto document = jsonl::Document::parse(line);
        ASSERT_TRUE(document) << line;
        std::string_view found;
        EXPECT_EQ(document->root()["status"].get(found), simdjson::SUCCESS);
        EXPECT_EQ(found, word);
        EXPECT_EQ(document->root()["custom_id"].get(found), simdjson::SUCCESS);
        EXPECT_EQ(found, "c-1");
        for (const char* const required : {"id", "object", "created_at", "model", "usage", "metadata"})
            EXPECT_FALSE(document->root()[required].error()) << required;
    }
}

TEST(SailCodec, SaysTheSameOfAnItemFromItsLine) {
    core::ItemHead item{.id = BatchId{1, 2}.item(3), .custom_id = "c-1", .state = core::ItemState::succeeded};
    const std::string body = R"({"model":"m","input":"x","metadata":{"webhook_token":"t"}})";
    const std::string line = Codec().line(
        {}, item, core::Succeeded{{.reply = R"({"output":[],"model":"m"})", .usage = {.input_tokens = 4}}});
    const std::string shown = render_item({}, item, body, line);
    EXPECT_NE(shown.find(R"("input_tokens":4)"), std::string::npos) << shown;
    EXPECT_NE(shown.find(R"("input":"x")"), std::string::npos) << shown;
    EXPECT_EQ(shown.find("webhook_token"), std::string::npos) << shown;
}

TEST(SailCodec, TellsItsIdsFromOthers) {
    const BatchId id = *::sheaf::parse_batch_id("68f4ddaf8aaa60d33df00000");
    EXPECT_EQ(parse_batch_id("batch_68f4ddaf8aaa60d33df00000"), id);
    for (const char* const other :
         {"68f4ddaf8aaa60d33df00000", "batch_", "batch_68f4ddaf8aaa60d33df0000000000000",
          "msgbatch_68f4ddaf8aaa60d33df00000", "batch_68f4ddaf8aaa60d33df00001"})
        EXPECT_FALSE(parse_batch_id(other)) << other;
}

}  // namespace
}  // namespace sheaf::dialect::sail

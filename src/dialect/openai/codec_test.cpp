#include "dialect/openai/codec.h"

#include <random>

#include <gtest/gtest.h>

#include "dialect/openai/testing_world.h"

namespace sheaf::dialect::openai {
namespace {

const Codec kCodec{Limits{}};

core::ItemHead an_item() {
    return {.id = BatchId{1, 2}.item(3), .custom_id = "c-1", .state = core::ItemState::succeeded};
}

std::string line_of(const core::Ending& ending) {
    std::string line = kCodec.line({}, an_item(), ending);
    EXPECT_TRUE(line.ends_with("}\n"));
    line.pop_back();
    return line;
}

std::string head() {
    return R"({"id":")" + render_line_id(an_item().id) + R"(","custom_id":"c-1",)";
}
std::string answered(int status, std::string_view body) {
    return head() +
           fmt::format(R"("response":{{"status_code":{},"request_id":"{}","body":{}}},"error":null}})",
                       status, render_request_id(an_item().id), body);
}
std::string unanswered(std::string_view code, std::string_view message) {
    return head() + fmt::format(R"("response":null,"error":{{"code":"{}","message":"{}"}}}})", code, message);
}
std::string error_body(std::string_view message, std::string_view type, std::string_view param,
                       std::string_view code) {
    return fmt::format(R"({{"error":{{"message":"{}","type":"{}","param":{},"code":{}}}}})", message, type,
                       param, code);
}

TEST(OpenAiCodec, WritesAnAnswerAsTheBodyOfA200) {
    EXPECT_EQ(line_of(core::Succeeded{{.reply = R"({"id":"chatcmpl-1","n":1.50})"}}),
              answered(200, R"({"id":"chatcmpl-1","n":1.50})"));
}

TEST(OpenAiCodec, WritesWhatAModelServerRefusedWithItsStatusAndError) {
    EXPECT_EQ(
        line_of(
            core::Failed{{.code = "invalid_request",
                          .message = "ours",
                          .status = 422,
                          .error = R"({"message":"theirs","type":"bad","param":"n","code":7,"extra":[1]})"}}),
        answered(422, R"({"error":{"message":"theirs","type":"bad","param":"n","code":7,"extra":[1]}})"));
    EXPECT_EQ(
        line_of(core::Failed{{.code = "analysis_failed", .status = 500, .error = R"({"message":"x"})"}}),
        answered(500, error_body("x", "server_error", "null", "null")));
}

TEST(OpenAiCodec, WrapsAnErrorThatIsNoneOfTheVendors) {
    EXPECT_EQ(
        line_of(core::Failed{{.code = "invalid_request", .message = "why", .field = "n", .status = 400}}),
        answered(400, error_body("why", "invalid_request_error", R"("n")", "null")));
    EXPECT_EQ(line_of(core::Failed{
                  {.code = "analysis_failed", .message = "why", .status = 502, .error = R"("just text")"}}),
              answered(502, error_body("why", "server_error", "null", "null")));
}

TEST(OpenAiCodec, WritesOurOwnRefusalsAsTheEndpointWould) {
    EXPECT_EQ(line_of(core::Failed{{.code = "invalid_request", .message = "why", .field = "input[0]"}}),
              answered(400, error_body("why", "invalid_request_error", R"("input[0]")", "null")));
    EXPECT_EQ(
        line_of(core::Failed{{.code = "model_not_found", .message = "gone"}}),
        answered(404, error_body("gone", "invalid_request_error", R"("model")", R"("model_not_found")")));
    EXPECT_EQ(line_of(core::Failed{{.code = "overloaded", .message = "full"}}),
              answered(503, error_body("full", "server_error", "null", "null")));
}

TEST(OpenAiCodec, WritesWhatHadNoAnswerAsAnError) {
    for (const char* const code : {"timed_out", "analysis_failed", "output_invalid", "internal_server_error"})
        EXPECT_EQ(line_of(core::Failed{{.code = code, .message = "why"}}), unanswered("server_error", "why"));
    EXPECT_EQ(line_of(core::Failed{{.code = "timed_out"}}),
              unanswered("server_error", "The request failed."));
    EXPECT_EQ(line_of(core::Failed{{.code = "analysis_failed", .message = "half", .status = 200}}),
              unanswered("server_error", "half"));
}

TEST(OpenAiCodec, NamesItemsThatNeverRan) {
    EXPECT_EQ(text_at(line_of(core::Expired{}), "/error/code"), "batch_expired");
    EXPECT_EQ(text_at(line_of(core::Canceled{}), "/error/code"), "batch_cancelled");
    EXPECT_EQ(text_at(line_of(core::Canceled{}), "/response"), "null");
}

TEST(OpenAiCodec, WritesOneAsciiLineWhateverIsSaid) {
    std::mt19937 random(1);
    for (int round = 0; round < 1000; ++round) {
        std::string text;
        const auto length = random() % 64;
        for (std::size_t i = 0; i < length; ++i) text.push_back(static_cast<char>(random()));
        core::ItemHead item = an_item();
        item.custom_id = text;
        const std::string line =
            kCodec.line({}, item,
                        round % 2 == 0 ? core::Ending(core::Failed{{"timed_out", text}})
                                       : core::Ending(core::Succeeded{{.reply = R"({"text":"caf)"
                                                                                "\xc3\xa9 \xe2\x80\xa8"
                                                                                R"("})"}}));
        ASSERT_EQ(line.find('\n'), line.size() - 1);
        for (const char c : line) ASSERT_LT(static_cast<unsigned char>(c), 0x80);
        ASSERT_TRUE(jsonl::Document::parse(line)) << line;
    }
}

core::Batch a_batch(std::string tag) {
    core::Batch batch;
    batch.id = {1, 2};
    batch.account = {"team"};
    batch.model = "local";
    batch.tag = std::move(tag);
    batch.shared = R"({"input_file_id":"file-x"})";
    return batch;
}

TEST(OpenAiCodec, AsksWhatTheLineAsks) {
    const auto decoded = [](std::string tag, std::string_view body) {
        const auto inference = kCodec.decode(a_batch(std::move(tag)), body);
        EXPECT_TRUE(inference) << inference.error().message;
        return std::get<core::ModelRequest>(*inference);
    };
    const std::string chat = R"({"model":"local","messages":[{"role":"user","content":"x"}]})";
    const auto request = decoded("/v1/chat/completions", chat);
    EXPECT_EQ(request.protocol, core::Protocol::chat_completions);
    EXPECT_EQ(request.model, "local");
    EXPECT_EQ(request.body, chat);
    EXPECT_EQ(decoded("/v1/responses", R"({"model":"local","input":"x"})").protocol,
              core::Protocol::responses);
    EXPECT_EQ(decoded("/v1/embeddings", R"({"model":"local","input":"x"})").protocol,
              core::Protocol::embeddings);
}

TEST(OpenAiCodec, RefusesWhatWouldSurpriseAModelServerWithThePath) {
    const auto refused =
        kCodec.decode(a_batch("/v1/chat/completions"), R"({"model":"local","messages":[{"content":"x"}]})");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().field, "messages[0].role");
    EXPECT_FALSE(kCodec.decode(a_batch("/v1/videos"), "{}"));
}

TEST(OpenAiCodec, GivesTheTwoFilesOfABatchAndNoneThatIsEmpty) {
    core::Batch batch = a_batch("/v1/responses");
    const Timestamp now{std::chrono::seconds{1000}};
    const auto files = kCodec.result_files(batch, 70, 100, now);
    ASSERT_EQ(files.size(), 2U);
    EXPECT_EQ(files[0].id, core::result_file_id(batch.id, core::kOutputFile));
    EXPECT_EQ(files[0].filename, render_id(batch.id) + "_output.jsonl");
    EXPECT_EQ(files[0].purpose, "batch_output");
    EXPECT_EQ(files[0].offset, 0U);
    EXPECT_EQ(files[0].bytes, 70U);
    EXPECT_EQ(files[0].expires_at, now + std::chrono::days{30});
    EXPECT_EQ(files[0].batch, batch.id);
    EXPECT_EQ(files[1].id, core::result_file_id(batch.id, core::kErrorFile));
    EXPECT_EQ(files[1].filename, render_id(batch.id) + "_error.jsonl");
    EXPECT_EQ(files[1].offset, 70U);
    EXPECT_EQ(files[1].bytes, 30U);

    ASSERT_EQ(kCodec.result_files(batch, 100, 100, now).size(), 1U);
    EXPECT_EQ(kCodec.result_files(batch, 100, 100, now)[0].id, files[0].id);
    ASSERT_EQ(kCodec.result_files(batch, 0, 100, now).size(), 1U);
    EXPECT_EQ(kCodec.result_files(batch, 0, 100, now)[0].id, files[1].id);

    batch.shared = R"({"output_expires_after":3600})";
    EXPECT_EQ(kCodec.result_files(batch, 1, 1, now)[0].expires_at, now + std::chrono::hours{1});
}

}  // namespace
}  // namespace sheaf::dialect::openai

#include "dialect/anthropic/codec.h"

#include <gtest/gtest.h>

#include "dialect/anthropic/anthropic.h"
#include "dialect/anthropic/errors.h"
#include "dialect/anthropic/testing_world.h"

namespace sheaf::dialect::anthropic {
namespace {

core::ItemHead an_item(core::ItemState state = core::ItemState::succeeded) {
    return {.id = BatchId{1, 2}.item(3), .custom_id = "c-1", .state = state};
}

core::Batch a_batch(MessageRules rules = {}) {
    core::Batch batch;
    batch.shared = render_shared(rules);
    return batch;
}

std::string line_of(core::Failure failure) {
    return Codec().line(a_batch(), an_item(), core::Failed{std::move(failure)});
}

std::string type_of(core::Failure failure) {
    return at(line_of(std::move(failure)), "/result/error/error/type");
}

TEST(MessageCodec, WritesTheMessageOfASuccessWithTheTierOfBatches) {
    std::string expected(kReply);
    expected.replace(expected.find("standard"), 8, "batch");
    EXPECT_EQ(Codec().line(a_batch(), an_item(), good_answer()),
              R"({"custom_id":"c-1","result":{"type":"succeeded","message":)" + expected + "}}\n");
}

TEST(MessageCodec, ChangesNothingElseThatIsCalledATier) {
    const std::string message =
        R"({"content":[{"type":"tool_use","input":{"usage":{"service_tier":"mine"}}}],"service_tier":"x","usage":{"speed":null,"service_tier":null,"input_tokens":1}})";
    EXPECT_EQ(
        with_batch_tier(message),
        R"({"content":[{"type":"tool_use","input":{"usage":{"service_tier":"mine"}}}],"service_tier":"x","usage":{"speed":null,"service_tier":"batch","input_tokens":1}})");
}

TEST(MessageCodec, WritesTheWholeEnvelopeOfAnError) {
    EXPECT_EQ(
        line_of({.code = "invalid_request", .message = "Input should be 1 or more", .field = "max_tokens"}),
        R"({"custom_id":"c-1","result":{"type":"errored","error":{"type":"error","error":{"type":"invalid_request_error","message":"max_tokens: Input should be 1 or more"},"request_id":null}}})"
        "\n");
}

TEST(MessageCodec, TellsFailuresInTheVendorsTypes) {
    EXPECT_EQ(type_of({.code = "model_not_found"}), "not_found_error");
    EXPECT_EQ(type_of({.code = "overloaded"}), "overloaded_error");
    EXPECT_EQ(type_of({.code = "timed_out"}), "timeout_error");
    EXPECT_EQ(type_of({.code = "analysis_failed"}), "api_error");
    EXPECT_EQ(type_of({.code = "output_invalid"}), "api_error");
    EXPECT_EQ(type_of({.code = "something_new"}), "api_error");
    EXPECT_EQ(type_of({.code = "invalid_request", .status = 422}), "invalid_request_error");
    EXPECT_EQ(type_of({.code = "analysis_failed", .status = 404}), "not_found_error");
    EXPECT_EQ(type_of({.code = "analysis_failed", .status = 429}), "overloaded_error");
    EXPECT_EQ(type_of({.code = "analysis_failed", .status = 503}), "overloaded_error");
    EXPECT_EQ(type_of({.code = "analysis_failed", .status = 504}), "timeout_error");
    EXPECT_EQ(type_of({.code = "analysis_failed", .status = 500}), "api_error");
    EXPECT_NE(at(line_of({}), "/result/error/error/message"), "");
}

TEST(MessageCodec, KeepsTheServersOwnCredentialsToItself) {
    for (const int status : {401, 403}) {
        const std::string line =
            line_of({.code = "invalid_request", .message = "Incorrect key: sk-secret", .status = status});
        EXPECT_EQ(at(line, "/result/error/error/type"), "api_error");
        EXPECT_EQ(line.find("sk-secret"), std::string::npos);
    }
}

TEST(MessageCodec, WritesOneLineWhateverIsSaid) {
    const std::string line = line_of({.code = "x", .message = "a\nb\r\xff\xe2\x80\xa8"});
    EXPECT_EQ(line.find('\n'), line.size() - 1);
    EXPECT_EQ(line.find('\r'), std::string::npos);
    EXPECT_EQ(at(line, "/result/error/error/message"), "a\nb\r\xef\xbf\xbd\xe2\x80\xa8");
}

TEST(MessageCodec, WritesNothingMoreOfWhatWasNotTried) {
    EXPECT_EQ(Codec().line(a_batch(), an_item(), core::Canceled{}),
              "{\"custom_id\":\"c-1\",\"result\":{\"type\":\"canceled\"}}\n");
    EXPECT_EQ(Codec().line(a_batch(), an_item(), core::Expired{}),
              "{\"custom_id\":\"c-1\",\"result\":{\"type\":\"expired\"}}\n");
    for (const core::ItemState state : {core::ItemState::canceled, core::ItemState::expired}) {
        const bool expired = state == core::ItemState::expired;
        EXPECT_EQ(render_unanswered_line(an_item(state)),
                  Codec().line(a_batch(), an_item(),
                               expired ? core::Ending(core::Expired{}) : core::Ending(core::Canceled{})));
    }
}

TEST(MessageCodec, GivesTheRequestAsItsClientWroteIt) {
    const std::string body =
        R"({ "model":"m", "max_tokens":1, "messages":[{"role":"user","content":"x"}], "temperature":1.0 })";
    const auto inference = make_codec()->decode(a_batch(), body);
    ASSERT_TRUE(inference);
    const auto& request = std::get<core::ModelRequest>(*inference);
    EXPECT_EQ(request.protocol, core::Protocol::messages);
    EXPECT_EQ(request.model, "m");
    EXPECT_EQ(request.body, body);
    EXPECT_FALSE(request.counts_tokens);
}

std::string fault_of(std::string_view more, MessageRules rules = {}) {
    const auto inference = Codec().decode(
        a_batch(rules), R"({"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}])" +
                            std::string(more) + "}");
    return inference ? "fine" : tell(inference.error().field, inference.error().message);
}

TEST(MessageCodec, RefusesWhatMayNotStandInABatch) {
    EXPECT_EQ(fault_of(R"(,"stream":false)"), "fine");
    EXPECT_EQ(fault_of(R"(,"stream":true)"), "stream: not supported in message batches");
    EXPECT_EQ(fault_of(R"(,"max_tokens":1)").substr(0, 10), "max_tokens");
    EXPECT_EQ(fault_of(R"(,"custom":1)"), "custom: Extra inputs are not permitted");
    EXPECT_FALSE(Codec().decode(a_batch(), "{}"));
}

TEST(MessageCodec, FollowsTheVersionThatTheBatchWasMadeWith) {
    const MessageRules strict{.version = Version::v2026_10_21, .refuses_sampling = true};
    for (const std::string name : {"temperature", "top_p", "top_k"}) {
        const std::string member = ",\"" + name + "\":1";
        EXPECT_EQ(fault_of(member, strict), name + ": Extra inputs are not permitted");
        EXPECT_EQ(fault_of(member, {.version = Version::v2026_10_21}), "fine");
        EXPECT_EQ(fault_of(member, {.version = Version::v2023_06_01, .refuses_sampling = true}), "fine");
    }
    const std::string body =
        R"({"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"text","text":"x","citations":[{}]}]}]})";
    EXPECT_TRUE(Codec().decode(a_batch(), body));
    const auto refused = Codec().decode(a_batch({.version = Version::v2026_10_21}), body);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().field, "messages.0.content.0.citations");
}

TEST(MessageCodec, RefusesARequestBeyond32Megabytes) {
    const std::string begin = R"({"model":"m","max_tokens":1,"messages":[{"role":"user","content":")";
    const std::string end = R"("}]})";
    const std::string full = begin + std::string(kMessageBytesMax - begin.size() - end.size(), 'a') + end;
    EXPECT_TRUE(Codec().decode(a_batch(), full));
    EXPECT_FALSE(Codec().decode(a_batch(), full + " "));
}

}  // namespace
}  // namespace sheaf::dialect::anthropic

#include <array>
#include <string>
#include <variant>

#include <boost/json.hpp>

#include "backend/backend_conformance.h"
#include "backend/json_text.h"
#include "protocol/translation.h"

// What every backend keeps of model requests: it answers them in their own protocol, or says why not.
namespace sheaf::backend {
namespace {

using core::Protocol;
constexpr std::array kConversations{Protocol::chat_completions, Protocol::messages, Protocol::responses};

std::string at(const std::string& reply, const char* pointer) {
    const auto document = parse_json(reply);
    if (!document) return "no JSON: " + reply;
    boost::system::error_code error;
    const auto* found = document->find_pointer(pointer, error);
    return found == nullptr ? "nothing" : json_text(*found);
}

// What tells an answer of the protocol from one of another.
std::string kind_of(Protocol protocol, const std::string& reply) {
    return at(reply, protocol == Protocol::messages ? "/type" : "/object");
}

const char* kind_of(Protocol protocol) {
    switch (protocol) {
        case Protocol::chat_completions:
            return R"("chat.completion")";
        case Protocol::messages:
            return R"("message")";
        case Protocol::responses:
            return R"("response")";
        case Protocol::embeddings:
            return R"("list")";
    }
    return "";
}

std::string text_of(Protocol protocol, const std::string& reply) {
    switch (protocol) {
        case Protocol::chat_completions:
            return at(reply, "/choices/0/message/content");
        case Protocol::messages:
            return at(reply, "/content/0/text");
        case Protocol::responses:
            return at(reply, "/output/0/content/0/text");
        case Protocol::embeddings:
            return at(reply, "/data/0/embedding");
    }
    return "";
}

void expect_a_sentence(const core::Refused& refused) {
    EXPECT_EQ(refused.failure.code, "invalid_request");
    EXPECT_TRUE(refused.failure.message.ends_with('.')) << refused.failure.message;
}

}  // namespace

TEST_P(BackendConformance, AnswersAModelRequestInItsProtocolOrSaysWhyNot) {
    for (const auto protocol :
         {Protocol::chat_completions, Protocol::messages, Protocol::responses, Protocol::embeddings}) {
        const auto outcome = outcome_of(a_model_job(protocol, "What is a sheaf?"));
        ASSERT_TRUE(outcome);
        if (const auto* refused = std::get_if<core::Refused>(&*outcome)) {
            expect_a_sentence(*refused);
            continue;
        }
        const auto* answer = std::get_if<core::Answer>(&*outcome);
        ASSERT_NE(answer, nullptr) << to_string(protocol);
        EXPECT_EQ(kind_of(protocol, answer->reply), kind_of(protocol));
        EXPECT_NE(text_of(protocol, answer->reply), "nothing") << answer->reply;
        EXPECT_EQ(at(answer->reply, "/model"), R"("the-model")");
        EXPECT_GT(answer->usage.input_tokens, 0U) << to_string(protocol);
        EXPECT_EQ(answer->reply.find('\n'), std::string::npos);
    }
}

TEST_P(BackendConformance, StreamsAModelRequestAsItIsAnsweredWhole) {
    for (const auto protocol : kConversations) {
        std::string heard;
        auto job = a_model_job(protocol, "What is a sheaf?");
        job.on_text = [&](std::string_view events) { heard += events; };
        const auto outcome = outcome_of(std::move(job));
        ASSERT_TRUE(outcome);
        if (std::holds_alternative<core::Refused>(*outcome)) {
            EXPECT_EQ(heard, "");
            continue;
        }
        const auto* streamed = std::get_if<core::Answer>(&*outcome);
        ASSERT_NE(streamed, nullptr) << to_string(protocol);
        const auto whole = answer(a_model_job(protocol, "What is a sheaf?"));
        ASSERT_TRUE(whole);
        const auto text = text_of(protocol, whole->reply);
        EXPECT_EQ(text_of(protocol, streamed->reply), text);

        const auto client = protocol::make_stream_translator(
            protocol, protocol, a_request(protocol, "What is a sheaf?"), "the-model");
        ASSERT_TRUE(client->feed(heard)) << heard;
        const auto end = client->finish();
        ASSERT_TRUE(end) << end.error().message << heard;
        EXPECT_EQ(text_of(protocol, end->reply.body), text);
    }
}

TEST_P(BackendConformance, CountsTokensOrSaysWhyNot) {
    auto job = a_model_job(Protocol::messages, "");
    auto& request = std::get<core::ModelRequest>(job.inference);
    request.body = R"({"model":"the-model","messages":[{"role":"user","content":"What is a sheaf?"}]})";
    request.counts_tokens = true;
    const auto outcome = outcome_of(std::move(job));
    ASSERT_TRUE(outcome);
    if (const auto* refused = std::get_if<core::Refused>(&*outcome)) return expect_a_sentence(*refused);
    const auto* answer = std::get_if<core::Answer>(&*outcome);
    ASSERT_NE(answer, nullptr);
    EXPECT_GT(std::stoul(at(answer->reply, "/input_tokens")), 0U) << answer->reply;
}

TEST_P(BackendConformance, StopsAModelRequestSoonWhenItIsCanceled) {
    expect_that_canceling_stops(a_model_job(Protocol::messages, subject_->slow_words()));
}

}  // namespace sheaf::backend

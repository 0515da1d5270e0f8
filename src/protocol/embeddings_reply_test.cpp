#include "protocol/embeddings_reply.h"

#include <string>

#include <gtest/gtest.h>

#include "protocol/testing_json.h"

namespace sheaf::protocol {
namespace {

TEST(EmbeddingsReply, KeepsWhatTheServerSent) {
    const auto whole = complete_embeddings_reply(
        R"({"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,-1.25]}],"model":"s","usage":{"prompt_tokens":3,"total_tokens":3},"id":"x"})",
        "m");
    ASSERT_TRUE(whole);
    EXPECT_EQ(
        whole->body,
        R"({"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,-1.25]}],"model":"m","usage":{"prompt_tokens":3,"total_tokens":3},"id":"x"})");
    EXPECT_EQ(whole->usage, core::Usage{.input_tokens = 3});
}

TEST(EmbeddingsReply, FillsInWhatIsMissing) {
    const auto whole = complete_embeddings_reply(R"({"data":[]})", "m");
    ASSERT_TRUE(whole);
    EXPECT_EQ(whole->body,
              R"({"data":[],"object":"list","model":"m","usage":{"prompt_tokens":0,"total_tokens":0}})");
}

TEST(EmbeddingsReply, RefusesWhatIsNoList) {
    for (const auto* reply : {"", "x", "[]", "{}", R"({"data":{}})", R"({"error":{"message":"a"}})"})
        EXPECT_EQ(error_of(complete_embeddings_reply(reply, "m")).code, ErrorCode::invalid) << reply;
}

}  // namespace
}  // namespace sheaf::protocol

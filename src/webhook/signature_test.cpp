#include "webhook/signature.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/base64.h"

namespace sheaf::webhook {
namespace {

using core::WebhookForm;
using testing::ElementsAre;

Timestamp at_second(std::int64_t seconds) {
    return Timestamp{std::chrono::seconds{seconds}} + std::chrono::milliseconds{999};
}

TEST(Signature, OfTwelveLabsIsWhatItsReceiversCompute) {
    const Secret secret("test_secret");
    EXPECT_THAT(
        headers_of({WebhookForm::tl_signature, secret, "whe_1", R"({"name":"test"})", at_second(1659342128)}),
        ElementsAre("Content-Type: application/json",
                    "TL-Signature: "
                    "t=1659342128,v1=4d9df20048096b377b2dc8d3dbc17360f489ebc2fa16bc4e9c32a284d29a48d6"));
}

TEST(Signature, OfStandardWebhooksIsWhatItsReceiversCompute) {
    const Secret secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    EXPECT_THAT(headers_of({WebhookForm::standard, secret, "msg_p5jXN8AQM9LWM0D4loKWxJek",
                            R"({"test": 2432232314})", at_second(1614265330)}),
                ElementsAre("Content-Type: application/json", "webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek",
                            "webhook-timestamp: 1614265330",
                            "webhook-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
}

TEST(Signature, ABearerTokenIsSentAsItIsAndAnEmptyOneNot) {
    EXPECT_THAT(headers_of({WebhookForm::bearer, Secret("a token"), "x", "{}", at_second(1)}),
                ElementsAre("Content-Type: application/json", "Authorization: Bearer a token"));
    EXPECT_THAT(headers_of({WebhookForm::bearer, Secret(""), "x", "{}", at_second(1)}),
                ElementsAre("Content-Type: application/json"));
}

TEST(Signature, EveryAttemptIsSignedAnew) {
    const Secret secret("s");
    EXPECT_NE(headers_of({WebhookForm::tl_signature, secret, "whe_1", "{}", at_second(1)}),
              headers_of({WebhookForm::tl_signature, secret, "whe_1", "{}", at_second(2)}));
}

TEST(MakeSecret, MakesAnotherEachTimeInTheFormOfTheReceiver) {
    EXPECT_NE(make_secret(WebhookForm::tl_signature).reveal(),
              make_secret(WebhookForm::tl_signature).reveal());
    EXPECT_EQ(make_secret(WebhookForm::tl_signature).reveal().size(), 64U);
    const std::string standard = make_secret(WebhookForm::standard).reveal();
    ASSERT_TRUE(standard.starts_with("whsec_")) << standard;
    EXPECT_EQ(from_base64(standard.substr(6)).value_or("").size(), 32U);
}

}  // namespace
}  // namespace sheaf::webhook

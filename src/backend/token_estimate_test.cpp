#include "backend/token_estimate.h"

#include <string>

#include <gtest/gtest.h>

namespace sheaf::backend {
namespace {

TEST(TokenEstimate, TakesFourBytesForAToken) {
    EXPECT_EQ(estimated_request_tokens(R"({"a":"12345678"})"), 4U);
    EXPECT_EQ(estimated_request_tokens(""), 0U);
    EXPECT_EQ(estimated_request_tokens("12345"), 2U) << "what is no JSON has a size, too";
}

TEST(TokenEstimate, CountsAPictureApartFromItsBytes) {
    const std::string picture(1'000'000, 'A');
    const auto shown = R"({"source":{"type":"base64","data":")" + picture + R"("}})";
    const auto url = R"([{"url":"data:image/png;base64,)" + picture + R"("}])";
    for (const auto& body : {shown, url}) {
        EXPECT_GT(estimated_request_tokens(body), 1024U) << body.substr(0, 40);
        EXPECT_LT(estimated_request_tokens(body), 1060U) << body.substr(0, 40);
    }
}

}  // namespace
}  // namespace sheaf::backend

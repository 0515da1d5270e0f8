#include "dialect/base_url.h"

#include <gtest/gtest.h>

namespace sheaf::dialect {
namespace {

http::Request asked_with(std::vector<std::pair<std::string, std::string>> headers) {
    http::Request request;
    for (auto& [name, value] : headers) request.headers.add(std::move(name), std::move(value));
    return request;
}

TEST(BaseUrl, IsWhatTheOperatorSet) {
    EXPECT_EQ(base_url(asked_with({{"host", "a:1"}}), "https://sheaf.example/api/"),
              "https://sheaf.example/api");
}

TEST(BaseUrl, IsElseWhatTheClientAskedFor) {
    EXPECT_EQ(base_url(asked_with({{"Host", "sheaf.test:8080"}}), ""), "http://sheaf.test:8080");
    EXPECT_EQ(base_url(asked_with({{"Host", "[::1]:8080"}}), ""), "http://[::1]:8080");
    EXPECT_EQ(base_url(asked_with({{"Host", "evil\"/{x}"}}), ""), "http://localhost");
    EXPECT_EQ(base_url(asked_with({}), ""), "http://localhost");
}

TEST(BaseUrl, GivesBackThePathThatAProxyTookAway) {
    const auto with_prefix = [](std::string prefix) {
        return base_url(asked_with({{"Host", "h"}, {"X-Forwarded-Prefix", std::move(prefix)}}), "");
    };
    EXPECT_EQ(with_prefix("/anthropic"), "http://h/anthropic");
    EXPECT_EQ(with_prefix("/team-1/anthropic/"), "http://h/team-1/anthropic");
    for (const char* const bad :
         {"@evil.example", "//evil.example", "/a/../b", "/.", "/a//b", "/{id}", "/a?b", "/a#b", "/a b", "a"})
        EXPECT_EQ(with_prefix(bad), "http://h") << bad;
    EXPECT_EQ(base_url(asked_with({{"Host", "h"}, {"X-Forwarded-Proto", "https"}}), ""), "https://h");
}

}  // namespace
}  // namespace sheaf::dialect

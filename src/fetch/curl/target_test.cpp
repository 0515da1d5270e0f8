#include "fetch/curl/target.h"

#include <gtest/gtest.h>

namespace sheaf::fetch {
namespace {

TEST(ParseTarget, TellsHostAndPort) {
    const auto plain = parse_target("http://Example.com/video.mp4?x=1#part");
    ASSERT_TRUE(plain) << plain.error().message;
    EXPECT_EQ(plain->port, 80);
    EXPECT_FALSE(plain->address);
    const auto secure = parse_target("HTTPS://example.com");
    ASSERT_TRUE(secure);
    EXPECT_EQ(secure->port, 443);
    const auto numbered = parse_target("http://[2001:db8::1]:8080/");
    ASSERT_TRUE(numbered);
    EXPECT_EQ(numbered->port, 8080);
    EXPECT_EQ(numbered->address, parse_ip("2001:db8::1"));
    EXPECT_TRUE(parse_target("http://example.com/vid\xc3\xa9o.mp4")) << "only the host must be plain";
    EXPECT_TRUE(parse_target("http://example.com/a@b"));
}

TEST(ParseTarget, ForeignSpellingsOfAnAddressAreThatAddressOrInvalid) {
    for (const char* const host :
         {"2130706433", "0x7f000001", "0x7f.0.0.1", "0x7F.1", "0177.0.0.1", "017700000001", "127.1",
          "127.0.1", "127.0.0.1", "[::ffff:127.0.0.1]", "[::FFFF:7f00:1]", "[0:0:0:0:0:ffff:7f00:1]"}) {
        const auto target = parse_target("http://" + std::string(host) + "/");
        if (!target) continue;
        EXPECT_EQ(target->address, parse_ip("127.0.0.1")) << host << " became " << target->host;
    }
    for (const char* const host : {"127.0.0.1", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1"}) {
        EXPECT_TRUE(parse_target("http://" + std::string(host) + "/")) << host;
    }
}

TEST(ParseTarget, WhatParsersReadDifferentlyIsInvalid) {
    for (const char* const url : {"",
                                  "/",
                                  "//example.com/",
                                  "example.com",
                                  "http:",
                                  "http://",
                                  "http:///path",
                                  "http:/example.com",
                                  "http://?x",
                                  "file:///etc/passwd",
                                  "ftp://example.com/",
                                  "gopher://127.0.0.1:6379/_x",
                                  "dict://127.0.0.1/",
                                  "javascript://x/",
                                  "http://ok@127.0.0.1/",
                                  "http://user:secret@example.com/",
                                  "http://127.0.0.1@example.com/",
                                  "http://@example.com/",
                                  "http://example.com:secret@127.0.0.1/",
                                  "http://exa mple.com/",
                                  "http://example.com/\tx",
                                  "http://\texample.com/",
                                  " http://example.com/",
                                  "http://example.com/ ",
                                  "http://example.com/\r\nHost: x",
                                  "http://example.com\\@127.0.0.1/",
                                  "http:\\\\127.0.0.1\\",
                                  "http://127.0.0.1\x7f/",
                                  "http://%31%32%37.0.0.1/",
                                  "http://127.0.0.1%2f@example.com/",
                                  "http://[fe80::1%25eth0]/",
                                  "http://[::1",
                                  "http://::1/",
                                  "http://[127.0.0.1]/",
                                  "http://[::1]x/",
                                  "http://127.0.0.1./",
                                  "http://2130706433./",
                                  "http://0x7f.1./",
                                  "http://1.2.3.4.5/",
                                  "http://256.256.256.256/",
                                  "http://0x100000000/",
                                  "http://foo.0x7f/",
                                  "http://foo.1/",
                                  "http://example.com:99999/",
                                  "http://example.com:80x/",
                                  "http://example.com:-1/",
                                  "http://./",
                                  "http://..",
                                  "http://\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1/",
                                  "http://exam\xc3\xa9ple.com/",
                                  "http://127\xe3\x80\x82"
                                  "0\xe3\x80\x82"
                                  "0\xe3\x80\x82"
                                  "1/",
                                  "http://a<b/",
                                  "http://a,b/",
                                  "http://*/"}) {
        const auto target = parse_target(url);
        EXPECT_FALSE(target) << url << " became " << (target ? target->host : "");
        if (!target) {
            EXPECT_EQ(target.error().code, ErrorCode::invalid) << url;
        }
    }
    EXPECT_FALSE(parse_target("http://example.com/" + std::string(9000, 'a')));
    EXPECT_FALSE(parse_target(std::string("http://example.com/\0x", 21)));
    EXPECT_FALSE(parse_target("http://" + std::string(300, 'a') + "/"));
}

}  // namespace
}  // namespace sheaf::fetch

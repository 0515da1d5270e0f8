#include "fetch/fetch.h"
#include "fetch/path_server.h"

namespace sheaf::fetch {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

class CurlPoster : public testing::Test {
protected:
    Result<int> post(Message message, PostPolicy policy = {.allowed_networks = {"127.0.0.0/8"}}) {
        const auto poster = make_curl_poster(std::move(policy));
        EXPECT_TRUE(poster);
        return (*poster)->post(message, [this] { return gives_up; });
    }
    static ErrorCode code_of(const Result<int>& result) {
        return result ? ErrorCode::internal : result.error().code;
    }

    PathServer server;
    bool gives_up = false;
};

TEST_F(CurlPoster, SendsHeadersAndBodyAndTellsTheStatus) {
    server.on("/in", std::string(kOk));
    const std::string body = "{\"n\":1}";
    const auto status = post({.url = server.url("/in"),
                              .headers = {"Content-Type: application/json", "TL-Signature: t=1,v1=ab"},
                              .body = body});
    ASSERT_TRUE(status) << status.error().message;
    EXPECT_EQ(*status, 200);
    const std::string request = server.last_request();
    EXPECT_TRUE(request.starts_with("POST /in HTTP/1.1\r\n")) << request;
    EXPECT_TRUE(request.ends_with("\r\n\r\n" + body)) << request;
    EXPECT_NE(request.find("\r\nContent-Type: application/json\r\n"), std::string::npos);
    EXPECT_NE(request.find("\r\nTL-Signature: t=1,v1=ab\r\n"), std::string::npos);
    EXPECT_EQ(request.find("urlencoded"), std::string::npos);
}

TEST_F(CurlPoster, ALargeBodyGoesWithoutAskingFirst) {
    server.on("/", std::string(kOk));
    const std::string body(3U << 20, 'x');
    EXPECT_EQ(post({.url = server.url("/"), .body = body}).value(), 200);
    const std::string request = server.last_request();
    EXPECT_EQ(request.find("Expect"), std::string::npos);
    EXPECT_TRUE(request.ends_with(body));
}

TEST_F(CurlPoster, AnEmptyBodyIsSentAsSuch) {
    server.on("/", std::string(kOk));
    EXPECT_EQ(post({.url = server.url("/")}).value(), 200);
    EXPECT_NE(server.last_request().find("Content-Length: 0"), std::string::npos);
}

TEST_F(CurlPoster, EveryStatusIsAnAnswer) {
    for (const int status : {204, 400, 410, 500, 503}) {
        server.on("/", "HTTP/1.1 " + std::to_string(status) + " Word\r\nContent-Length: 0\r\n\r\n");
        EXPECT_EQ(post({.url = server.url("/"), .body = "x"}).value(), status);
    }
}

TEST_F(CurlPoster, ARedirectIsNotFollowed) {
    server.on("/a", redirect("/b"));
    server.on("/b", std::string(kOk));
    EXPECT_EQ(post({.url = server.url("/a"), .body = "x"}).value(), 302);
    EXPECT_EQ(server.accepted, 1);
}

TEST_F(CurlPoster, AddressesThatAreNotAllowedAreNeverConnectedTo) {
    server.on("/", std::string(kOk));
    for (const char* const host : {"127.0.0.1", "localhost", "0x7f.1", "2130706433", "[::ffff:127.0.0.1]"}) {
        EXPECT_EQ(code_of(post({.url = server.url("/", host), .body = "x"}, {})), ErrorCode::denied) << host;
    }
    EXPECT_EQ(code_of(post({.url = "http://10.0.0.1/", .body = "x"}, {})), ErrorCode::denied);
    EXPECT_EQ(code_of(post({.url = "http://169.254.169.254/", .body = "x"}, {})), ErrorCode::denied);
    EXPECT_EQ(server.accepted, 0);
}

TEST_F(CurlPoster, AllNetworksCanBeAllowed) {
    server.on("/", std::string(kOk));
    EXPECT_EQ(
        post({.url = server.url("/"), .body = "x"}, {.allowed_networks = {"0.0.0.0/0", "::/0"}}).value(),
        200);
}

TEST_F(CurlPoster, WhatIsNoUrlOrNoHeaderIsInvalid) {
    EXPECT_EQ(code_of(post({.url = "ftp://example.com/", .body = "x"})), ErrorCode::invalid);
    EXPECT_EQ(code_of(post({.url = "http://user@example.com/", .body = "x"})), ErrorCode::invalid);
    for (const char* const token : {"a\r\nX-More: b", "a\nb", "a\x7f"}) {
        const Message message{
            .url = server.url("/"), .headers = {std::string("Authorization: Bearer ") + token}, .body = "x"};
        EXPECT_EQ(code_of(post(message)), ErrorCode::invalid) << token;
    }
    EXPECT_FALSE(make_curl_poster({.allowed_networks = {"nonsense"}}));
}

TEST_F(CurlPoster, AnEndlessAnswerIsReadOnlySoFarAndCounts) {
    server.on("/", [this](const Peer& peer) {
        peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        const std::string chunk = "4000\r\n" + std::string(0x4000, 'x') + "\r\n";
        while (!server.stopping && peer.send(chunk)) {
        }
    });
    EXPECT_EQ(post({.url = server.url("/"), .body = "x"}).value(), 200);
}

TEST_F(CurlPoster, NoAnswerInTimeIsUnavailable) {
    server.on("/", [this](const Peer&) {
        while (!server.stopping) std::this_thread::sleep_for(5ms);
    });
    EXPECT_EQ(code_of(post({.url = server.url("/"), .body = "x", .time_max = 300ms})),
              ErrorCode::unavailable);
}

TEST_F(CurlPoster, GivingUpEndsTheTransfer) {
    server.on("/", [this](const Peer&) {
        while (!server.stopping) std::this_thread::sleep_for(5ms);
    });
    gives_up = true;
    EXPECT_EQ(code_of(post({.url = server.url("/"), .body = "x", .time_max = 1h})), ErrorCode::canceled);
}

TEST_F(CurlPoster, WhatIsNotHttpIsUnavailable) {
    server.on("/", "not HTTP at all\r\n\r\n");
    EXPECT_EQ(code_of(post({.url = server.url("/"), .body = "x"})), ErrorCode::unavailable);
    server.on("/", [](const Peer&) {});
    EXPECT_EQ(code_of(post({.url = server.url("/"), .body = "x"})), ErrorCode::unavailable);
    EXPECT_EQ(code_of(post({.url = "http://127.0.0.1:1/", .body = "x"})), ErrorCode::unavailable);
}

TEST(Urls, AreCheckedAndGrouped) {
    EXPECT_TRUE(check_url("https://hooks.example.com/in?x=1"));
    EXPECT_TRUE(check_url("http://127.0.0.1:8080/")) << "who may be connected to is decided then";
    EXPECT_EQ(check_url("hooks.example.com").error().code, ErrorCode::invalid);
    EXPECT_EQ(origin_of("https://hooks.example.com/in?x=1").value(), "https://hooks.example.com:443");
    EXPECT_EQ(origin_of("http://hooks.example.com:8080/other").value(), "http://hooks.example.com:8080");
    EXPECT_FALSE(origin_of("file:///etc/passwd"));
}

}  // namespace
}  // namespace sheaf::fetch

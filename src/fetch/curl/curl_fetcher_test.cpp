#include "fetch/fetch.h"
#include "fetch/path_server.h"

namespace sheaf::fetch {
namespace {

using namespace std::chrono_literals;

std::string ok(const std::string& body) {
    return "HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n\r\n" + body;
}

class CurlFetcher : public testing::Test {
protected:
    std::unique_ptr<Fetcher> make(FetchPolicy policy) {
        auto made = make_curl_fetcher(std::move(policy));
        EXPECT_TRUE(made);
        return std::move(*made);
    }
    std::unique_ptr<Fetcher> make_local() { return make({.allowed_networks = {"127.0.0.0/8"}}); }
    Result<Fetched> get(Fetcher& fetcher, const std::string& url, std::uint64_t bytes_max = 1 << 20) {
        body.clear();
        return fetcher.get(url, bytes_max, [this](std::string_view bytes) -> Result<> {
            body += bytes;
            return {};
        });
    }
    static ErrorCode code_of(const Result<Fetched>& result) {
        return result ? ErrorCode::internal : result.error().code;
    }

    PathServer server;
    std::string body;
};

TEST_F(CurlFetcher, GivesTheBodyToTheSink) {
    server.on("/video.mp4", ok("the bytes"));
    const auto fetcher = make_local();
    const auto got = get(*fetcher, server.url("/video.mp4"));
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(body, "the bytes");
    EXPECT_EQ(got->bytes, 9U);
    EXPECT_EQ(got->content_type, "video/mp4");
    EXPECT_EQ(server.last_request().find("Cookie"), std::string::npos);
    EXPECT_EQ(server.last_request().find("Accept-Encoding"), std::string::npos);
}

TEST_F(CurlFetcher, FollowsRedirectsWithoutTheirBodies) {
    server.on("/a", redirect("/b"));
    server.on("/b", redirect(server.url("/c")));
    server.on("/c", ok("here"));
    const auto fetcher = make_local();
    const auto got = get(*fetcher, server.url("/a"));
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(body, "here");
}

TEST_F(CurlFetcher, ARedirectInCirclesEnds) {
    server.on("/a", redirect("/a"));
    const auto fetcher = make_local();
    EXPECT_EQ(code_of(get(*fetcher, server.url("/a"))), ErrorCode::unavailable);
    EXPECT_EQ(server.accepted, 6) << "the first request and five redirects";
    EXPECT_EQ(body, "");
}

TEST_F(CurlFetcher, LoopbackIsDeniedUnlessAllowedHoweverItIsWritten) {
    server.on("/", ok("secret"));
    const auto fetcher = make({});
    const std::string port = server.url("").substr(std::string("http://127.0.0.1").size());
    for (const char* const host : {"127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1",
                                   "[::ffff:127.0.0.1]", "[::1]", "0.0.0.0", "[::]", "0", "LOCALHOST"}) {
        const auto got = get(*fetcher, "http://" + std::string(host) + port + "/");
        ASSERT_FALSE(got) << host;
        EXPECT_EQ(got.error().code, ErrorCode::denied) << host << ": " << got.error().message;
    }
    EXPECT_EQ(server.accepted, 0);
}

TEST_F(CurlFetcher, ANameIsReachedByThoseOfItsAddressesThatAreAllowed) {
    server.on("/", ok("here"));
    const auto fetcher = make_local();
    const auto got = get(*fetcher, server.url("/", "localhost"));
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(body, "here");
}

TEST_F(CurlFetcher, ADeniedTargetSoundsTheSameWhetherItListensOrNot) {
    const auto fetcher = make({});
    const auto listening = get(*fetcher, server.url("/", "localhost"));
    const auto closed = get(*fetcher, "http://localhost:1/");
    const auto literal = get(*fetcher, "http://10.0.0.1:9/");
    ASSERT_FALSE(listening);
    ASSERT_FALSE(closed);
    ASSERT_FALSE(literal);
    EXPECT_EQ(listening.error().code, ErrorCode::denied);
    EXPECT_EQ(listening.error().message, closed.error().message);
    EXPECT_EQ(listening.error().message, literal.error().message);
    EXPECT_EQ(closed.error().code, ErrorCode::denied);
}

TEST_F(CurlFetcher, ARedirectCannotLeadToWhatIsDenied) {
    const auto fetcher = make({.allowed_networks = {"127.0.0.1/32"}});
    for (const std::string& to :
         {std::string("http://10.0.0.1/"), server.url("/", "127.0.0.2"), std::string("http://[::1]/"),
          std::string("file:///etc/passwd"), std::string("gopher://127.0.0.1/"),
          server.url("/", "user:secret@127.0.0.1"), std::string("http://169.254.169.254/latest/meta-data/"),
          std::string("//0x7f000002/")}) {
        server.on("/out", redirect(to));
        const auto got = get(*fetcher, server.url("/out"));
        ASSERT_FALSE(got) << to;
        EXPECT_EQ(got.error().code, ErrorCode::denied) << to << ": " << got.error().message;
    }
    EXPECT_EQ(server.accepted, 8) << "the server itself was asked once each time";
}

TEST_F(CurlFetcher, TooLargeIsToldByTheAnnouncedLength) {
    server.on("/", "HTTP/1.1 200 OK\r\nContent-Length: 5000000000\r\n\r\nx");
    const auto fetcher = make_local();
    EXPECT_EQ(code_of(get(*fetcher, server.url("/"))), ErrorCode::too_large);
}

TEST_F(CurlFetcher, AnEndlessBodyEndsAtTheLimit) {
    server.on("/", [this](const Peer& peer) {
        peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        const std::string chunk = "4000\r\n" + std::string(0x4000, 'x') + "\r\n";
        while (!server.stopping && peer.send(chunk)) {
        }
    });
    const auto fetcher = make_local();
    EXPECT_EQ(code_of(get(*fetcher, server.url("/"), 100'000)), ErrorCode::too_large);
    EXPECT_LE(body.size(), 100'000U);
}

TEST_F(CurlFetcher, ABodyOfExactlyTheLimitIsTaken) {
    server.on("/", ok(std::string(1000, 'x')));
    const auto fetcher = make_local();
    EXPECT_TRUE(get(*fetcher, server.url("/"), 1000));
    EXPECT_EQ(code_of(get(*fetcher, server.url("/"), 999)), ErrorCode::too_large);
}

TEST_F(CurlFetcher, ABodyThatTricklesIsGivenUp) {
    server.on("/", [this](const Peer& peer) {
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
        while (!server.stopping && peer.send("x")) std::this_thread::sleep_for(50ms);
    });
    const auto fetcher = make({.allowed_networks = {"127.0.0.0/8"}, .stall_time = 1s});
    const auto started = std::chrono::steady_clock::now();
    EXPECT_EQ(code_of(get(*fetcher, server.url("/"))), ErrorCode::unavailable);
    EXPECT_LT(std::chrono::steady_clock::now() - started, 8s);
}

TEST_F(CurlFetcher, TheWholeTakesNoLongerThanAllowed) {
    server.on("/", [this](const Peer& peer) {
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
        while (!server.stopping && peer.send(std::string(5000, 'x'))) std::this_thread::sleep_for(10ms);
    });
    const auto fetcher = make({.allowed_networks = {"127.0.0.0/8"}, .time_max = 1s});
    EXPECT_EQ(code_of(get(*fetcher, server.url("/"), 1 << 30)), ErrorCode::unavailable);
}

TEST_F(CurlFetcher, ACutBodyIsAnError) {
    server.on("/", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
    const auto fetcher = make_local();
    EXPECT_EQ(code_of(get(*fetcher, server.url("/"))), ErrorCode::unavailable);
}

TEST_F(CurlFetcher, ErrorsOfTheServerAreNotTheFile) {
    const auto fetcher = make_local();
    for (const char* const status :
         {"404 Not Found", "500 Oops", "206 Partial Content", "304 Not Modified", "401 No"}) {
        server.on("/", "HTTP/1.1 " + std::string(status) + "\r\nContent-Length: 4\r\n\r\nbody");
        const auto got = get(*fetcher, server.url("/"));
        EXPECT_EQ(code_of(got), ErrorCode::unavailable) << status;
    }
    server.on("/", "not HTTP at all\r\n\r\n");
    EXPECT_EQ(code_of(get(*fetcher, server.url("/"))), ErrorCode::unavailable);
    server.on("/", [](const Peer&) {});
    EXPECT_EQ(code_of(get(*fetcher, server.url("/"))), ErrorCode::unavailable);
}

TEST_F(CurlFetcher, EndlessHeadersAreGivenUp) {
    server.on("/", [this](const Peer& peer) {
        peer.send("HTTP/1.1 200 OK\r\n");
        while (!server.stopping && peer.send("X-More: " + std::string(1000, 'x') + "\r\n")) {
        }
    });
    const auto fetcher = make_local();
    EXPECT_EQ(code_of(get(*fetcher, server.url("/"))), ErrorCode::unavailable);
}

TEST_F(CurlFetcher, TheSinksErrorEndsTheTransferAndComesBack) {
    server.on("/", ok("bytes"));
    const auto fetcher = make_local();
    const auto got = fetcher->get(
        server.url("/"), 100, [](std::string_view) -> Result<> { return fail(ErrorCode::no_space, "full"); });
    EXPECT_EQ(code_of(got), ErrorCode::no_space);
}

TEST_F(CurlFetcher, TheSinkIsAskedWhileNothingArrives) {
    server.on("/", [this](const Peer& peer) {
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
        while (!server.stopping) std::this_thread::sleep_for(10ms);
    });
    const auto fetcher = make_local();
    // The peer sends nothing until the server stops, so only the question with no bytes can end this.
    const auto got = fetcher->get(server.url("/"), 100, [](std::string_view bytes) -> Result<> {
        EXPECT_TRUE(bytes.empty());
        return fail(ErrorCode::canceled, "stopping");
    });
    EXPECT_EQ(code_of(got), ErrorCode::canceled);
}

TEST_F(CurlFetcher, AProxyOfTheEnvironmentIsNotUsed) {
    server.on("/", ok("direct"));
    ::setenv("http_proxy", "http://127.0.0.1:1", 1);
    ::setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    const auto fetcher = make_local();
    EXPECT_TRUE(get(*fetcher, server.url("/")));
    ::unsetenv("http_proxy");
    ::unsetenv("ALL_PROXY");
}

TEST_F(CurlFetcher, WhatIsNoUrlIsInvalid) {
    const auto fetcher = make_local();
    EXPECT_EQ(code_of(get(*fetcher, "file:///etc/passwd")), ErrorCode::invalid);
    EXPECT_EQ(code_of(get(*fetcher, "http://ok@127.0.0.1/")), ErrorCode::invalid);
    EXPECT_EQ(code_of(get(*fetcher, "")), ErrorCode::invalid);
    EXPECT_FALSE(make_curl_fetcher({.allowed_networks = {"nonsense"}}));
}

}  // namespace
}  // namespace sheaf::fetch

#include <random>

#include <gtest/gtest.h>

#include "http/chunked.h"
#include "http/request_head.h"
#include "http/response_head.h"
#include "http/syntax.h"

namespace sheaf::http {
namespace {

int refusal_of(std::string_view head) {
    const auto parsed = parse_request_head(head);
    return parsed ? 0 : parsed.error().status;
}

std::string with(std::string_view fields) {
    return "POST /x HTTP/1.1\r\nHost: h\r\n" + std::string(fields) + "\r\n";
}

TEST(RequestHead, TakesTheFormsOfATarget) {
    const auto target = [](const std::string& text) {
        const auto head = parse_request_head("GET " + text + " HTTP/1.1\r\nHost: h\r\n\r\n");
        return head ? head->target : std::string("refused");
    };
    EXPECT_EQ(target("/a?b=c"), "/a?b=c");
    EXPECT_EQ(target("http://host:80/a?b"), "/a?b");
    EXPECT_EQ(target("HTTP://host"), "/");
    EXPECT_EQ(target("https://host?q"), "/?q");
    EXPECT_EQ(target("/a#fragment"), "/a");
    for (const char* bad : {"a", "*", "http://", "http:///x", "host:80", "/a b", "/\x01", ""})
        EXPECT_EQ(target(bad), "refused") << bad;
}

TEST(RequestHead, KnowsWhenTheConnectionIsKept) {
    EXPECT_TRUE(parse_request_head(with(""))->keep_alive);
    EXPECT_FALSE(parse_request_head(with("Connection: Upgrade, Close\r\n"))->keep_alive);
    EXPECT_FALSE(parse_request_head("GET / HTTP/1.0\r\n\r\n")->keep_alive);
    EXPECT_TRUE(parse_request_head("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")->keep_alive);
}

TEST(RequestHead, RefusesWhatIsAmbiguousOrMalformed) {
    EXPECT_EQ(refusal_of(with("")), 0);
    for (const std::string_view bad :
         {"Content-Length: 1\r\nContent-Length: 1\r\n", "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
          "Content-Length: +1\r\n", "Content-Length: 1, 1\r\n", "Content-Length: -1\r\n",
          "Content-Length: 0x1\r\n", "Content-Length: 18446744073709551616\r\n", "Content-Length:\r\n",
          "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "Host: other\r\n", " folded: x\r\n",
          "A: b\r\n c\r\n", "A : b\r\n", ": b\r\n", "A\r\n", "A: \x01\r\n", "A: b\x7f\r\n", "A: b\rc\r\n",
          "(: b\r\n"}) {
        EXPECT_EQ(refusal_of(with(bad)), 400) << bad;
    }
    EXPECT_EQ(refusal_of(with(std::string("A: b\0c\r\n", 8))), 400);
    EXPECT_EQ(refusal_of("GET / HTTP/1.1\r\n\r\n"), 400);
    EXPECT_EQ(refusal_of("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), 400);
    EXPECT_EQ(refusal_of("GET /\r\n\r\n"), 400);
    EXPECT_EQ(refusal_of("GET  / HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
    EXPECT_EQ(refusal_of("G@T / HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
    EXPECT_EQ(refusal_of("GET / HTTP/11\r\nHost: h\r\n\r\n"), 400);
    EXPECT_EQ(refusal_of("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
}

TEST(RequestHead, RefusesWhatItDoesNotSpeakWithItsOwnStatus) {
    EXPECT_EQ(refusal_of("GET / HTTP/2.0\r\nHost: h\r\n\r\n"), 505);
    EXPECT_EQ(refusal_of(with("Transfer-Encoding: gzip, chunked\r\n")), 501);
    EXPECT_EQ(refusal_of(with("Transfer-Encoding: identity\r\n")), 501);
    EXPECT_EQ(refusal_of(with("Expect: the unexpected\r\n")), 417);
    EXPECT_EQ(refusal_of("GET /" + std::string(kTargetBytesMax, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n"), 414);
    std::string many;
    for (std::size_t i = 0; i <= kFieldsMax; ++i) many += "A: b\r\n";
    EXPECT_EQ(refusal_of(with(many)), 431);
}

std::string decode(std::string_view text, std::size_t step, bool& ended, bool& broken) {
    ChunkDecoder decoder;
    std::string out;
    std::array<char, 7> part{};
    for (std::size_t at = 0; at < text.size() && !decoder.ended() && !decoder.broken();) {
        const auto done = decoder.decode(text.substr(at, step), part);
        out.append(part.data(), done.produced);
        at += done.consumed;
    }
    ended = decoder.ended();
    broken = decoder.broken();
    return out;
}

TEST(ChunkDecoder, DecodesHoweverItIsCut) {
    const std::string_view text =
        "5\r\nhello\r\n00A;name=\"v\"\r\n 0123456\r\n\r\n0\r\nTrailer: x\r\nOther: y\r\n\r\n";
    for (std::size_t step = 1; step <= text.size(); ++step) {
        bool ended = false;
        bool broken = false;
        EXPECT_EQ(decode(text, step, ended, broken), "hello 0123456\r\n") << step;
        EXPECT_TRUE(ended) << step;
    }
}

TEST(ChunkDecoder, RefusesWhatTwoReadersCouldReadDifferently) {
    for (const std::string_view bad : {"g\r\n", "\r\n", "-1\r\n", "+1\r\n", " 1\r\n", "1 \r\n", "0x1\r\n",
                                       "1\na", "1\r\nab\r\n", "1\r\na\n", "1;x\n", "1\r\na\rb", "0\r\nA\n",
                                       "0\r\n\rx", "ffffffffffffffff\r\n", "1\r\r\n", "5;\0\r\n"}) {
        bool ended = false;
        bool broken = false;
        decode(bad, 3, ended, broken);
        EXPECT_TRUE(broken || bad == "5;") << bad;
    }
    bool ended = false;
    bool broken = false;
    decode("1;" + std::string(100'000, 'x'), 1000, ended, broken);
    EXPECT_TRUE(broken);
    decode("0\r\n" + std::string(100'000, 'x'), 1000, ended, broken);
    EXPECT_TRUE(broken);
}

TEST(ResponseHead, AValueCannotBeginAnotherField) {
    Headers headers;
    headers.add("X-Name", "a\r\nSet-Cookie: b");
    headers.add("bad name", "x");
    headers.add("Content-Length", "7");
    std::string out;
    append_response_head(out, 200, headers, {.content_length = 0});
    EXPECT_NE(out.find("X-Name: a  Set-Cookie: b\r\n"), std::string::npos);
    EXPECT_EQ(out.find("bad name"), std::string::npos);
    EXPECT_EQ(out.find("Content-Length: 7"), std::string::npos);
}

TEST(ResponseHead, RefusesMalformedAnswers) {
    const auto refused = [](std::string_view head) { return !parse_response_head(head, "GET").has_value(); };
    EXPECT_FALSE(refused("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n"));
    EXPECT_FALSE(refused("HTTP/1.1 200\r\n\r\n"));
    for (const std::string_view bad :
         {"HTTP/2 200\r\n\r\n", "HTTP/1.1 20\r\n\r\n", "HTTP/1.1 2000 x\r\n\r\n", "HTTP/1.1  200\r\n\r\n",
          "ICY 200 OK\r\n\r\n", "HTTP/1.1 099 x\r\n\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
          "HTTP/1.1 200 OK\r\n folded\r\n\r\n"}) {
        EXPECT_TRUE(refused(bad)) << bad;
    }
}

// Changes a few bytes of a good message, again and again: whatever comes out, nothing reads astray.
TEST(WireFormat, MutilatedMessagesOnlyEverGiveErrors) {
    std::mt19937 random(5);
    const std::string request =
        "POST http://h/a%20b?c=d HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nExpect: "
        "100-continue\r\n\r\n";
    const std::string response =
        "HTTP/1.1 200 OK\r\nContent-Length: 12\r\nConnection: keep-alive, close\r\nA:b\r\n\r\n";
    const std::string_view bytes("\r\n :;,\0\t/0129aZ%?#\x7f\x80\xff", 21);
    std::array<char, 50> out{};
    for (int round = 0; round < 30'000; ++round) {
        for (std::string text : {request, response}) {
            for (auto n = random() % 4 + 1; n > 0; --n) {
                const std::size_t at = random() % text.size();
                if (random() % 3 == 0)
                    text.erase(at, random() % 4);
                else
                    text[at] = bytes[random() % bytes.size()];
                if (text.empty()) text = "x";
            }
            HeadScan scan;
            const bool complete = scan.scan(text) == HeadScan::State::complete;
            const std::string_view head =
                complete ? std::string_view(text).substr(0, scan.head_bytes()) : text;
            if (const auto parsed = parse_request_head(head)) EXPECT_TRUE(is_token(parsed->method));
            if (const auto parsed = parse_response_head(head, "GET")) EXPECT_GE(parsed->status, 100);
            ChunkDecoder decoder;
            const auto step = decoder.decode(text, out);
            EXPECT_LE(step.consumed, text.size());
        }
    }
}

}  // namespace
}  // namespace sheaf::http

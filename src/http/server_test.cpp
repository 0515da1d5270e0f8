#include "http/server.h"

#include <atomic>
#include <chrono>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "async/timer.h"
#include "http/raw_client.h"
#include "http/running_server.h"

namespace sheaf::http {
namespace {

using namespace std::chrono_literals;

async::Task<Response> text(std::string body, int status = 200) {
    Response response;
    response.status = status;
    response.headers.add("Content-Type", "text/plain");
    response.body = std::move(body);
    co_return response;
}

async::Task<Response> hello(Request& request) {
    return text("hello " + std::string(request.parameter("name").value_or("you")));
}

async::Task<Response> echo(Request& request) {
    auto body = co_await read_all(*request.body, 1U << 26);
    if (!body) co_return co_await text(std::string(to_string(body.error().code)), 400);
    co_return co_await text(std::move(*body));
}

async::Task<Response> small_echo(Request& request) {
    auto body = co_await read_all(*request.body, 10);
    if (!body) co_return co_await text(std::string(to_string(body.error().code)), 413);
    co_return co_await text(std::move(*body));
}

async::Task<Response> ignore(Request&) {
    return text("ignored");
}

async::Task<Response> without_memory(Request&) {
    throw std::bad_alloc();
    co_return Response{};
}

async::Task<Response> throwing(Request&) {
    throw std::runtime_error("a bug");
    co_return Response{};
}

async::Task<Response> nothing(Request&) {
    return text("", 204);
}

async::Task<Result<>> three_lines(BodyWriter& writer) {
    for (const std::string_view line : {"one\n", "two\n", "", "three\n"}) {
        if (auto written = co_await writer.write(line); !written) co_return written;
    }
    co_return Result<>{};
}

async::Task<Result<>> cut_short(BodyWriter& writer) {
    if (auto written = co_await writer.write("some"); !written) co_return written;
    co_return fail(ErrorCode::internal, "the source broke");
}

async::Task<Response> streaming(StreamBody body) {
    Response response;
    response.body = std::move(body);
    co_return response;
}

Router basic_router() {
    Router router;
    router.add("GET", "/hello", hello);
    router.add("POST", "/echo", echo);
    router.add("POST", "/small", small_echo);
    router.add("POST", "/ignore", ignore);
    router.add("GET", "/throw", throwing);
    router.add("GET", "/without-memory", without_memory);
    router.add("GET", "/nothing", nothing);
    router.add("GET", "/lines", [](Request&) { return streaming(three_lines); });
    router.add("GET", "/cut", [](Request&) { return streaming(cut_short); });
    return router;
}

std::string get(std::string_view path, std::string_view fields = "") {
    return "GET " + std::string(path) + " HTTP/1.1\r\nHost: h\r\n" + std::string(fields) + "\r\n";
}

bool contains(std::string_view all, std::string_view part) {
    return all.find(part) != std::string_view::npos;
}

std::size_t count_of(std::string_view all, std::string_view part) {
    std::size_t count = 0;
    for (std::size_t at = all.find(part); at != std::string_view::npos; at = all.find(part, at + part.size()))
        ++count;
    return count;
}

bool eventually(const std::function<bool()>& holds) {
    for (int i = 0; i < 500; ++i) {
        if (holds()) return true;
        std::this_thread::sleep_for(10ms);
    }
    return false;
}

TEST(Server, AnswersWithDateAndLengthAndKeepsTheConnection) {
    RunningServer server(basic_router());
    RawClient client(server.port());
    for (int i = 0; i < 3; ++i) {
        client.send(get("/hello?name=a%20b"));
        const std::string answer = client.receive_response();
        EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\nDate: ")) << answer;
        EXPECT_TRUE(contains(answer, "Content-Length: 9\r\n")) << answer;
        EXPECT_TRUE(answer.ends_with("\r\n\r\nhello a b")) << answer;
    }
}

TEST(Server, AnswersARequestThatComesByteByByte) {
    RunningServer server(basic_router());
    RawClient client(server.port());
    for (const char c :
         "\r\nPOST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
         "chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: x\r\n\r\n" +
             get("/hello")) {
        client.send(std::string_view(&c, 1));
    }
    const std::string answers = client.receive_response() + client.receive(200);
    EXPECT_TRUE(contains(answers, "\r\n\r\nabcde")) << answers;
    EXPECT_TRUE(contains(answers, "hello you")) << answers;
}

TEST(Server, AnswersPipelinedRequestsInOrder) {
    RunningServer server(basic_router());
    RawClient client(server.port());
    std::string requests;
    for (int i = 0; i < 50; ++i) {
        requests += get("/hello?name=" + std::to_string(i));
        requests += "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nxy";
    }
    client.send(requests + get("/hello?name=last", "Connection: close\r\n"));
    const std::string answers = client.receive_all();
    EXPECT_EQ(count_of(answers, "HTTP/1.1 200 OK"), 101U);
    EXPECT_LT(answers.find("hello 7"), answers.find("hello 8"));
    EXPECT_TRUE(answers.ends_with("hello last"));
    EXPECT_TRUE(contains(answers, "Connection: close\r\n"));
    EXPECT_TRUE(client.ended());
}

TEST(Server, HeadIsGetWithoutABody) {
    RunningServer server(basic_router());
    RawClient client(server.port());
    client.send("HEAD /hello HTTP/1.1\r\nHost: h\r\n\r\nHEAD /lines HTTP/1.1\r\nHost: h\r\n\r\n" +
                get("/hello", "Connection: close\r\n"));
    const std::string answers = client.receive_all();
    EXPECT_EQ(count_of(answers, "Content-Length: 9\r\n"), 2U) << answers;
    EXPECT_EQ(count_of(answers, "hello"), 1U) << answers;
    EXPECT_FALSE(contains(answers, "one")) << answers;
}

TEST(Server, AnswersHttp10AndClosesUnlessAskedNotTo) {
    RunningServer server(basic_router());
    RawClient closing(server.port());
    closing.send("GET /lines HTTP/1.0\r\n\r\n");
    const std::string answer = closing.receive_all();
    EXPECT_TRUE(answer.ends_with("\r\n\r\none\ntwo\nthree\n")) << answer;
    EXPECT_TRUE(contains(answer, "Connection: close"));
    RawClient kept(server.port());
    kept.send("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_TRUE(contains(kept.receive_response(), "Connection: keep-alive\r\n"));
    kept.send("GET /hello HTTP/1.0\r\n\r\n");
    EXPECT_TRUE(contains(kept.receive_all(), "hello you"));
}

TEST(Server, StreamsInChunks) {
    RunningServer server(basic_router());
    RawClient client(server.port());
    client.send(get("/lines", "Connection: close\r\n"));
    const std::string answer = client.receive_all();
    EXPECT_TRUE(contains(answer, "Transfer-Encoding: chunked\r\n"));
    EXPECT_TRUE(answer.ends_with("\r\n\r\n4\r\none\n\r\n4\r\ntwo\n\r\n6\r\nthree\n\r\n0\r\n\r\n")) << answer;
}

TEST(Server, AStreamThatFailsEndsWithoutTheLastChunk) {
    RunningServer server(basic_router());
    RawClient client(server.port());
    client.send(get("/cut"));
    const std::string answer = client.receive_all();
    EXPECT_TRUE(answer.ends_with("4\r\nsome\r\n")) << answer;
    EXPECT_TRUE(client.ended());
    RawClient old(server.port());
    old.send("GET /cut HTTP/1.0\r\n\r\n");
    old.receive_all();
    EXPECT_TRUE(old.was_reset()) << "a body without framing is only cut when the connection is reset";
}

TEST(Server, RefusesBadFramingOnceAndCloses) {
    RunningServer server(basic_router());
    const std::vector<std::pair<std::string, int>> cases{
        {"GET / HTTP/1.1\nHost: h\n\n", 400},
        {"GET / HTTP/1.1\r\nHost: h\nX: y\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", 400},
        {get("/", "A: b\r\n c\r\n"), 400},
        {get("/", std::string("A: b\0\r\n", 7)), 400},
        {"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         400},
        {"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400},
        {"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
        {"GET / HTTP/3.0\r\nHost: h\r\n\r\n", 505},
        {"GET /" + std::string(20'000, 'a'), 414},
        {get("/", "A: " + std::string(70'000, 'b') + "\r\n"), 431},
        {"\x16\x03\x01\x02\x00\x01", 400},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
    };
    for (const auto& [request, status] : cases) {
        RawClient client(server.port());
        client.send(request + get("/hello"));
        client.finish_sending();
        const std::string answer = client.receive_all();
        EXPECT_TRUE(answer.starts_with("HTTP/1.1 " + std::to_string(status))) << request.substr(0, 80) << "\n"
                                                                              << answer;
        EXPECT_TRUE(contains(answer, R"({"code":")")) << answer;
        EXPECT_TRUE(contains(answer, R"("error":{"code":)")) << answer;
        EXPECT_EQ(count_of(answer, "Date: "), 1U) << answer;
        EXPECT_TRUE(client.ended());
        EXPECT_FALSE(client.was_reset());
    }
}

TEST(Server, ABrokenChunkIsToldToTheHandlerAndTheConnectionIsClosed) {
    RunningServer server(basic_router());
    RawClient client(server.port());
    client.send(
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel\r\n0\r\n\r\nxxxxxxx");
    const std::string answer = client.receive_all();
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 400")) << answer;
    EXPECT_TRUE(answer.ends_with("invalid")) << answer;
    EXPECT_TRUE(client.ended());
}

TEST(Server, TellsThatALimitIsPassed) {
    RunningServer server(basic_router());
    const auto answer = [&](const std::string& rest) {
        RawClient client(server.port());
        client.send("POST /small HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" + rest);
        return client.receive_all();
    };
    EXPECT_TRUE(answer("Content-Length: 10\r\n\r\n0123456789").ends_with("0123456789"));
    EXPECT_TRUE(answer("Content-Length: 11\r\n\r\n0123456789a").ends_with("too_large"));
    EXPECT_TRUE(
        answer("Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n").ends_with("0123456789"));
    // Told at the byte that passes it: the rest never comes.
    RawClient client(server.port());
    client.send("POST /small HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n0123456789a");
    EXPECT_TRUE(contains(client.receive_response(), "too_large"));
}

TEST(Server, AnUnreadBodyIsDiscardedUpToALimit) {
    RunningServer server(basic_router(), {.discard_bytes_max = 100'000});
    RawClient client(server.port());
    client.send("POST /ignore HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n" +
                std::string(100'000, 'x') + get("/hello"));
    const std::string answers = client.receive_response() + client.receive(300);
    EXPECT_TRUE(contains(answers, "ignored") && contains(answers, "hello you")) << answers;

    RawClient large(server.port());
    large.send("POST /ignore HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n" +
               std::string(1000, 'x'));
    const std::string answer = large.receive_all();
    EXPECT_TRUE(contains(answer, "Connection: close") && answer.ends_with("ignored")) << answer;
}

TEST(Server, TakesALargeChunkedBodyAndTheNextRequest) {
    RunningServer server(basic_router());
    RawClient client(server.port());
    std::string body;
    std::string sent = "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (std::size_t i = 1; i < 1500; ++i) {
        const std::string part(i, static_cast<char>('a' + i % 26));
        body += part;
        sent += fmt::format("{:x}\r\n{}\r\n", i, part);
    }
    std::thread writer([&] { client.send(sent + "0\r\n\r\n" + get("/hello", "Connection: close\r\n")); });
    const std::string answers = client.receive_all();
    writer.join();
    EXPECT_TRUE(contains(answers, "\r\n\r\n" + body + "HTTP/1.1 200 OK"));
    EXPECT_TRUE(answers.ends_with("hello you"));
}

TEST(Server, AsksForTheBodyOnlyWhenTheHandlerReadsIt) {
    RunningServer server(basic_router());
    RawClient client(server.port());
    const std::string head = "Host: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    client.send("POST /echo HTTP/1.1\r\n" + head);
    EXPECT_EQ(client.receive(), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("abc");
    EXPECT_TRUE(client.receive_response().ends_with("abc"));
    client.send("POST /ignore HTTP/1.1\r\n" + head);
    const std::string answer = client.receive_all();
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200") && contains(answer, "Connection: close")) << answer;
}

TEST(Server, AHandlerThatThrowsIsAnsweredWith500AndTheServerGoesOn) {
    RunningServer server(basic_router());
    RawClient client(server.port());
    client.send(get("/throw"));
    EXPECT_TRUE(client.receive_response().starts_with("HTTP/1.1 500"));
    client.send(get("/nothing") + get("/hello", "Connection: close\r\n"));
    const std::string answers = client.receive_all();
    EXPECT_TRUE(answers.starts_with("HTTP/1.1 204 No Content")) << answers;
    EXPECT_EQ(count_of(answers, "Content-Length"), 1U) << answers;
}

TEST(Server, ARequestForWhichThereIsNoMemoryIsAnsweredWith503AndTheServerGoesOn) {
    RunningServer server(basic_router());
    RawClient client(server.port());
    client.send(get("/without-memory"));
    const std::string answer = client.receive_response();
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 503") && contains(answer, "Retry-After: ")) << answer;
    client.send(get("/hello", "Connection: close\r\n"));
    EXPECT_TRUE(client.receive_all().starts_with("HTTP/1.1 200"));
}

TEST(Server, SendsAFileOfFiftyMegabytes) {
    const int file = ::memfd_create("body", MFD_CLOEXEC);
    std::string block(1'000'000, '\0');
    for (int i = 0; i < 50; ++i) {
        for (std::size_t j = 0; j < block.size(); ++j)
            block[j] = static_cast<char>((j * 7 + static_cast<std::size_t>(i)) % 251);
        ASSERT_EQ(::write(file, block.data(), block.size()), static_cast<ssize_t>(block.size()));
    }
    Router router;
    router.add("GET", "/file", [file](Request&) {
        Response response;
        response.body = FileBody{.file = std::make_shared<Descriptor>(::dup(file)), .bytes = 50'000'000};
        return [](Response ready) -> async::Task<Response> { co_return ready; }(std::move(response));
    });
    router.add("GET", "/short", [file](Request&) {
        Response response;
        response.body = FileBody{.file = std::make_shared<Descriptor>(::dup(file)), .bytes = 60'000'000};
        return [](Response ready) -> async::Task<Response> { co_return ready; }(std::move(response));
    });
    RunningServer server(std::move(router));
    RawClient client(server.port());
    client.send(get("/file") + "HEAD /file HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    const std::string all = client.receive_all();
    const std::size_t body = all.find("\r\n\r\n") + 4;
    ASSERT_GT(all.size(), body + 50'000'000);
    EXPECT_EQ(std::string_view(all).substr(body + 49'000'000, 1'000'000), block);
    EXPECT_EQ(count_of(std::string_view(all).substr(body + 50'000'000), "Content-Length: 50000000"), 1U);

    RawClient vanishing(server.port(), 8 * 1024);
    vanishing.send(get("/file"));
    vanishing.receive();
    vanishing.reset();

    RawClient cut(server.port());
    cut.send(get("/short"));
    EXPECT_LT(cut.receive_all().size(), 60'000'000U);
    EXPECT_TRUE(cut.ended());
    ::close(file);
}

// Counts the handlers that wait, and those whose coroutine was canceled.
struct Waiting {
    std::atomic<int> begun{0};
    std::atomic<int> canceled{0};
    std::atomic<int> ended{0};

    async::Task<Response> wait(std::chrono::milliseconds time) {
        ++begun;
        try {
            co_await async::sleep_for(time);
        } catch (const boost::system::system_error&) {
            ++canceled;
            throw;
        }
        ++ended;
        co_return co_await text("waited");
    }
    Handler handler(std::chrono::milliseconds time) {
        return [this, time](Request&) { return wait(time); };
    }
};

TEST(Server, AVanishedClientCancelsItsHandler) {
    Waiting waiting;
    Router router;
    router.add("GET", "/wait", waiting.handler(60s));
    RunningServer server(std::move(router));
    RawClient closing(server.port());
    RawClient resetting(server.port());
    RawClient pipelining(server.port());
    RawClient staying(server.port());
    for (RawClient* client : {&closing, &resetting, &pipelining, &staying}) client->send(get("/wait"));
    pipelining.send(get("/wait"));
    ASSERT_TRUE(eventually([&] { return waiting.begun == 4; }));
    closing.close();
    resetting.reset();
    pipelining.close();
    EXPECT_TRUE(eventually([&] { return waiting.canceled == 3; }));
    std::this_thread::sleep_for(300ms);
    EXPECT_EQ(waiting.canceled, 3);
    EXPECT_EQ(waiting.begun, 4) << "a request behind one whose client has gone is not begun";
}

TEST(Server, APipelinedRequestDoesNotLookLikeAVanishedClient) {
    Waiting waiting;
    Router router;
    router.add("GET", "/wait", waiting.handler(500ms));
    RunningServer server(std::move(router));
    RawClient client(server.port());
    client.send(get("/wait") + get("/wait", "Connection: close\r\n"));
    EXPECT_EQ(count_of(client.receive_all(), "waited"), 2U);
}

TEST(Server, AStreamWaitsForASlowReaderAndIsCanceledWhenItVanishes) {
    std::atomic<std::size_t> written{0};
    std::atomic<bool> gone{false};
    struct Source {
        std::atomic<std::size_t>& written;
        std::atomic<bool>& gone;
        async::Task<Result<>> run(BodyWriter& writer) {
            const std::string block(100'000, 'x');
            struct Leave {
                std::atomic<bool>& gone;
                ~Leave() { gone = true; }
            } leave{gone};
            while (true) {
                auto done = co_await writer.write(block);
                if (!done) co_return done;
                written += block.size();
            }
        }
    } source{written, gone};
    Router router;
    router.add("GET", "/endless",
               [&source](Request&) { return streaming([&source](BodyWriter& w) { return source.run(w); }); });
    RunningServer server(std::move(router));
    RawClient client(server.port(), 8 * 1024);
    client.send(get("/endless"));
    std::size_t before = 0;
    ASSERT_TRUE(eventually([&] {
        const std::size_t now = written;
        std::this_thread::sleep_for(50ms);
        return now > 0 && std::exchange(before, written) == written;
    }));
    EXPECT_LT(written, 20'000'000U);
    client.close();
    EXPECT_TRUE(eventually([&] { return gone.load(); }));
}

TEST(Server, SlowClientsAreDropped) {
    RunningServer server(
        basic_router(),
        {.header_time = 1s, .idle_time = 1s, .body_grace = 1s, .body_bytes_per_second = 1000});
    RawClient idle(server.port());
    RawClient slow_head(server.port());
    slow_head.send("GET /hello HTTP/1.1\r\n");
    RawClient slow_body(server.port());
    slow_body.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nabc");
    EXPECT_EQ(idle.receive_all(5000), "");
    EXPECT_TRUE(idle.ended());
    EXPECT_TRUE(slow_head.receive_all(5000).starts_with("HTTP/1.1 408"));
    const std::string answer = slow_body.receive_all(5000);
    EXPECT_TRUE(answer.ends_with("timed_out")) << answer;
    EXPECT_TRUE(slow_body.ended());
}

TEST(Server, ASenderThatIsFastEnoughIsNotDropped) {
    RunningServer server(basic_router(), {.body_grace = 1s, .body_bytes_per_second = 1000});
    RawClient client(server.port());
    client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 6000\r\n\r\n");
    for (int i = 0; i < 6; ++i) {
        std::this_thread::sleep_for(400ms);
        client.send(std::string(1000, 'x'));
    }
    EXPECT_TRUE(client.receive_response().starts_with("HTTP/1.1 200"));
}

TEST(Server, AClientThatTakesNothingIsDropped) {
    Router router;
    router.add("GET", "/large", [](Request&) { return text(std::string(50'000'000, 'x')); });
    RunningServer server(std::move(router), {.write_stall = 1s});
    RawClient client(server.port(), 8 * 1024);
    client.send(get("/large"));
    std::this_thread::sleep_for(2s);
    EXPECT_LT(client.receive_all(1000).size(), 50'000'000U);
    EXPECT_TRUE(client.ended());
}

TEST(Server, StopAnswersWhatIsUnderWayAndClosesTheRest) {
    Waiting waiting;
    Router router = basic_router();
    router.add("GET", "/wait", waiting.handler(400ms));
    RunningServer server(std::move(router));
    RawClient idle(server.port());
    idle.send(get("/hello"));
    idle.receive_response();
    RawClient busy(server.port());
    busy.send(get("/wait"));
    ASSERT_TRUE(eventually([&] { return waiting.begun == 1; }));
    const auto before = std::chrono::steady_clock::now();
    server.stop(20s);
    EXPECT_LT(std::chrono::steady_clock::now() - before, 5s);
    const std::string answer = busy.receive_all();
    EXPECT_TRUE(answer.ends_with("waited") && contains(answer, "Connection: close")) << answer;
    EXPECT_EQ(idle.receive_all(), "");
    EXPECT_TRUE(idle.ended());
}

TEST(Server, StopCutsWhatDoesNotEndInTime) {
    Waiting waiting;
    Router router;
    router.add("GET", "/wait", waiting.handler(60s));
    RunningServer server(std::move(router));
    RawClient client(server.port());
    client.send(get("/wait"));
    ASSERT_TRUE(eventually([&] { return waiting.begun == 1; }));
    server.stop(200ms);
    EXPECT_EQ(waiting.canceled, 1);
    EXPECT_EQ(client.receive_all(), "");
}

TEST(Server, WaitsWithAcceptingWhileItHasEnoughConnections) {
    Waiting waiting;
    Router router = basic_router();
    router.add("GET", "/wait", waiting.handler(1s));
    RunningServer server(std::move(router), {.connections_max = 2});
    RawClient first(server.port());
    RawClient second(server.port());
    first.send(get("/wait"));
    second.send(get("/wait"));
    ASSERT_TRUE(eventually([&] { return waiting.begun == 2; }));
    RawClient third(server.port());
    third.send(get("/hello"));
    EXPECT_EQ(third.receive(200), "") << "both places are busy";
    first.receive_response();
    EXPECT_TRUE(contains(third.receive_response(), "hello you")) << "an idle connection made room";
}

TEST(Server, SurvivesRunningOutOfDescriptors) {
    RunningServer server(basic_router());
    RawClient first(server.port());
    first.send(get("/hello"));
    first.receive_response();
    RawClient second(server.port());
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    std::vector<int> taken;
    const rlimit small{.rlim_cur = 200, .rlim_max = limit.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &small);
    for (int fd = ::dup(0); fd >= 0; fd = ::dup(0)) taken.push_back(fd);
    // Neither connection is there for accept() to succeed on, and the first one still works.
    first.send(get("/hello"));
    EXPECT_TRUE(contains(first.receive_response(), "hello you"));
    std::this_thread::sleep_for(300ms);
    for (const int fd : taken) ::close(fd);
    ::setrlimit(RLIMIT_NOFILE, &limit);
    second.send(get("/hello"));
    EXPECT_TRUE(contains(second.receive_response(), "hello you"));
}

TEST(Server, ListensOnNamesOfTheLoopbackAndRefusesOthers) {
    boost::asio::io_context io;
    Server v6(io.get_executor(), Router(), {});
    Server named(io.get_executor(), Router(), {});
    EXPECT_TRUE(named.listen("localhost", 0));
    EXPECT_GT(named.port(), 0);
    Server taken(io.get_executor(), Router(), {});
    EXPECT_EQ(taken.listen("127.0.0.1", named.port()).error().code, ErrorCode::unavailable);
    Server unknown(io.get_executor(), Router(), {});
    EXPECT_EQ(unknown.listen("no.such.name", 0).error().code, ErrorCode::invalid);
    if (const auto listening = v6.listen("[::1]", 0); !listening) {
        EXPECT_EQ(listening.error().code, ErrorCode::unavailable);
    }
    for (Server* server : {&v6, &named, &taken, &unknown}) {
        boost::asio::co_spawn(io, server->stop(0ms), [](const std::exception_ptr&) {});
    }
    io.run();
}

TEST(Server, IsTakenDownWithItsContextWhileAHandlerWaits) {
    Waiting waiting;
    Router router;
    router.add("GET", "/wait", waiting.handler(60s));
    auto io = std::make_unique<boost::asio::io_context>();
    auto server = std::make_unique<Server>(io->get_executor(), std::move(router), ServerLimits{});
    ASSERT_TRUE(server->listen("127.0.0.1", 0));
    RawClient client(server->port());
    client.send(get("/wait"));
    io->run_for(200ms);
    EXPECT_EQ(waiting.begun, 1);
    server.reset();
    io.reset();
}

}  // namespace
}  // namespace sheaf::http

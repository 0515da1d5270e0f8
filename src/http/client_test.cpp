#include "http/client.h"

#include <atomic>
#include <filesystem>
#include <functional>
#include <thread>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include "async/task_group.h"
#include "async/timer.h"
#include "http/origin.h"
#include "http/running_server.h"

namespace sheaf::http {
namespace {

using namespace std::chrono_literals;
using Answer = Result<ClientResponse>;

async::Task<Response> text(std::string body, int status = 200) {
    Response response;
    response.status = status;
    response.body = std::move(body);
    co_return response;
}

async::Task<Response> echo(Request& request) {
    auto body = co_await read_all(*request.body, 1U << 26);
    if (!body) co_return co_await text("bad", 400);
    co_return co_await text(request.method + " " + request.target + " " + *body);
}

// Accepts on a thread of its own, and lets a function speak on each connection, one after the other.
class ScriptedServer {
public:
    using Script = std::function<void(int fd, int connection)>;

    explicit ScriptedServer(Script script) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        CHECK(::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0,
              "the loopback has a free port");
        CHECK(::listen(fd_, 16) == 0, "a bound socket listens");
        socklen_t size = sizeof address;
        ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this, script = std::move(script)] {
            while (true) {
                const int client = ::accept(fd_, nullptr, nullptr);
                if (client < 0) return;
                script(client, accepted_++);
                ::close(client);
            }
        });
    }
    ~ScriptedServer() {
        ::shutdown(fd_, SHUT_RDWR);
        thread_.join();
        ::close(fd_);
    }
    ScriptedServer(const ScriptedServer&) = delete;
    ScriptedServer& operator=(const ScriptedServer&) = delete;

    std::string origin() const { return "http://127.0.0.1:" + std::to_string(port_); }
    std::uint16_t port() const { return port_; }
    int accepted() const { return accepted_; }

private:
    int fd_;
    std::uint16_t port_ = 0;
    std::atomic<int> accepted_{0};
    std::thread thread_;
};

std::string read_request(int fd) {
    std::string all;
    std::array<char, 4096> part{};
    while (all.find("\r\n\r\n") == std::string::npos) {
        const ssize_t count = ::recv(fd, part.data(), part.size(), 0);
        if (count <= 0) return {};
        all.append(part.data(), static_cast<std::size_t>(count));
    }
    return all;
}

void say(int fd, std::string_view bytes) {
    ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

class ClientTest : public testing::Test {
protected:
    std::unique_ptr<Client> client_for(std::string_view origin, ClientLimits limits = {}) {
        auto client = Client::make(io_.get_executor(), origin, limits);
        EXPECT_TRUE(client);
        return std::move(*client);
    }
    Answer run(async::Task<Answer> task) {
        Answer answer = fail(ErrorCode::internal, "it did not end");
        boost::asio::co_spawn(io_, std::move(task), [&](const std::exception_ptr& thrown, Answer result) {
            EXPECT_FALSE(thrown);
            answer = std::move(result);
            // Kept connections tick on.
            io_.stop();
        });
        io_.restart();
        io_.run_for(30s);
        return answer;
    }
    Answer get(std::string_view origin, std::string target = "/", ClientLimits limits = {}) {
        const auto client = client_for(origin, limits);
        return run(client->send({.method = "GET", .target = std::move(target), .time_max = 5s}));
    }
    // What a client makes of an answer of exactly these bytes, behind which the server closes.
    Answer answer_of(const std::string& bytes, ClientLimits limits = {}) {
        ScriptedServer server([&bytes](int fd, int) {
            read_request(fd);
            say(fd, bytes);
        });
        return get(server.origin(), "/", limits);
    }

    boost::asio::io_context io_{1};
};

TEST_F(ClientTest, SendsAndReceivesOverOneKeptConnection) {
    Router router;
    router.add("POST", "/echo/{x}", [](Request& request) { return echo(request); });
    RunningServer server(std::move(router));
    const auto client = client_for(server.origin() + "/ignored");
    for (int i = 0; i < 3; ++i) {
        const auto answer = run(client->send({.target = "/echo/a%20b?c=d", .body = "body"}));
        ASSERT_TRUE(answer) << answer.error().message;
        EXPECT_EQ(answer->status, 200);
        EXPECT_EQ(answer->body, "POST /echo/a%20b?c=d body");
        EXPECT_TRUE(answer->headers.find("date"));
    }
    const auto missing = run(client->send({.method = "GET", .target = "/none"}));
    ASSERT_TRUE(missing);
    EXPECT_EQ(missing->status, 404);
}

TEST_F(ClientTest, AThousandCallsAtOnceAllGetTheirOwnAnswer) {
    Router router;
    router.add("POST", "/echo", [](Request& request) { return echo(request); });
    RunningServer server(std::move(router));
    const auto client = client_for(server.origin());
    async::TaskGroup group(io_.get_executor());
    std::vector<std::string> bodies(1000);
    struct Call {
        static async::Task<void> run(Client& client, std::string body, std::string& out) {
            auto answer = co_await client.send({.target = "/echo", .body = std::move(body)});
            out = answer ? answer->body : answer.error().message;
        }
    };
    for (std::size_t i = 0; i < bodies.size(); ++i)
        group.spawn(Call::run(*client, std::to_string(i), bodies[i]));
    for (int i = 0; i < 600 && group.size() > 0; ++i) io_.run_for(100ms);
    for (std::size_t i = 0; i < bodies.size(); ++i) ASSERT_EQ(bodies[i], "POST /echo " + std::to_string(i));
    EXPECT_EQ(group.size(), 0U);
}

TEST_F(ClientTest, AKeptConnectionThatWasClosedIsReplacedOnce) {
    ScriptedServer server([](int fd, int) {
        read_request(fd);
        say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        // The second request is read, and dropped without a byte of an answer.
        read_request(fd);
    });
    const auto client = client_for(server.origin());
    EXPECT_TRUE(run(client->send({.method = "GET", .target = "/"})));
    EXPECT_TRUE(run(client->send({.method = "GET", .target = "/"})));
    EXPECT_EQ(server.accepted(), 2);
}

TEST_F(ClientTest, AFreshConnectionThatIsClosedIsNotTriedAgain) {
    ScriptedServer server([](int fd, int) { read_request(fd); });
    const auto answer = get(server.origin());
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, ErrorCode::unavailable);
    EXPECT_EQ(server.accepted(), 1);
}

TEST_F(ClientTest, UnderstandsEveryFraming) {
    EXPECT_EQ(answer_of("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc")->body, "abc");
    EXPECT_EQ(answer_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")->body,
              "abc");
    EXPECT_EQ(answer_of("HTTP/1.1 200 OK\r\n\r\nuntil the end")->body, "until the end");
    EXPECT_EQ(answer_of("HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n")->status, 204);
    EXPECT_EQ(answer_of("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 "
                        "OK\r\nContent-Length: 1\r\n\r\na")
                  ->body,
              "a");
}

TEST_F(ClientTest, ReportsHostileAnswersAsUnavailable) {
    for (const std::string bad :
         {"", "garbage", "\r\n\r\n", "HTTP/1.1 200 OK\n\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz",
          "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
          "HTTP/1.1 200 OK\r\nA: b", "SSH-2.0-OpenSSH\r\n\r\n"}) {
        const auto answer = answer_of(bad);
        ASSERT_FALSE(answer) << bad;
        EXPECT_EQ(answer.error().code, ErrorCode::unavailable) << bad;
    }
    std::string endless = "HTTP/1.1 200 OK\r\n";
    for (int i = 0; i < 20'000; ++i) endless += "A: bcdef\r\n";
    EXPECT_EQ(answer_of(endless).error().code, ErrorCode::unavailable);
    std::string interim;
    for (int i = 0; i < 100; ++i) interim += "HTTP/1.1 100 Continue\r\n\r\n";
    EXPECT_EQ(answer_of(interim).error().code, ErrorCode::unavailable);
}

TEST_F(ClientTest, RefusesAnswersBeyondTheLimit) {
    const ClientLimits limits{.body_bytes_max = 10};
    EXPECT_TRUE(answer_of("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789", limits));
    for (const std::string large :
         {"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n0123456789a",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n0123456789a\r\n0\r\n\r\n",
          "HTTP/1.1 200 OK\r\n\r\n0123456789a"}) {
        EXPECT_EQ(answer_of(large, limits).error().code, ErrorCode::too_large) << large;
    }
}

TEST_F(ClientTest, GivesUpWhenTheTimeIsOver) {
    ScriptedServer server([](int fd, int) {
        read_request(fd);
        say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
        read_request(fd);
    });
    const auto client = client_for(server.origin());
    const auto before = std::chrono::steady_clock::now();
    const auto answer = run(client->send({.method = "GET", .target = "/", .time_max = 300ms}));
    EXPECT_LT(std::chrono::steady_clock::now() - before, 3s);
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, ErrorCode::timed_out);
}

TEST_F(ClientTest, TellsThatNothingListens) {
    std::uint16_t port = 0;
    {
        const ScriptedServer gone([](int, int) {});
        port = gone.port();
    }
    const auto answer = get("http://127.0.0.1:" + std::to_string(port));
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, ErrorCode::unavailable);
    EXPECT_NE(answer.error().message.find("refused"), std::string::npos) << answer.error().message;
    EXPECT_EQ(get("http://no-such-name.invalid").error().code, ErrorCode::unavailable);
}

TEST_F(ClientTest, StreamsABodyAsItArrives) {
    std::atomic<bool> first_seen{false};
    ScriptedServer server([&](int fd, int) {
        read_request(fd);
        say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
        while (!first_seen) std::this_thread::sleep_for(1ms);
        say(fd, "6\r\nsecond\r\n0\r\n\r\n");
    });
    const auto client = client_for(server.origin());
    std::string seen;
    const auto answer = run(
        client->send_streaming({.method = "GET", .target = "/", .time_max = 5s}, [&](std::string_view bytes) {
            seen += bytes;
            first_seen = true;
            return true;
        }));
    ASSERT_TRUE(answer);
    EXPECT_EQ(seen, "firstsecond");
    EXPECT_EQ(answer->body, "");
}

TEST_F(ClientTest, AStreamMayLastWhileItIsNotQuiet) {
    std::atomic<bool> is_over{false};
    ScriptedServer server([&](int fd, int) {
        read_request(fd);
        say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (int beat = 0; beat < 8; ++beat) {
            say(fd, "1\r\n.\r\n");
            std::this_thread::sleep_for(100ms);
        }
        while (!is_over) std::this_thread::sleep_for(1ms);
    });
    const auto client = client_for(server.origin());
    std::string seen;
    const auto before = std::chrono::steady_clock::now();
    const auto answer = run(client->send_streaming(
        {.method = "GET", .target = "/", .time_max = 1h, .quiet_max = 400ms}, [&](std::string_view bytes) {
            seen += bytes;
            return true;
        }));
    is_over = true;
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, ErrorCode::timed_out);
    EXPECT_EQ(seen, "........") << "longer in all than it may be quiet";
    EXPECT_LT(std::chrono::steady_clock::now() - before, 10s);
}

TEST_F(ClientTest, ASinkMayEndTheCallAndErrorsAreNotStreamed) {
    const auto stop = [](std::string_view) { return false; };
    {
        ScriptedServer server([](int fd, int) {
            read_request(fd);
            say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc");
        });
        const auto client = client_for(server.origin());
        EXPECT_EQ(run(client->send_streaming({.method = "GET", .target = "/"}, stop)).error().code,
                  ErrorCode::canceled);
    }
    ScriptedServer server([](int fd, int) {
        read_request(fd);
        say(fd, "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy");
    });
    const auto client = client_for(server.origin());
    EXPECT_EQ(run(client->send_streaming({.method = "GET", .target = "/"}, stop))->body, "busy");
}

TEST_F(ClientTest, ReadsARefusalThatComesBeforeTheBodyWasSent) {
    ScriptedServer server([](int fd, int) {
        read_request(fd);
        say(fd, "HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\nConnection: close\r\n\r\nlarge");
        ::shutdown(fd, SHUT_WR);
        std::this_thread::sleep_for(200ms);
    });
    const auto client = client_for(server.origin());
    const auto answer =
        run(client->send({.target = "/", .body = std::string(30'000'000, 'x'), .time_max = 5s}));
    if (answer)
        EXPECT_EQ(answer->status, 413);
    else
        EXPECT_EQ(answer.error().code, ErrorCode::unavailable);
}

TEST_F(ClientTest, CancelingACallClosesItsConnection) {
    std::atomic<bool> closed{false};
    std::atomic<bool> asked{false};
    ScriptedServer server([&](int fd, int) {
        read_request(fd);
        asked = true;
        std::array<char, 10> part{};
        closed = ::recv(fd, part.data(), part.size(), 0) <= 0;
    });
    const auto client = client_for(server.origin());
    boost::asio::cancellation_signal signal;
    bool ended = false;
    boost::asio::co_spawn(io_, client->send({.method = "GET", .target = "/"}),
                          boost::asio::bind_cancellation_slot(
                              signal.slot(), [&](const std::exception_ptr&, const Answer& answer) {
                                  EXPECT_FALSE(answer.has_value());
                                  ended = true;
                              }));
    for (int i = 0; i < 500 && !asked; ++i) io_.run_for(10ms);
    signal.emit(boost::asio::cancellation_type::terminal);
    for (int i = 0; i < 500 && !(ended && closed); ++i) io_.run_for(10ms);
    EXPECT_TRUE(ended);
    EXPECT_TRUE(closed);
}

TEST_F(ClientTest, RefusesRequestsThatWouldNotArriveAsTheyAre) {
    const auto client = client_for("http://127.0.0.1:1");
    Headers split;
    split.add("X-Key", "a\r\nHost: b");
    for (ClientRequest request :
         {ClientRequest{.method = "GET", .target = "/", .headers = split}, ClientRequest{.target = "/a b"},
          ClientRequest{.target = "a"}, ClientRequest{.method = "G T", .target = "/"}}) {
        EXPECT_EQ(run(client->send(std::move(request))).error().code, ErrorCode::invalid);
    }
}

TEST(Origin, IsReadFromAUrl) {
    EXPECT_EQ(parse_origin("http://host/v1")->port, "80");
    EXPECT_EQ(parse_origin("HTTPS://host")->port, "443");
    EXPECT_EQ(parse_origin("http://[::1]:8000/x")->host, "::1");
    EXPECT_EQ(parse_origin("http://[::1]:8000/x")->authority, "[::1]:8000");
    for (const char* bad : {"", "host", "ftp://host", "http://", "http://:80", "http://host:0",
                            "http://host:65536", "http://host:x", "http://user@host", "http://[::1",
                            "http://[::1]80", "http://a b", "http://a\r\nb"}) {
        EXPECT_FALSE(parse_origin(bad)) << bad;
    }
}

// A certificate for `name`, signed by itself, and its key.
class OwnCertificate {
public:
    explicit OwnCertificate(const std::string& name) : key_(EVP_EC_gen("P-256")), certificate_(X509_new()) {
        X509_set_version(certificate_, 2);
        ASN1_INTEGER_set(X509_get_serialNumber(certificate_), 1);
        X509_gmtime_adj(X509_getm_notBefore(certificate_), -3600);
        X509_gmtime_adj(X509_getm_notAfter(certificate_), 3600);
        X509_set_pubkey(certificate_, key_);
        X509_NAME* const subject = X509_get_subject_name(certificate_);
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                                   reinterpret_cast<const unsigned char*>("test"), -1, -1, 0);
        X509_set_issuer_name(certificate_, subject);
        X509_EXTENSION* const names =
            X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, name.c_str());
        X509_add_ext(certificate_, names, -1);
        X509_EXTENSION_free(names);
        X509_sign(certificate_, key_, EVP_sha256());
    }
    ~OwnCertificate() {
        X509_free(certificate_);
        EVP_PKEY_free(key_);
    }
    OwnCertificate(const OwnCertificate&) = delete;
    OwnCertificate& operator=(const OwnCertificate&) = delete;

    void write(const std::string& path) const {
        FILE* const file = std::fopen(path.c_str(), "w");
        PEM_write_X509(file, certificate_);
        std::fclose(file);
    }
    // Speaks TLS on a connection: one request, one answer.
    void serve(int fd) const {
        SSL_CTX* const context = SSL_CTX_new(TLS_server_method());
        SSL_CTX_use_certificate(context, certificate_);
        SSL_CTX_use_PrivateKey(context, key_);
        SSL* const tls = SSL_new(context);
        SSL_set_fd(tls, fd);
        if (SSL_accept(tls) == 1) {
            std::array<char, 4096> part{};
            SSL_read(tls, part.data(), part.size());
            const std::string_view answer = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret";
            SSL_write(tls, answer.data(), static_cast<int>(answer.size()));
        }
        SSL_free(tls);
        SSL_CTX_free(context);
    }

private:
    EVP_PKEY* key_;
    X509* certificate_;
};

TEST_F(ClientTest, SpeaksTlsAndVerifiesWhoAnswers) {
    const auto path =
        std::filesystem::temp_directory_path() / fmt::format("sheaf-certificate-{}.pem", ::getpid());
    const OwnCertificate right("DNS:localhost,IP:127.0.0.1");
    const OwnCertificate wrong("DNS:elsewhere.example");
    const auto call = [&](const OwnCertificate& certificate, std::string_view host) {
        ScriptedServer server([&](int fd, int) { certificate.serve(fd); });
        return get(fmt::format("https://{}:{}", host, server.port()));
    };
    const auto unknown = call(right, "localhost");
    ASSERT_FALSE(unknown);
    EXPECT_EQ(unknown.error().code, ErrorCode::unavailable);
    EXPECT_NE(unknown.error().message.find("not trusted"), std::string::npos) << unknown.error().message;

    right.write(path);
    ::setenv("SSL_CERT_FILE", path.c_str(), 1);
    const auto trusted = call(right, "localhost");
    ASSERT_TRUE(trusted) << trusted.error().message;
    EXPECT_EQ(trusted->body, "secret");
    EXPECT_TRUE(call(right, "127.0.0.1"));

    wrong.write(path);
    EXPECT_FALSE(call(wrong, "localhost")) << "trusted, but for another name";
    ::unsetenv("SSL_CERT_FILE");
    std::filesystem::remove(path);

    ScriptedServer plain([](int fd, int) { say(fd, "HTTP/1.1 400 Bad Request\r\n\r\n"); });
    EXPECT_EQ(get(fmt::format("https://127.0.0.1:{}", plain.port())).error().code, ErrorCode::unavailable);
}

}  // namespace
}  // namespace sheaf::http

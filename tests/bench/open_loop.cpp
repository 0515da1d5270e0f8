// open_loop PORT PATH KEY PER_SECOND SECONDS [UNTIL-FILE]: GETs sent on a schedule that no slow answer
// delays.
//
// Prints {"sent","failed","p50_ms","p99_ms","p999_ms","max_ms"}. A latency counts from the moment a request
// was due, also when no connection was free for it then (no coordinated omission). With UNTIL-FILE it stops
// as soon as that file is there, after SECONDS at the latest.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kConnections = 64;
constexpr int kEventsMax = 64;
constexpr std::size_t kReadBytes = 16 * 1024;

struct Connection {
    int descriptor = -1;
    Clock::time_point due;
    std::string got;
};

int connect_to(std::uint16_t port) {
    const int descriptor = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    // NOLINTNEXTLINE(*-reinterpret-cast): of the API
    if (connect(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return -1;
    const int on = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return descriptor;
}

// Whether a whole answer, of a length that its head tells, is there.
bool is_whole(std::string_view got) {
    const auto head = got.find("\r\n\r\n");
    if (head == std::string_view::npos) return false;
    for (const auto* name : {"Content-Length: ", "content-length: "})
        if (const auto at = got.find(name); at < head)
            return got.size() >= head + 4 + std::strtoul(got.data() + at + 16, nullptr, 10);
    return false;
}

class Sender {
public:
    Sender(std::uint16_t port, std::string request)
        : request_(std::move(request)), connections_(kConnections) {
        for (std::size_t i = 0; i < kConnections; ++i) {
            connections_[i].descriptor = connect_to(port);
            epoll_event event{.events = EPOLLIN, .data = {.u64 = i}};
            epoll_ctl(epoll_, EPOLL_CTL_ADD, connections_[i].descriptor, &event);
            free_.push_back(i);
        }
    }

    void run(std::chrono::nanoseconds every, std::chrono::seconds at_most, const std::string& until) {
        const auto since = Clock::now();
        auto due = since;
        auto next_look = since;
        while (due < since + at_most) {
            if (!until.empty() && due >= next_look) {
                if (std::filesystem::exists(until)) break;
                next_look += std::chrono::milliseconds{100};
            }
            take_answers(due);
            waiting_.push_back(due);
            send_waiting();
            due += every;
        }
        const auto end = Clock::now() + std::chrono::seconds{10};
        while (free_.size() < kConnections && Clock::now() < end)
            take_answers(Clock::now() + std::chrono::milliseconds{10});
    }

    void print() {
        std::ranges::sort(milliseconds_);
        const auto at = [this](double share) {
            if (milliseconds_.empty()) return -1.0;
            const auto last = static_cast<double>(milliseconds_.size() - 1);
            return milliseconds_[static_cast<std::size_t>(share * last)];
        };
        std::printf(
            "{\"sent\":%zu,\"failed\":%zu,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"p999_ms\":%.3f,\"max_ms\":%.3f}"
            "\n",
            sent_, sent_ - milliseconds_.size(), at(0.5), at(0.99), at(0.999), at(1));
    }

private:
    // Until `due`, whatever comes.
    void take_answers(Clock::time_point due) {
        std::vector<epoll_event> events(kEventsMax);
        while (true) {
            const auto left =
                std::max<std::chrono::nanoseconds>(due - Clock::now(), std::chrono::nanoseconds{0});
            const timespec wait{.tv_sec = left.count() / 1'000'000'000,
                                .tv_nsec = left.count() % 1'000'000'000};
            const int count = epoll_pwait2(epoll_, events.data(), kEventsMax, &wait, nullptr);
            for (int i = 0; i < count; ++i) take(events[static_cast<std::size_t>(i)].data.u64);
            send_waiting();
            if (Clock::now() >= due) return;
        }
    }

    void take(std::size_t number) {
        auto& connection = connections_[number];
        std::string part(kReadBytes, '\0');
        const auto got = recv(connection.descriptor, part.data(), part.size(), 0);
        if (got <= 0) {  // counts as failed, and is not used again
            epoll_ctl(epoll_, EPOLL_CTL_DEL, connection.descriptor, nullptr);
            return;
        }
        connection.got.append(part, 0, static_cast<std::size_t>(got));
        if (!is_whole(connection.got)) return;
        if (connection.got.starts_with("HTTP/1.1 200"))
            milliseconds_.push_back(
                std::chrono::duration<double, std::milli>(Clock::now() - connection.due).count());
        connection.got.clear();
        free_.push_back(number);
    }

    void send_waiting() {
        while (!waiting_.empty() && !free_.empty()) {
            auto& connection = connections_[free_.back()];
            free_.pop_back();
            connection.due = waiting_.front();
            waiting_.pop_front();
            ++sent_;
            send(connection.descriptor, request_.data(), request_.size(),
                 MSG_NOSIGNAL);  // take() sees a fault
        }
    }

    std::string request_;
    int epoll_ = epoll_create1(0);
    std::vector<Connection> connections_;
    std::vector<std::size_t> free_;
    std::deque<Clock::time_point> waiting_;
    std::vector<double> milliseconds_;
    std::size_t sent_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    if (arguments.size() < 5) {
        std::fputs("open_loop PORT PATH KEY PER_SECOND SECONDS [UNTIL-FILE]\n", stderr);
        return 2;
    }
    Sender sender(static_cast<std::uint16_t>(std::stoi(arguments[0])),
                  "GET " + arguments[1] + " HTTP/1.1\r\nHost: x\r\nx-api-key: " + arguments[2] + "\r\n\r\n");
    sender.run(std::chrono::nanoseconds{1'000'000'000 / std::stol(arguments[3])},
               std::chrono::seconds{std::stol(arguments[4])},
               arguments.size() > 5 ? arguments[5] : std::string());
    sender.print();
}

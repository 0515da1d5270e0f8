#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "answers.h"
#include "connection.h"
#include "engine.h"
#include "faults.h"
#include "http_parse.h"
#include "latency.h"
#include "ledger.h"
#include "metrics.h"

namespace model_server {

struct Options {
    std::uint16_t port = 0;  // 0: a free one
    std::filesystem::path port_file;
    std::filesystem::path ledger_file;  // written at the end
    bool keeps_ledger = false;
    std::string model = "stand-in";
    Latency latency;
    Engine::Options engine;
    std::uint32_t chars_per_token = 4;
    MetricNames metrics = MetricNames::vllm;
    unsigned retry_after_s = 1;  // told with a 429; 0: not told
    std::vector<Fault> faults;
};

// Sockets around an Engine: one thread, epoll. The paths are listed in main.cpp.
class Server {
public:
    // Throws std::system_error when it cannot listen.
    explicit Server(Options options);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    // Serves until SIGTERM or SIGINT.
    void run();

private:
    // A request in the engine, or one that will never be answered.
    struct Asked {
        int descriptor = 0;
        Protocol protocol = Protocol::chat_completions;
        std::string id;
        std::uint32_t completion_tokens = 0;
        const Fault* fault = nullptr;  // cut or reset in place of the answer
    };
    struct Counters {
        std::uint64_t requests = 0;
        std::uint64_t answered = 0;
        std::uint64_t refused = 0;  // the queue was full
        std::uint64_t faulted = 0;
        std::uint64_t gone = 0;  // clients that left before their answer
        std::uint64_t completion_tokens = 0;
        std::uint64_t connections = 0;
        Micros first_arrived = 0;
        Micros last_ended = 0;
    };

    void listen();
    void accept_all();
    void on_ready(int descriptor, std::uint32_t events);
    void answer_all(Connection& connection);
    // Sends what can be sent; closes the connection when that was all, or its client is gone.
    void finish(Connection& connection);
    void drop(Connection& connection);

    void route(Connection& connection, const HttpRequest& request);
    void complete(Connection& connection, Protocol protocol, std::string_view body);
    void on_served(const Served& served);
    void break_off(Connection& connection, const Fault& fault, std::string_view whole_answer);
    void control(std::string_view body);
    std::string stats() const;
    std::string metrics() const;

    Work work_of(std::string_view body) const;
    Entry* entry_of(std::uint64_t id);
    void note_end(std::uint64_t id, int status, Micros now);

    Options options_;
    Engine engine_;
    int listener_ = -1, epoll_ = -1, signals_ = -1;
    Micros since_;  // when it started, or was told to begin anew
    std::uint64_t next_id_ = 0, first_id_ = 0;
    std::vector<std::unique_ptr<Connection>> connections_;  // by descriptor
    std::unordered_map<std::uint64_t, Asked> asked_;
    std::vector<Entry> ledger_;  // of the requests from first_id_
    Counters counters_;
};

}  // namespace model_server

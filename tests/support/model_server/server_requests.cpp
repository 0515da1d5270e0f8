// What Server does with a request that is whole.
#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include "body_scan.h"
#include "server.h"

namespace model_server {
namespace {

constexpr Micros kMicrosPerToken = 10'000;   // of decoding: what an answer is said to have cost
constexpr std::uint32_t kTokensAtOnce = 16;  // of an answer that takes no time
constexpr std::size_t kIdBytesMax = 64;

Micros monotonic_now() {
    return std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

std::uint32_t completion_tokens(std::string_view body, Micros decode) {
    const auto tokens = decode == 0 ? kTokensAtOnce : static_cast<std::uint32_t>(decode / kMicrosPerToken);
    const auto most = find_member_number(body, "max_tokens").value_or(UINT32_MAX);
    return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(tokens, 1, std::max<std::uint64_t>(most, 1)));
}

}  // namespace

void Server::route(Connection& connection, const HttpRequest& request) {
    const auto json = [&connection](std::string_view body) {
        add_response(200, "application/json", body, connection.output());
    };
    if (request.method == "POST") {
        if (request.path == "/v1/chat/completions")
            return complete(connection, Protocol::chat_completions, request.body);
        if (request.path == "/v1/messages") return complete(connection, Protocol::messages, request.body);
        if (request.path == "/v1/responses") return complete(connection, Protocol::responses, request.body);
        if (request.path == "/control") {
            control(request.body);
            return json(stats());
        }
    } else if (request.method == "GET") {
        if (request.path == "/health") return json("{}");
        if (request.path == "/v1/models")
            return json(fmt::format(R"({{"object":"list","data":[{{"id":"{}","object":"model"}}]}})",
                                    options_.model));
        if (request.path == "/stats") return json(stats());
        if (request.path == "/ledger")
            return add_response(200, "application/jsonl", ledger_text(ledger_), connection.output());
        if (request.path == "/metrics" && options_.metrics != MetricNames::none)
            return add_response(200, "text/plain; version=0.0.4", metrics(), connection.output());
    }
    add_error(404, 0, connection.output());
}

Work Server::work_of(std::string_view body) const {
    Work work{.decode = options_.latency.of(body)};
    if (options_.engine.kv_tokens == 0 && options_.engine.prefill_tokens_per_s == 0) {
        work.prompt_tokens = static_cast<std::uint32_t>(body.size() / options_.chars_per_token);
        return work;
    }
    const auto prompt = prompt_of(body);
    work.prompt_tokens = static_cast<std::uint32_t>(prompt.size() / options_.chars_per_token);
    work.blocks = block_chain(prompt, options_.chars_per_token);
    return work;
}

void Server::complete(Connection& connection, Protocol protocol, std::string_view body) {
    const auto now = monotonic_now();
    const auto id = next_id_++;
    if (counters_.requests++ == 0) counters_.first_arrived = now;
    const auto hint = find_hint_id(body).substr(0, kIdBytesMax);
    auto work = work_of(body);
    if (options_.keeps_ledger)
        ledger_.push_back({.request = id - first_id_,
                           .id = std::string(hint),
                           .arrived = now,
                           .prompt_tokens = work.prompt_tokens});
    const auto* fault = find_fault(options_.faults, id - first_id_, static_cast<double>(now - since_) / 1e6);
    if (fault != nullptr && fault->kind == FaultKind::status) {
        ++counters_.faulted;
        add_error(fault->status, fault->status == 429 ? options_.retry_after_s : 0, connection.output());
        return note_end(id, fault->status, now);
    }
    const auto tokens = completion_tokens(body, work.decode);
    const bool is_instant = work.decode == 0 && work.blocks.empty() && engine_.waiting() == 0 &&
                            !engine_.limits().held && fault == nullptr;
    if (is_instant) {
        ++counters_.answered;
        counters_.completion_tokens += tokens;
        add_answer(protocol, {.id = hint, .prompt_tokens = work.prompt_tokens, .completion_tokens = tokens},
                   connection.output());
        return note_end(id, 200, now);
    }
    work.hangs = fault != nullptr && fault->kind == FaultKind::hang;
    if (!engine_.submit(id, std::move(work), now)) {
        ++counters_.refused;
        add_error(429, options_.retry_after_s, connection.output());
        return note_end(id, 429, now);
    }
    asked_.emplace(id, Asked{.descriptor = connection.descriptor(),
                             .protocol = protocol,
                             .id = std::string(hint),
                             .completion_tokens = tokens,
                             .fault = fault});
    connection.asked = id;
}

void Server::on_served(const Served& served) {
    const auto found = asked_.find(served.id);
    const Asked asked = std::move(found->second);
    asked_.erase(found);
    auto& connection = *connections_[static_cast<std::size_t>(asked.descriptor)];
    connection.asked.reset();
    if (auto* entry = entry_of(served.id)) {
        entry->started = served.started;
        entry->cached_tokens = served.cached_tokens;
    }
    const Answer answer{.id = asked.id,
                        .prompt_tokens = served.prompt_tokens,
                        .cached_tokens = served.cached_tokens,
                        .completion_tokens = asked.completion_tokens};
    if (asked.fault != nullptr) {
        ++counters_.faulted;
        note_end(served.id, -1, served.ended);
        std::string whole;
        add_answer(asked.protocol, answer, whole);
        return break_off(connection, *asked.fault, whole);
    }
    ++counters_.answered;
    counters_.completion_tokens += asked.completion_tokens;
    add_answer(asked.protocol, answer, connection.output());
    note_end(served.id, 200, served.ended);
    answer_all(connection);
}

void Server::break_off(Connection& connection, const Fault& fault, std::string_view whole_answer) {
    if (fault.kind == FaultKind::reset)
        connection.reset_at_close();
    else
        connection.output() += whole_answer.substr(0, whole_answer.size() / 2);
    connection.closes = true;
    finish(connection);
}

Entry* Server::entry_of(std::uint64_t id) {
    return options_.keeps_ledger && id >= first_id_ ? &ledger_[id - first_id_] : nullptr;
}

void Server::note_end(std::uint64_t id, int status, Micros now) {
    counters_.last_ended = now;
    auto* const entry = entry_of(id);
    if (entry == nullptr) return;
    entry->status = status;
    entry->ended = now;
    if (entry->started == 0 && status == 200) entry->started = now;
}

void Server::control(std::string_view body) {
    const auto now = monotonic_now();
    auto limits = engine_.limits();
    const auto take = [body](std::string_view name, auto& value) {
        if (const auto number = find_member_number(body, name))
            value = static_cast<std::remove_reference_t<decltype(value)>>(*number);
    };
    take("slots", limits.slots);
    take("queue_max", limits.queue_max);
    take("knee", limits.knee);
    take("held", limits.held);
    take("latency_ms", options_.latency.mean_ms);
    engine_.set_limits(limits, now);
    if (find_member_number(body, "reset").value_or(0) == 0) return;
    first_id_ = next_id_;
    since_ = now;
    ledger_.clear();
    counters_ = {};
    engine_.reset_totals();
}

std::string Server::stats() const {
    const auto& totals = engine_.totals();
    return fmt::format(
        R"({{"requests":{},"answered":{},"refused":{},"faulted":{},"gone":{},"connections":{},)"
        R"("running":{},"waiting":{},"running_max":{},"waiting_max":{},"busy_slot_us":{},)"
        R"("prompt_tokens":{},"cached_tokens":{},"prefill_tokens":{},"prefill_tokens_ideal":{},)"
        R"("completion_tokens":{},"first_arrived_us":{},"last_ended_us":{},"now_us":{}}})",
        counters_.requests, counters_.answered, counters_.refused, counters_.faulted, counters_.gone,
        counters_.connections, engine_.running(), engine_.waiting(), totals.running_max, totals.waiting_max,
        totals.busy, totals.prompt_tokens, totals.cached_tokens, totals.prefill_tokens,
        engine_.cache().distinct_tokens() + totals.uncachable_tokens, counters_.completion_tokens,
        counters_.first_arrived, counters_.last_ended, monotonic_now());
}

std::string Server::metrics() const {
    const auto& totals = engine_.totals();
    return metrics_text(options_.metrics, options_.model,
                        {.running = engine_.running(),
                         .waiting = engine_.waiting(),
                         .kv_usage = engine_.cache().usage(),
                         .prompt_tokens = totals.prompt_tokens,
                         .cached_tokens = totals.cached_tokens,
                         .generation_tokens = counters_.completion_tokens});
}

}  // namespace model_server

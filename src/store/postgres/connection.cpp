#include "store/postgres/connection.h"

#include <array>
#include <bit>
#include <charconv>
#include <cstring>

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/check.h"

namespace sheaf::store::postgres {
namespace {

// Of a session of ours. A process that stands still inside of a transaction must not hold up the others for
// long.
//
// Every statement is meant to follow an index in its order: what the planner knows of tables that fill and
// empty within seconds is wrong too often to let it choose.
constexpr const char* kSession =
    "SET idle_in_transaction_session_timeout = '20s'; SET jit = off; SET client_min_messages = warning; "
    "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_bitmapscan = off; "
    "SET enable_sort = off; "
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = "
    "'off'";

// An answer of the server's, in one line.
std::string one_line(std::string_view text) {
    const auto end = text.find('\n');
    return std::string(text.substr(0, end));
}

bool begins(std::string_view state, std::string_view with) {
    return state.starts_with(with);
}

ErrorCode code_of(std::string_view state) {
    // Disk full; too many connections and out of memory; no connection; operator intervention; read only: a
    // standby.
    if (state == "53100") return ErrorCode::no_space;
    if (begins(state, "53") || begins(state, "08") || begins(state, "57") || begins(state, "58") ||
        state == "25006")
        return ErrorCode::unavailable;
    if (begins(state, "40") || state == "55P03") return ErrorCode::unavailable;
    return ErrorCode::internal;
}

Failure failure_of(std::string_view state) {
    if (state == "40001" || state == "40P01") return Failure::overtaken;
    if (begins(state, "08") || begins(state, "57P") || state == "25006" || state == "25P03")
        return Failure::lost;
    return Failure::other;
}

// How long an answer may take before it is asked whether another server takes writes now.
constexpr std::chrono::milliseconds kSilence{3'000};

using Handle = std::unique_ptr<PGconn, decltype(&PQfinish)>;

Handle connect(const Secret& url) {
    // What stands in the URL comes last and wins. A standby would show what was, and refuse each write.
    const std::array keywords{"application_name",
                              "target_session_attrs",
                              "connect_timeout",
                              "keepalives_idle",
                              "keepalives_interval",
                              "keepalives_count",
                              "tcp_user_timeout",
                              "dbname",
                              static_cast<const char*>(nullptr)};
    const std::array values{"sheaf",
                            "read-write",
                            "5",
                            "10",
                            "5",
                            "2",
                            "20000",
                            url.reveal().c_str(),
                            static_cast<const char*>(nullptr)};
    return {PQconnectdbParams(keywords.data(), values.data(), 1), &PQfinish};
}

// As the URL names it.
std::string server_of(const PGconn* handle) {
    return fmt::format("{} {}", PQhost(handle), PQport(handle));
}

}  // namespace

std::int64_t Rows::changed() const {
    const char* const text = PQcmdTuples(result_.get());
    std::int64_t count = 0;
    std::from_chars(text, text + std::strlen(text), count);
    return count;
}

std::int64_t Rows::number(int column) const {
    const std::string_view big_endian = bytes(column);
    if (big_endian.empty()) return 0;
    std::int64_t value = big_endian[0] < 0 ? -1 : 0;
    for (const char byte : big_endian) {
        value = static_cast<std::int64_t>(static_cast<std::uint64_t>(value) << 8U) |
                static_cast<unsigned char>(byte);
    }
    return value;
}

double Rows::real(int column) const {
    return std::bit_cast<double>(number(column));
}

Result<std::unique_ptr<Connection>> Connection::open(const Secret& url) {
    Handle handle = connect(url);
    if (handle == nullptr) return fail(ErrorCode::unavailable, "no memory for a connection to PostgreSQL");
    if (PQstatus(handle.get()) != CONNECTION_OK)
        return fail(ErrorCode::unavailable, "PostgreSQL: " + one_line(PQerrorMessage(handle.get())));
    PQsetNoticeProcessor(handle.get(), [](void*, const char*) {}, nullptr);
    std::unique_ptr<Connection> connection(new Connection(handle.release(), url));
    if (const auto ready = connection->prepare_session(); !ready) return std::unexpected(ready.error());
    return connection;
}

Connection::~Connection() {
    PQfinish(handle_);
}

Result<> Connection::prepare_session() {
    if (PQenterPipelineMode(handle_) != 1) return std::unexpected(lost());
    return execute(kSession);
}

void Connection::send_prepare(const char* sql, const Parameters& parameters) {
    if (send_error_ || statements_.contains(sql)) return;
    const std::string name = fmt::format("s{}", ++names_);
    if (PQsendPrepare(handle_, name.c_str(), sql, parameters.count(), parameters.types()) != 1) {
        send_error_ = lost();
        return;
    }
    statements_.emplace(sql, name);
    prepared_now_.push_back(sql);
    ++queued_;
}

void Connection::send(const char* sql, const Parameters& parameters) {
    send_prepare(sql, parameters);
    if (send_error_) return;
    if (PQsendQueryPrepared(handle_, statements_.at(sql).c_str(), parameters.count(), parameters.values(),
                            parameters.lengths(), parameters.formats(), 1) != 1) {
        send_error_ = lost();
        return;
    }
    ++queued_;
}

Result<> Connection::prepare(const char* sql, const Parameters& parameters) {
    send_prepare(sql, parameters);
    return flush();
}

void Connection::forget_unsure_statements() {
    // Whether these were prepared is not known after an error: next time under new names.
    if (failure_ != Failure::none) {
        for (const char* const sql : prepared_now_) statements_.erase(sql);
    }
    prepared_now_.clear();
}

bool Connection::another_takes_writes() const {
    // Without a comma it names one host.
    if (!url_.reveal().contains(',')) return false;
    const Handle newest = connect(url_);
    return PQstatus(newest.get()) == CONNECTION_OK && server_of(newest.get()) != server();
}

PGresult* Connection::next_result() {
    while (PQisBusy(handle_) != 0) {
        pollfd socket{PQsocket(handle_), POLLIN, 0};
        const int ready = ::poll(&socket, 1, static_cast<int>(kSilence.count()));
        if (ready == 0 && another_takes_writes()) ::shutdown(socket.fd, SHUT_RDWR);
        if (ready > 0 && PQconsumeInput(handle_) != 1) break;
    }
    return PQgetResult(handle_);
}

PGresult* Connection::execute_at_once(const char* script) {
    PGresult* last = nullptr;
    if (PQsendQuery(handle_, script) != 1) return last;
    while (PGresult* const result = next_result()) {
        PQclear(last);
        last = result;
        if (PQresultStatus(result) == PGRES_COPY_IN) break;
    }
    return last;
}

Result<> Connection::read_until_sync(const std::function<Result<>(PGresult*, bool)>& take) {
    Result<> outcome;
    if (send_error_ || PQpipelineSync(handle_) != 1) {
        outcome = std::unexpected(send_error_ ? *send_error_ : lost());
        queued_ = 0;
        return outcome;
    }
    for (int left = queued_; left > 0 && PQstatus(handle_) == CONNECTION_OK; --left) {
        while (PGresult* const result = next_result()) {
            const ExecStatusType status = PQresultStatus(result);
            if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_SINGLE_TUPLE) {
                if (const auto taken = take(result, left == 1); !taken && outcome) outcome = taken;
                continue;
            }
            if (status != PGRES_PIPELINE_ABORTED && outcome) outcome = std::unexpected(error_of(result));
            PQclear(result);
        }
    }
    queued_ = 0;
    if (PQstatus(handle_) == CONNECTION_OK) {
        PQclear(next_result());
    }
    if (PQstatus(handle_) != CONNECTION_OK) {
        const Error error = lost();
        if (outcome) outcome = std::unexpected(error);
    }
    forget_unsure_statements();
    return outcome;
}

Result<Rows> Connection::read_all() {
    std::optional<Rows> rows;
    const auto read = read_until_sync([&](PGresult* result, bool is_last) -> Result<> {
        if (is_last)
            rows.emplace(result);
        else
            PQclear(result);
        return {};
    });
    if (!read) return std::unexpected(read.error());
    CHECK(rows.has_value(), "a statement that did not fail has a result");
    return std::move(*rows);
}

Result<> Connection::read_each(const std::function<Result<>(Rows&)>& take) {
    if (!send_error_ && PQpipelineSync(handle_) != 1) send_error_ = lost();
    queued_ = 0;
    if (send_error_) return std::unexpected(*send_error_);
    CHECK(PQsetSingleRowMode(handle_) == 1, "nothing is read before the statement's rows");
    Result<> outcome;
    while (PGresult* const result = next_result()) {
        Rows rows(result);
        const ExecStatusType status = PQresultStatus(result);
        if (status == PGRES_FATAL_ERROR && outcome) outcome = std::unexpected(error_of(result));
        if (status == PGRES_SINGLE_TUPLE && outcome && rows.next()) outcome = take(rows);
    }
    if (PQstatus(handle_) == CONNECTION_OK) PQclear(next_result());
    if (PQstatus(handle_) != CONNECTION_OK && outcome) outcome = std::unexpected(lost());
    return outcome;
}

Result<std::vector<Rows>> Connection::collect() {
    std::vector<Rows> all;
    if (queued_ == 0 && !send_error_) return all;
    const auto read = read_until_sync([&](PGresult* result, bool) -> Result<> {
        if (PQresultStatus(result) == PGRES_TUPLES_OK)
            all.emplace_back(result);
        else
            PQclear(result);
        return {};
    });
    if (!read) return std::unexpected(read.error());
    return all;
}

Result<> Connection::flush() {
    if (queued_ == 0 && !send_error_) return {};
    return read_until_sync([](PGresult* result, bool) -> Result<> {
        PQclear(result);
        return {};
    });
}

Result<> Connection::execute(const char* script) {
    if (const auto done = flush(); !done) return done;
    if (PQexitPipelineMode(handle_) != 1) return std::unexpected(lost());
    PGresult* const result = execute_at_once(script);
    Result<> outcome;
    const ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) outcome = std::unexpected(error_of(result));
    PQclear(result);
    if (PQenterPipelineMode(handle_) != 1 && outcome) outcome = std::unexpected(lost());
    return outcome;
}

Result<> Connection::copy(const char* sql, const std::function<std::string()>& fill) {
    if (const auto done = flush(); !done) return done;
    if (PQexitPipelineMode(handle_) != 1) return std::unexpected(lost());
    PGresult* result = execute_at_once(sql);
    Result<> outcome;
    if (PQresultStatus(result) != PGRES_COPY_IN) {
        outcome = std::unexpected(error_of(result));
        PQclear(result);
    } else {
        PQclear(result);
        for (;;) {
            const std::string bytes = fill();
            if (bytes.empty() || PQputCopyData(handle_, bytes.data(), static_cast<int>(bytes.size())) != 1)
                break;
        }
        (void)PQputCopyEnd(handle_, nullptr);
        while ((result = next_result()) != nullptr) {
            if (PQresultStatus(result) != PGRES_COMMAND_OK && outcome)
                outcome = std::unexpected(error_of(result));
            PQclear(result);
        }
        if (PQstatus(handle_) != CONNECTION_OK && outcome) outcome = std::unexpected(lost());
    }
    if (PQenterPipelineMode(handle_) != 1 && outcome) outcome = std::unexpected(lost());
    return outcome;
}

std::string Connection::server() const {
    return server_of(handle_);
}

bool Connection::is_sound() {
    if (PQstatus(handle_) != CONNECTION_OK || queued_ > 0 || send_error_ || in_transaction()) return false;
    // Nothing is expected now: what there is to read is the server's farewell.
    pollfd socket{PQsocket(handle_), POLLIN, 0};
    if (::poll(&socket, 1, 0) <= 0) return true;
    return PQconsumeInput(handle_) == 1 && PQstatus(handle_) == CONNECTION_OK;
}

Error Connection::error_of(const PGresult* result) {
    const char* const state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (state == nullptr) return lost();
    failure_ = failure_of(state);
    const char* const primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    return {code_of(state), fmt::format("PostgreSQL: {} ({})", primary == nullptr ? "" : primary, state), {}};
}

Error Connection::lost() {
    failure_ = Failure::lost;
    return {ErrorCode::unavailable, "the connection to PostgreSQL was lost", {}};
}

}  // namespace sheaf::store::postgres

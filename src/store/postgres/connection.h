#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <postgresql/libpq-fe.h>

#include "base/clock.h"
#include "base/result.h"
#include "base/secret.h"
#include "store/postgres/parameters.h"

namespace sheaf::store::postgres {

// The rows that a statement gave. Stand on a row only after next() said so.
class Rows {
public:
    explicit Rows(PGresult* result) : result_(result, &PQclear), count_(PQntuples(result)) {}

    bool next() { return ++at_ < count_; }
    int count() const { return count_; }
    // How many rows the statement inserted, changed or removed.
    std::int64_t changed() const;

    bool is_null(int column) const { return PQgetisnull(result_.get(), at_, column) != 0; }
    // Of an integer or bool column of any width.
    std::int64_t number(int column) const;
    template <class T>
    T as(int column) const {
        return static_cast<T>(number(column));
    }
    double real(int column) const;
    // Valid as long as the rows are.
    std::string_view bytes(int column) const {
        return {PQgetvalue(result_.get(), at_, column),
                static_cast<std::size_t>(PQgetlength(result_.get(), at_, column))};
    }
    std::string text(int column) const { return std::string(bytes(column)); }
    Timestamp time(int column) const { return Timestamp{std::chrono::milliseconds{number(column)}}; }
    std::optional<Timestamp> time_or_null(int column) const {
        if (is_null(column)) return std::nullopt;
        return time(column);
    }

private:
    std::unique_ptr<PGresult, decltype(&PQclear)> result_;
    int count_;
    int at_ = -1;
};

// What the last error means to whoever decides about another try.
enum class Failure : std::uint8_t {
    none,
    overtaken,  // another transaction came first: the same again may succeed
    lost,       // the connection is gone
    other,
};

// One connection to the server and its prepared statements. Belongs to one thread at a time.
//
// An answer is waited for as long as no other server takes writes. Then the one that owes it stands still, or
// its disk does, and the connection counts as lost.
//
// Statements travel in libpq's pipeline mode: queue() sends without waiting, and the next query(), run() or
// flush() reads the answers of all that was queued before it. `sql` must be a constant: its address is the
// statement's name.
class Connection {
public:
    // Of a server that takes writes. The error names neither password nor URL.
    static Result<std::unique_ptr<Connection>> open(const Secret& url);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    template <class... Args>
    void queue(const char* sql, const Args&... args) {
        send(sql, Parameters(args...));
    }
    template <class... Args>
    Result<Rows> query(const char* sql, const Args&... args) {
        send(sql, Parameters(args...));
        return read_all();
    }
    // How many rows it changed.
    template <class... Args>
    Result<std::int64_t> run(const char* sql, const Args&... args) {
        auto rows = query(sql, args...);
        if (!rows) return std::unexpected(rows.error());
        return rows->changed();
    }
    // Calls `take` for each row as it comes, so that no more than one is held. When `take` fails, the rest is
    // skipped.
    template <class... Args>
    Result<> each(const std::function<Result<>(Rows&)>& take, const char* sql, const Args&... args) {
        const Parameters parameters(args...);
        if (const auto ready = prepare(sql, parameters); !ready) return ready;
        send(sql, parameters);
        return read_each(take);
    }
    Result<> flush();
    // The rows of each statement that was queued and gives rows, in order.
    Result<std::vector<Rows>> collect();
    // Several statements in one text, outside of the pipeline.
    Result<> execute(const char* script);
    // COPY ... FROM STDIN: calls `fill` until it gives nothing more.
    Result<> copy(const char* sql, const std::function<std::string()>& fill);

    // Of the last error since the last call.
    Failure take_failure() { return std::exchange(failure_, Failure::none); }
    bool in_transaction() const { return PQtransactionStatus(handle_) != PQTRANS_IDLE; }
    // Whether it may be used for another call: the server did not hang up, and nothing is under way.
    bool is_sound();
    // The one of the URL's hosts that it leads to.
    std::string server() const;
    // For the listener: it leaves the pipeline for good.
    PGconn* handle() { return handle_; }

private:
    Connection(PGconn* handle, Secret url) : handle_(handle), url_(std::move(url)) {}
    Result<> prepare_session();
    // Sends nothing else before it, so that single rows are those of the statement that follows.
    Result<> prepare(const char* sql, const Parameters& parameters);
    void send_prepare(const char* sql, const Parameters& parameters);
    void send(const char* sql, const Parameters& parameters);
    Result<Rows> read_all();
    Result<> read_each(const std::function<Result<>(Rows&)>& take);
    bool another_takes_writes() const;
    // As PQgetResult and PQexec, but nobody is waited for who was replaced.
    PGresult* next_result();
    PGresult* execute_at_once(const char* script);
    Result<> read_until_sync(const std::function<Result<>(PGresult*, bool)>& take);
    void forget_unsure_statements();
    Error error_of(const PGresult* result);
    Error lost();

    PGconn* handle_;
    const Secret url_;
    Failure failure_ = Failure::none;
    int queued_ = 0;  // statements whose answers were not read
    std::optional<Error> send_error_;
    std::unordered_map<const char*, std::string> statements_;
    std::vector<const char*> prepared_now_;  // by what is queued
    std::uint64_t names_ = 0;
};

}  // namespace sheaf::store::postgres

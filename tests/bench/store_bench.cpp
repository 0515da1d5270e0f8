// store_bench --json FILE [--dir DIR]: the SQLite store against bodies and results in rows, and against bare
// appends, with every commit synced but our claims, which go with the next one
// (docs/adr/0006-lazy-claims.md). Writes rows of {"row","ours","yardstick",…} in items a second.
//
// store_bench --drain sqlite|postgres://… [--dir DIR]: small items through that store once, and the same
// bytes appended; prints {"completed","appends"} for a measurement that has another yardstick.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include "base/check.h"
#include "base/secret.h"
#include "store/stores.h"

namespace {

using namespace sheaf;
using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kItems = 100'000;
constexpr std::uint32_t kGroup = 100;
constexpr std::size_t kBytes = 2'000;
constexpr int kPairs = 5;
constexpr int kCallers =
    8;  // as in a busy server: what one asks while another's commit is synced goes with the next one

// What goes through at a time.
struct Load {
    std::uint32_t items = kItems;
    std::size_t bytes = kBytes;  // of a body, and of a result
    std::uint32_t group = kGroup;
    int callers = 1;
};

constexpr Load kDrain{.bytes = 700, .group = 256, .callers = kCallers};
// There one claim and one group of results of a batch are under way at a time, as in the scheduler.
constexpr Load kDrainPostgres{.bytes = 700, .group = 500, .callers = 2};

double per_second(std::uint32_t items, Clock::time_point since) {
    return items / std::chrono::duration<double>(Clock::now() - since).count();
}

struct Speed {
    double in = 0;
    double completed = 0;
};

template <class T>
T value_of(Result<T> result) {
    CHECK(result, result.error().message);
    return std::move(*result);
}

store::BatchDraft draft_of(const Load& load) {
    store::BatchDraft draft;
    draft.batch.id = make_batch_id(Timestamp{std::chrono::seconds{1'800'000'000}});
    draft.batch.account.name = "bench";
    draft.batch.dialect = "bench";
    for (std::uint32_t at = 0; at < load.items; ++at) {
        draft.items.push_back({fmt::format("item-{}", at), {}, std::uint64_t{at} * load.bytes, load.bytes});
    }
    return draft;
}

void complete_all(store::Store& store, const BatchId& batch, const std::string& line, std::uint32_t group) {
    for (;;) {
        const auto claimed = value_of(store.items().claim({.batch = batch, .count_max = group}));
        CHECK(claimed.damaged.empty(), "bodies are sound");
        if (claimed.leases.empty()) return;
        std::vector<store::ItemResult> results;
        for (const core::Lease& lease : claimed.leases) {
            results.push_back({lease.item.id, lease.epoch, core::ItemState::succeeded, line, {10, 20}, {}});
        }
        CHECK(store.items().finish(results), "results are recorded");
    }
}

std::unique_ptr<store::Store> open(const std::string& url, const std::filesystem::path& directory) {
    if (url.empty()) return value_of(store::open_sqlite_store({.directory = directory}));
    return value_of(store::open_postgres_store({.url = Secret(url), .directory = directory}));
}

// SQLite's, where there is no URL.
Speed run_ours(const std::filesystem::path& directory, const Load& load, const std::string& url = {}) {
    std::filesystem::remove_all(directory);
    Speed speed;
    {
        const auto store = open(url, directory);
        const store::BatchDraft draft = draft_of(load);
        const std::string body(load.bytes * 500, 'b');
        const auto start = Clock::now();
        auto spool = value_of(store->batches().new_body());
        for (std::uint32_t at = 0; at < load.items; at += 500) {
            CHECK(spool->append(body), "the body is spooled");
        }
        const core::Batch batch = value_of(store->batches().create(draft, std::move(spool)));
        speed.in = per_second(load.items, start);

        const std::string line = std::string(load.bytes - 1, 'r') + '\n';
        const auto begun = Clock::now();
        {
            std::vector<std::jthread> callers;
            for (int caller = 0; caller < load.callers; ++caller) {
                callers.emplace_back([&] { complete_all(*store, batch.id, line, load.group); });
            }
        }
        speed.completed = per_second(load.items, begun);
        const core::Batch after = value_of(store->batches().find(batch.account, batch.id));
        CHECK(after.counts.succeeded == load.items, "every item has its result");
        CHECK(store->batches().remove(batch.id), "the batch is removed");
    }
    std::filesystem::remove_all(directory);
    return speed;
}

// The plain way: bodies and results in rows of one table.
class Rows {
public:
    explicit Rows(const std::filesystem::path& path) {
        CHECK(sqlite3_open(path.c_str(), &handle_) == SQLITE_OK, "the database opens");
        run("PRAGMA journal_mode=WAL");
        run("PRAGMA synchronous=FULL");
        run("CREATE TABLE items(id INTEGER PRIMARY KEY, state INTEGER, custom_id TEXT, body BLOB, result "
            "BLOB)");
        run("CREATE INDEX queued ON items(id) WHERE state = 0");
    }
    ~Rows() { sqlite3_close(handle_); }
    Rows(const Rows&) = delete;
    Rows& operator=(const Rows&) = delete;

    void run(const char* sql) {
        CHECK(sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr) == SQLITE_OK, sql);
    }
    sqlite3_stmt* prepare(const char* sql) {
        sqlite3_stmt* statement = nullptr;
        CHECK(sqlite3_prepare_v2(handle_, sql, -1, &statement, nullptr) == SQLITE_OK, sql);
        return statement;
    }

private:
    sqlite3* handle_ = nullptr;
};

Speed run_rows(const std::filesystem::path& directory, std::uint32_t items) {
    std::filesystem::remove_all(directory);
    std::filesystem::create_directories(directory);
    Speed speed;
    {
        Rows rows(directory / "rows.db");
        const std::string body(kBytes, 'b');
        const std::string line(kBytes, 'r');
        const auto start = Clock::now();
        rows.run("BEGIN IMMEDIATE");
        sqlite3_stmt* const insert = rows.prepare("INSERT INTO items VALUES(?1, 0, ?2, ?3, NULL)");
        for (std::uint32_t at = 0; at < items; ++at) {
            const std::string custom_id = fmt::format("item-{}", at);
            sqlite3_bind_int64(insert, 1, at);
            sqlite3_bind_text(insert, 2, custom_id.data(), static_cast<int>(custom_id.size()), SQLITE_STATIC);
            sqlite3_bind_blob(insert, 3, body.data(), static_cast<int>(body.size()), SQLITE_STATIC);
            CHECK(sqlite3_step(insert) == SQLITE_DONE, "inserted");
            sqlite3_reset(insert);
        }
        sqlite3_finalize(insert);
        rows.run("COMMIT");
        speed.in = per_second(items, start);

        sqlite3_stmt* const queued =
            rows.prepare("SELECT id, body FROM items WHERE state = 0 ORDER BY id LIMIT ?1");
        sqlite3_stmt* const claim = rows.prepare("UPDATE items SET state = 1 WHERE id = ?1");
        sqlite3_stmt* const finish = rows.prepare("UPDATE items SET state = 2, result = ?2 WHERE id = ?1");
        const auto begun = Clock::now();
        for (;;) {
            std::vector<std::pair<std::int64_t, std::string>> group;
            rows.run("BEGIN IMMEDIATE");
            sqlite3_bind_int64(queued, 1, kGroup);
            while (sqlite3_step(queued) == SQLITE_ROW) {
                group.emplace_back(sqlite3_column_int64(queued, 0),
                                   std::string(static_cast<const char*>(sqlite3_column_blob(queued, 1)),
                                               static_cast<std::size_t>(sqlite3_column_bytes(queued, 1))));
            }
            sqlite3_reset(queued);
            for (const auto& [id, bytes] : group) {
                sqlite3_bind_int64(claim, 1, id);
                CHECK(sqlite3_step(claim) == SQLITE_DONE && bytes.size() == kBytes, "claimed");
                sqlite3_reset(claim);
            }
            rows.run("COMMIT");
            if (group.empty()) break;
            rows.run("BEGIN IMMEDIATE");
            for (const auto& [id, bytes] : group) {
                sqlite3_bind_int64(finish, 1, id);
                sqlite3_bind_blob(finish, 2, line.data(), static_cast<int>(line.size()), SQLITE_STATIC);
                CHECK(sqlite3_step(finish) == SQLITE_DONE, "finished");
                sqlite3_reset(finish);
            }
            rows.run("COMMIT");
        }
        speed.completed = per_second(items, begun);
        for (sqlite3_stmt* const each : {queued, claim, finish}) sqlite3_finalize(each);
    }
    std::filesystem::remove_all(directory);
    return speed;
}

// What the disk gives at best: one file, appended and synced once per group.
double run_appends(const std::filesystem::path& directory, const Load& load) {
    std::filesystem::create_directories(directory);
    const auto path = directory / "appends";
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(fd >= 0, "the file opens");
    const std::string group(load.bytes * load.group, 'r');
    const auto start = Clock::now();
    for (std::uint32_t at = 0; at < load.items; at += load.group) {
        CHECK(::write(fd, group.data(), group.size()) == static_cast<ssize_t>(group.size()), "written");
        CHECK(::fdatasync(fd) == 0, "synced");
    }
    const double speed = per_second(load.items, start);
    ::close(fd);
    std::filesystem::remove_all(directory);
    return speed;
}

double median(std::vector<double> values) {
    std::ranges::sort(values);
    return values[values.size() / 2];
}

std::string row(std::string_view name, const std::vector<double>& ours, const std::vector<double>& yardstick,
                double target) {
    std::vector<double> ratios;
    for (std::size_t at = 0; at < ours.size(); ++at) ratios.push_back(ours[at] / yardstick[at]);
    return fmt::format(
        "{{\"row\":\"{}\",\"ours\":{:.0f},\"yardstick\":{:.0f},\"unit\":\"items/s\",\"ratio\":{:.2f},"
        "\"ratio_min\":{:.2f},\"ratio_max\":{:.2f},\"target\":{}}}",
        name, median(ours), median(yardstick), median(ratios), *std::ranges::min_element(ratios),
        *std::ranges::max_element(ratios), target);
}

}  // namespace

int main(int count, char** arguments) {
    std::string json_path;
    std::string drained;
    std::filesystem::path directory = std::filesystem::temp_directory_path();
    for (int at = 1; at + 1 < count; at += 2) {
        const std::string_view name = arguments[at];
        if (name == "--json") json_path = arguments[at + 1];
        if (name == "--dir") directory = arguments[at + 1];
        if (name == "--drain") drained = arguments[at + 1];
    }
    if (json_path.empty() && drained.empty()) {
        std::fputs("usage: store_bench --json FILE | --drain sqlite|postgres://… [--dir DIR]\n", stderr);
        return 2;
    }
    directory /= fmt::format("sheaf-store-bench-{}", ::getpid());
    if (!drained.empty()) {
        const bool is_sqlite = drained == "sqlite";
        const Load& load = is_sqlite ? kDrain : kDrainPostgres;
        fmt::print("{{\"completed\":{:.0f},",
                   run_ours(directory / "ours", load, is_sqlite ? "" : drained).completed);
        fmt::print("\"appends\":{:.0f}}}\n", run_appends(directory / "appends", load));
        std::filesystem::remove_all(directory);
        return 0;
    }

    std::vector<double> in;
    std::vector<double> alone;
    std::vector<double> together;
    std::vector<double> rows_in;
    std::vector<double> rows_completed;
    std::vector<double> appended;
    for (int pair = 0; pair < kPairs; ++pair) {
        const Speed one = run_ours(directory / "ours", {});
        const Speed rows = run_rows(directory / "rows", kItems);
        const Speed many = run_ours(directory / "ours", {.callers = kCallers});
        const double appends = run_appends(directory / "appends", {});
        fmt::print(stderr,
                   "pair {}: in {:.0f}/s (rows {:.0f}), completed {:.0f}/s by one, {:.0f}/s by {} (rows "
                   "{:.0f}, appends {:.0f})\n",
                   pair + 1, one.in, rows.in, one.completed, many.completed, kCallers, rows.completed,
                   appends);
        in.push_back(one.in);
        alone.push_back(one.completed);
        together.push_back(many.completed);
        rows_in.push_back(rows.in);
        rows_completed.push_back(rows.completed);
        appended.push_back(appends);
    }
    std::filesystem::remove_all(directory);
    std::ofstream json(json_path);
    json << "[\n"
         << row("items in, against bodies in rows", in, rows_in, 1.6) << ",\n"
         << row("items completed, groups of 100, against rows", alone, rows_completed, 5) << ",\n"
         << row("the same by 8 callers at once, against rows", together, rows_completed, 5) << ",\n"
         << row("items completed by 8 callers, against synced appends", together, appended, 0.25) << "\n]\n";
    return json.good() ? 0 : 1;
}

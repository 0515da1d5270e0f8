#include "store/postgres/engine.h"

#include <cerrno>
#include <cstring>
#include <fstream>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/hash.h"
#include "store/postgres/batch_row.h"
#include "store/postgres/migrations.h"

namespace sheaf::store::postgres {
namespace {

constexpr std::string_view kChanged = "changed";
constexpr std::string_view kGone = "gone ";

std::string random_name() {
    std::array<unsigned char, 12> bytes{};
    fill_random(bytes.data(), bytes.size());
    return to_hex(bytes);
}

Result<int> take_lock(const std::filesystem::path& path) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail(ErrorCode::unavailable, "cannot open " + path.string() + ": " + std::strerror(errno));
    if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
    ::close(fd);
    return fail(ErrorCode::unavailable, "another server uses " + path.parent_path().string());
}

// Who the node was before, so that a new start ends the leases that the last one left. Losing the name costs
// no more than waiting for their time.
std::string read_or_make_name(const std::filesystem::path& path) {
    std::string name;
    std::ifstream(path) >> name;
    if (name.size() == random_name().size()) return name;
    name = random_name();
    std::ofstream(path) << name << '\n';
    return name;
}

}  // namespace

Engine::Engine(const PostgresOptions& options, std::string name, int lock)
    : exclusive(options.exclusive),
      spool(options.directory / "spool"),
      node(std::move(name)),
      lock_(lock),
      pool(options.url) {}

Result<std::unique_ptr<Engine>> Engine::open(const PostgresOptions& options) {
    int lock = -1;
    std::string name = random_name();
    if (options.exclusive) {
        std::error_code error;
        std::filesystem::create_directories(options.directory / "spool", error);
        if (error) {
            return fail(ErrorCode::unavailable,
                        "cannot make " + options.directory.string() + ": " + error.message());
        }
        const auto taken = take_lock(options.directory / "LOCK");
        if (!taken) return std::unexpected(taken.error());
        lock = *taken;
        name = read_or_make_name(options.directory / "node.id");
    }
    std::unique_ptr<Engine> engine(new Engine(options, std::move(name), lock));
    if (const auto migrated = migrate(engine->pool); !migrated) return std::unexpected(migrated.error());
    if (!options.exclusive) return engine;
    if (const auto ended = engine->end_own_leases(); !ended) return std::unexpected(ended.error());
    Engine* const self = engine.get();
    if (const auto seen = engine->pool.write([self](Connection& db) { return self->say_that_we_live(db); });
        !seen)
        return std::unexpected(seen.error());
    engine->listener = std::make_unique<Listener>(
        options.url,
        Listener::Calls{.heard = [self](std::string_view message) { return self->heard(message); },
                        .deaf = [self] { self->results.clear(); },
                        .beat = [self](Connection& db) { return self->say_that_we_live(db); }});
    return engine;
}

Result<> Engine::may_write_batches() const {
    if (exclusive) return {};
    return fail(ErrorCode::unavailable, "the store is open beside a server, which owns its batches");
}

Result<> Engine::end_own_leases() {
    return pool.write([&](Connection& db) -> Result<> {
        auto rows = db.query(sql::kBatchesOfNode, node);
        if (!rows) return std::unexpected(rows.error());
        std::vector<std::int64_t> batches;
        while (rows->next()) batches.push_back(rows->number(0));
        if (batches.empty()) return {};
        db.queue(sql::kSplitClaimsOfNode, node);
        db.queue(sql::kEndLeasesOfNode, node);
        db.queue(sql::kLookForLeases, batches);
        tell_changed(db);
        return {};
    });
}

Result<> Engine::say_that_we_live(Connection& db) const {
    db.queue(sql::kSeeNode, node);
    db.queue(sql::kForgetNodes);
    return db.flush();
}

Result<SharedDescriptor> Engine::temporary_file() const {
    const int fd = ::open(spool.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0) return std::make_shared<const Descriptor>(fd);
    const ErrorCode code = errno == ENOSPC || errno == EDQUOT ? ErrorCode::no_space : ErrorCode::unavailable;
    return fail(code, fmt::format("cannot make a file in {}: {}", spool.string(), std::strerror(errno)));
}

void Engine::tell_changed(Connection& db) const {
    const std::string message = fmt::format("{} {}", node, kChanged);
    db.queue(sql::kNotify, Text{message});
}

void Engine::tell_gone(Connection& db, const BatchId& id) const {
    const std::string message = fmt::format("{} {}{}", node, kGone, to_string(id));
    db.queue(sql::kNotify, Text{message});
}

bool Engine::heard(std::string_view message) {
    const auto blank = message.find(' ');
    if (blank == std::string_view::npos || message.substr(0, blank) == node) return false;
    message.remove_prefix(blank + 1);
    if (message.starts_with(kGone)) {
        if (const auto id = parse_batch_id(message.substr(kGone.size()))) results.drop(*id);
    }
    return true;
}

}  // namespace sheaf::store::postgres

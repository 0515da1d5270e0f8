#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sheaf::store {

struct Paths;
struct WalOnDisk;

// A record beside requests and results that says how far the write-ahead log of the index was durable as the
// record was written. SQLite takes a log whose middle is damaged for a shorter one: this tells that commits
// are missing that were acknowledged. The commit that a mark is written for is not among those it knows of.
struct CommitMark {
    std::uint64_t salts = 0;   // of the filling of the log (wal_check.h)
    std::uint64_t frames = 0;  // up to the last commit that was synced
};

std::string pack_mark(const CommitMark& mark);
std::optional<CommitMark> unpack_mark(std::string_view bytes);

// What the write-ahead log of a store has lost, for people; nullopt: nothing as far as marks tell. Reads the
// log, if there is one, and the newest segments; a server may be writing them.
Result<std::optional<std::string>> find_lost_commits(const Paths& paths);
// The same of a log that was looked at, and that nobody writes.
std::optional<std::string> find_lost_commits(const Paths& paths, const WalOnDisk& log);
// Why the store is not taken over.
Error lost_commits(const Paths& paths, std::string_view what);

}  // namespace sheaf::store

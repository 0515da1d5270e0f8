#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "store/sqlite/disk.h"

namespace sheaf::store {

struct Paths;
struct WalOnDisk;

// How far the write-ahead log of the index is durable.
struct CommitMark {
    std::uint64_t salts = 0;   // of the filling of the log (wal_check.h)
    std::uint64_t frames = 0;  // up to the last commit that was synced
};

// A file beside the write-ahead log with the newest mark. SQLite takes a log whose middle is damaged for a
// shorter one: the mark tells that commits are missing that were acknowledged.
//
// It is written after each synced commit, before the commit is acknowledged, and never synced itself: of a
// server that was killed it counts every commit that was synced, and after a power cut whatever is left of it
// counts no more than what is durable. Of two processes that commit at once one may put an older mark in the
// place of a newer one. Threads: one, the writer's.
class CommitMarks {
public:
    // Where the file cannot be opened there are no marks, and the log is told.
    CommitMarks(const Paths& paths, Disk& disk);
    // One for which there is no room is left out.
    void put(const CommitMark& mark);

private:
    File file_;
    Disk* disk_;
};

// What the write-ahead log of a store has lost, for people; nullopt: nothing as far as the mark tells. Reads
// the log, if there is one; a server may be writing it.
Result<std::optional<std::string>> find_lost_commits(const Paths& paths);
// The same of a log that was looked at, and that nobody writes.
std::optional<std::string> find_lost_commits(const Paths& paths, const WalOnDisk& log);
// Why the store is not taken over.
Error lost_commits(const Paths& paths, std::string_view what);

}  // namespace sheaf::store

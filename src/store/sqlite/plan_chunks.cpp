#include "store/sqlite/plan_chunks.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "store/sqlite/statements.h"

namespace sheaf::store {
namespace {

constexpr std::uint32_t kEntriesOfChunk = 512;
constexpr std::size_t kEntryBytes = sizeof(std::uint32_t) + sizeof(std::uint64_t);

std::string packed(std::span<const core::Planned> entries) {
    std::string bytes(entries.size() * kEntryBytes, '\0');
    char* at = bytes.data();
    for (const core::Planned& entry : entries) {
        std::memcpy(at, &entry.ordinal, sizeof entry.ordinal);
        std::memcpy(at + sizeof entry.ordinal, &entry.prefix, sizeof entry.prefix);
        at += kEntryBytes;
    }
    return bytes;
}

core::Planned unpacked(const char* bytes) {
    core::Planned entry;
    std::memcpy(&entry.ordinal, bytes, sizeof entry.ordinal);
    std::memcpy(&entry.prefix, bytes + sizeof entry.ordinal, sizeof entry.prefix);
    return entry;
}

}  // namespace

Result<> insert_plan(Tx& tx, const BatchRow& row, std::span<const core::Planned> plan) {
    for (std::uint32_t place = 0; place < plan.size(); place += kEntriesOfChunk) {
        const auto entries = plan.subspan(place, std::min<std::size_t>(kEntriesOfChunk, plan.size() - place));
        const std::string bytes = packed(entries);
        const auto added = tx.db.run(sql::kInsertPlanChunk, row.key(place), Bytes{bytes});
        if (!added) return std::unexpected(added.error());
    }
    return {};
}

Result<std::vector<core::Planned>> read_plan(Connection& db, const BatchRow& row, std::uint32_t count_max) {
    const std::uint32_t place = row.plan_next.value_or(0);
    const std::uint32_t skipped = place % kEntriesOfChunk;
    auto rows = db.query(sql::kFindPlanChunk, row.key(place - skipped));
    if (!rows) return std::unexpected(rows.error());
    const auto found = rows->next();
    if (!found) return std::unexpected(found.error());
    std::vector<core::Planned> entries;
    if (!*found) return entries;
    const std::string_view bytes = rows->bytes(0);
    for (std::size_t at = skipped * kEntryBytes;
         at + kEntryBytes <= bytes.size() && entries.size() < count_max; at += kEntryBytes)
        entries.push_back(unpacked(bytes.data() + at));
    return entries;
}

}  // namespace sheaf::store

#include "store/sqlite/ended_order.h"

#include <charconv>
#include <string>

#include "store/sqlite/statements.h"

namespace sheaf::store {
namespace {

constexpr std::size_t kDigits = 5;  // an ordinal has 20 bits

std::string packed(std::span<const std::uint32_t> ordinals) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    text.reserve(ordinals.size() * kDigits);
    for (const std::uint32_t ordinal : ordinals) {
        for (int shift = 4 * (kDigits - 1); shift >= 0; shift -= 4) text += digits[(ordinal >> shift) & 15U];
    }
    return text;
}

}  // namespace

Result<> insert_ended(Tx& tx, const BatchRow& row, std::uint32_t first,
                      std::span<const std::uint32_t> ordinals) {
    const auto added = tx.db.run(sql::kInsertEndedChunk, row.key(first), packed(ordinals));
    if (!added) return std::unexpected(added.error());
    return {};
}

Result<std::vector<std::uint32_t>> read_ended_ordinals(Connection& db, const BatchRow& row,
                                                       std::uint32_t after, std::uint32_t count_max) {
    std::vector<std::uint32_t> ordinals;
    auto rows = db.query(sql::kEndedChunks, row.first_key(), row.key(after), row.end_key());
    if (!rows) return std::unexpected(rows.error());
    while (ordinals.size() < count_max) {
        const auto more = rows->next();
        if (!more) return std::unexpected(more.error());
        if (!*more) break;
        const std::string_view text = rows->bytes(1);
        const std::uint32_t first = ordinal_of(rows->number(0));
        const std::uint32_t place = after + static_cast<std::uint32_t>(ordinals.size());
        // Nothing of the order is left out in silence.
        if (first > place) break;
        for (std::size_t at = (place - first) * kDigits;
             at + kDigits <= text.size() && ordinals.size() < count_max; at += kDigits) {
            std::uint32_t ordinal = 0;
            std::from_chars(text.data() + at, text.data() + at + kDigits, ordinal, 16);
            ordinals.push_back(ordinal);
        }
    }
    return ordinals;
}

}  // namespace sheaf::store

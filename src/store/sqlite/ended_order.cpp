#include "store/sqlite/ended_order.h"

#include <algorithm>
#include <charconv>
#include <string>

#include "store/sqlite/statements.h"

namespace sheaf::store {
namespace {

constexpr std::size_t kDigits = 5;  // an ordinal has 20 bits

constexpr std::size_t kChunkMax = 1'000;

// The items of a batch that have a result, by time.
Result<std::vector<std::uint32_t>> with_result(Connection& db, const BatchRow& row) {
    std::vector<std::uint32_t> ordinals;
    auto rows = db.query(sql::kItemsWithResult, row.first_key(), row.end_key());
    if (!rows) return std::unexpected(rows.error());
    for (;;) {
        const auto more = rows->next();
        if (!more) return std::unexpected(more.error());
        if (!*more) return ordinals;
        ordinals.push_back(ordinal_of(rows->number(0)));
    }
}

Result<std::uint64_t> count_ended(Connection& db, const BatchRow& row) {
    auto rows = db.query(sql::kEndedOrderBytes, row.first_key(), row.end_key());
    if (!rows) return std::unexpected(rows.error());
    if (const auto more = rows->next(); !more) return std::unexpected(more.error());
    return rows->as<std::uint64_t>(0) / kDigits;
}

// Each of `wanted` once: as they stand in `known`, then in `told`, then as they are.
std::vector<std::uint32_t> merged(std::span<const std::uint32_t> known, std::span<const std::uint32_t> told,
                                  std::span<const std::uint32_t> wanted) {
    std::vector<bool> is_missing(kItemsMax);
    for (const std::uint32_t ordinal : wanted) is_missing[ordinal] = true;
    std::vector<std::uint32_t> order;
    order.reserve(wanted.size());
    for (const auto& source : {known, told, wanted}) {
        for (const std::uint32_t ordinal : source) {
            if (ordinal >= kItemsMax || !is_missing[ordinal]) continue;
            is_missing[ordinal] = false;
            order.push_back(ordinal);
        }
    }
    return order;
}

}  // namespace

std::string pack_ordinals(std::span<const std::uint32_t> ordinals) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    text.reserve(ordinals.size() * kDigits);
    for (const std::uint32_t ordinal : ordinals) {
        for (int shift = 4 * (kDigits - 1); shift >= 0; shift -= 4) text += digits[(ordinal >> shift) & 15U];
    }
    return text;
}

void unpack_ordinals(std::string_view packed, std::vector<std::uint32_t>& ordinals) {
    for (std::size_t at = 0; at + kDigits <= packed.size(); at += kDigits) {
        std::uint32_t ordinal = 0;
        std::from_chars(packed.data() + at, packed.data() + at + kDigits, ordinal, 16);
        ordinals.push_back(ordinal);
    }
}

Result<> insert_ended(Tx& tx, const BatchRow& row, std::uint32_t first,
                      std::span<const std::uint32_t> ordinals) {
    const auto added = tx.db.run(sql::kInsertEndedChunk, row.key(first), pack_ordinals(ordinals));
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

Result<bool> is_ended_order_sound(Connection& db, const BatchRow& row) {
    const auto known = read_ended_ordinals(db, row, 0, kItemsMax);
    if (!known) return std::unexpected(known.error());
    const auto wanted = with_result(db, row);
    if (!wanted) return std::unexpected(wanted.error());
    const auto count = count_ended(db, row);
    if (!count) return std::unexpected(count.error());
    return *count == wanted->size() && merged(*known, {}, *wanted) == *known;
}

Result<> mend_ended_order(Connection& db, const BatchRow& row, std::span<const std::uint32_t> told) {
    const auto sound = is_ended_order_sound(db, row);
    if (!sound) return std::unexpected(sound.error());
    if (*sound) return {};
    const auto known = read_ended_ordinals(db, row, 0, kItemsMax);
    if (!known) return std::unexpected(known.error());
    const auto wanted = with_result(db, row);
    if (!wanted) return std::unexpected(wanted.error());
    const std::vector<std::uint32_t> order = merged(*known, told, *wanted);
    auto done = db.run(sql::kDeleteEndedOrder, row.first_key(), row.end_key());
    for (std::size_t at = 0; done && at < order.size(); at += kChunkMax) {
        const auto chunk = std::span(order).subspan(at, std::min(kChunkMax, order.size() - at));
        done = db.run(sql::kInsertEndedChunk, row.key(static_cast<std::uint32_t>(at)), pack_ordinals(chunk));
    }
    if (!done) return std::unexpected(done.error());
    return {};
}

}  // namespace sheaf::store

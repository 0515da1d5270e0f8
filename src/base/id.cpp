#include "base/id.h"

#include <cerrno>
#include <charconv>

#include <fmt/format.h>
#include <sys/random.h>

#include "base/check.h"

namespace sheaf {
namespace {

constexpr std::uint64_t kRandomMask = (std::uint64_t{1} << 44) - 1;
constexpr std::uint32_t kOrdinalMask = (1U << 20) - 1;

}  // namespace

void fill_random(void* bytes, std::size_t count) {
    // The system's own, which needs no memory.
    auto* at = static_cast<unsigned char*>(bytes);
    while (count > 0) {
        const auto got = ::getrandom(at, count, 0);
        CHECK(got > 0 || errno == EINTR, "the operating system has randomness to give");
        if (got < 0) continue;
        at += got;
        count -= static_cast<std::size_t>(got);
    }
}

RawId make_raw_id(Timestamp now) {
    RawId id;
    id.seconds =
        static_cast<std::uint32_t>(std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count());
    fill_random(&id.random, sizeof id.random);
    id.random &= kRandomMask;
    return id;
}

std::string to_string(const RawId& id) {
    return fmt::format("{:08x}{:016x}", id.seconds, (id.random << 20) | id.ordinal);
}

std::optional<RawId> parse_raw_id(std::string_view text) {
    if (text.size() != 24) return std::nullopt;
    RawId id;
    std::uint64_t low = 0;
    const char* const middle = text.data() + 8;
    const char* const end = text.data() + text.size();
    const auto high_read = std::from_chars(text.data(), middle, id.seconds, 16);
    const auto low_read = std::from_chars(middle, end, low, 16);
    if (high_read.ec != std::errc{} || high_read.ptr != middle) return std::nullopt;
    if (low_read.ec != std::errc{} || low_read.ptr != end) return std::nullopt;
    id.random = low >> 20;
    id.ordinal = static_cast<std::uint32_t>(low) & kOrdinalMask;
    return id;
}

ItemId BatchId::item(std::uint32_t ordinal) const {
    return {*this, ordinal};
}

BatchId make_batch_id(Timestamp now) {
    const RawId raw = make_raw_id(now);
    return {raw.seconds, raw.random};
}

std::string to_string(const BatchId& id) {
    return to_string(RawId{id.seconds, id.random, 0});
}

std::string to_string(const ItemId& id) {
    CHECK(id.ordinal <= kItemsMax, "an ordinal must fit into the id");
    return to_string(RawId{id.batch.seconds, id.batch.random, id.ordinal + 1});
}

std::optional<BatchId> parse_batch_id(std::string_view text) {
    const auto raw = parse_raw_id(text);
    if (!raw || raw->ordinal != 0) return std::nullopt;
    return BatchId{raw->seconds, raw->random};
}

std::optional<ItemId> parse_item_id(std::string_view text) {
    const auto raw = parse_raw_id(text);
    if (!raw || raw->ordinal == 0) return std::nullopt;
    return ItemId{{raw->seconds, raw->random}, raw->ordinal - 1};
}

}  // namespace sheaf

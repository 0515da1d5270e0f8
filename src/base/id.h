#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace sheaf {

// 96 bits, printed as 24 lower-case hex digits: 32 of seconds since 1970, 44 random, 20 of ordinal.
//
// A batch has ordinal 0; its item number n (from 0) has ordinal n + 1. So an item's id names its batch and
// its place in it, and no table is needed to look it up. Ids sort by time of creation.
struct RawId {
    std::uint32_t seconds = 0;
    std::uint64_t random = 0;   // 44 bits
    std::uint32_t ordinal = 0;  // 20 bits
    auto operator<=>(const RawId&) const = default;
};

inline constexpr std::uint32_t kItemsMax = (1U << 20) - 2;

std::string to_string(const RawId& id);
// Either case. Nullopt unless `text` is exactly 24 hex digits.
std::optional<RawId> parse_raw_id(std::string_view text);
RawId make_raw_id(Timestamp now);

struct ItemId;

struct BatchId {
    std::uint32_t seconds = 0;
    std::uint64_t random = 0;
    auto operator<=>(const BatchId&) const = default;
    ItemId item(std::uint32_t ordinal) const;
};

// `ordinal` counts from 0 in submission order.
struct ItemId {
    BatchId batch;
    std::uint32_t ordinal = 0;
    auto operator<=>(const ItemId&) const = default;
};

BatchId make_batch_id(Timestamp now);
std::string to_string(const BatchId& id);
std::string to_string(const ItemId& id);
std::optional<BatchId> parse_batch_id(std::string_view text);
std::optional<ItemId> parse_item_id(std::string_view text);

// The ids of everything else: same form, ordinal 0. `Tag` keeps them apart.
template <class Tag>
struct OpaqueId {
    RawId raw;
    auto operator<=>(const OpaqueId&) const = default;
    static OpaqueId make(Timestamp now) { return {make_raw_id(now)}; }
    static std::optional<OpaqueId> parse(std::string_view text) {
        const auto raw = parse_raw_id(text);
        if (!raw) return std::nullopt;
        return OpaqueId{*raw};
    }
};
template <class Tag>
std::string to_string(const OpaqueId<Tag>& id) {
    return to_string(id.raw);
}

using AssetId = OpaqueId<struct AssetTag>;
using UploadId = OpaqueId<struct UploadTag>;
using FileId = OpaqueId<struct FileTag>;
using FileUploadId = OpaqueId<struct FileUploadTag>;
using FilePartId = OpaqueId<struct FilePartTag>;
using WebhookId = OpaqueId<struct WebhookTag>;

// Who owns what. A plain name, chosen by the operator: [A-Za-z0-9_.-]{1,64}.
struct AccountId {
    std::string name;
    auto operator<=>(const AccountId&) const = default;
};

// Cryptographically random bytes, from the operating system.
void fill_random(void* bytes, std::size_t count);

}  // namespace sheaf

template <>
struct std::hash<sheaf::BatchId> {
    std::size_t operator()(const sheaf::BatchId& id) const noexcept {
        return id.random ^ (std::size_t{id.seconds} << 32);
    }
};
template <>
struct std::hash<sheaf::ItemId> {
    std::size_t operator()(const sheaf::ItemId& id) const noexcept {
        return std::hash<sheaf::BatchId>{}(id.batch) * 1000003U + id.ordinal;
    }
};
template <class Tag>
struct std::hash<sheaf::OpaqueId<Tag>> {
    std::size_t operator()(const sheaf::OpaqueId<Tag>& id) const noexcept {
        return id.raw.random ^ (std::size_t{id.raw.seconds} << 32) ^ (std::size_t{id.raw.ordinal} << 12);
    }
};

#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/id.h"
#include "core/item.h"

// Ids and names as the stores with SQL keep them.
namespace sheaf::store {

// 12 bytes, big endian: they sort as in core.
using StoredId = std::array<char, 12>;
StoredId stored_id(const RawId& id);
inline StoredId stored_id(const BatchId& id) {
    return stored_id(RawId{id.seconds, id.random, 0});
}
RawId raw_id(std::string_view bytes);
BatchId batch_id(std::string_view bytes);

// A number to find a text by. It may collide: the text decides.
std::int64_t key_of(std::string_view text);
// The same for "this account's items about this subject", or nullopt for an empty subject.
std::optional<std::int64_t> subject_key(const AccountId& account, const core::Subject& subject);
// The same for "this batch's item of this name".
std::int64_t name_key(const BatchId& batch, std::string_view custom_id);

}  // namespace sheaf::store

#include "store/stored_id.h"

#include <cstring>

#include "base/check.h"
#include "base/hash.h"

namespace sheaf::store {

StoredId stored_id(const RawId& id) {
    StoredId bytes{};
    const std::uint64_t low = (id.random << 20) | id.ordinal;
    for (std::size_t at = 0; at < 4; ++at) bytes[at] = static_cast<char>(id.seconds >> (24 - 8 * at));
    for (std::size_t at = 0; at < 8; ++at) bytes[4 + at] = static_cast<char>(low >> (56 - 8 * at));
    return bytes;
}

RawId raw_id(std::string_view bytes) {
    CHECK(bytes.size() == StoredId{}.size(), "a stored id has 12 bytes");
    RawId id;
    for (std::size_t at = 0; at < 4; ++at)
        id.seconds = (id.seconds << 8) | static_cast<unsigned char>(bytes[at]);
    std::uint64_t low = 0;
    for (std::size_t at = 4; at < 12; ++at) low = (low << 8) | static_cast<unsigned char>(bytes[at]);
    id.random = low >> 20;
    id.ordinal = static_cast<std::uint32_t>(low & 0xfffffU);
    return id;
}

BatchId batch_id(std::string_view bytes) {
    const RawId id = raw_id(bytes);
    return {id.seconds, id.random};
}

std::int64_t key_of(std::string_view text) {
    const Sha256 hash = sha256(text);
    std::int64_t key = 0;
    std::memcpy(&key, hash.data(), sizeof key);
    return key;
}

std::optional<std::int64_t> subject_key(const AccountId& account, const core::Subject& subject) {
    if (subject.text.empty()) return std::nullopt;
    return key_of(account.name + '\n' + subject.text);
}

std::int64_t name_key(const BatchId& batch, std::string_view custom_id) {
    const StoredId id = stored_id(batch);
    return key_of(std::string(id.data(), id.size()).append(custom_id));
}

}  // namespace sheaf::store

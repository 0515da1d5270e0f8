#include <charconv>

#include <fmt/format.h>

#include "base/hash.h"
#include "service/assets.h"

namespace sheaf::service {
namespace {

std::string signature_of(const Secret& key, UploadId id, std::uint32_t index, std::int64_t expires) {
    return to_hex(
        hmac_sha256(key.reveal(), fmt::format("put chunk\n{}\n{}\n{}", to_string(id), index, expires)));
}

std::unexpected<Error> refused() {
    return fail(ErrorCode::denied, "The upload URL is not valid or has expired.");
}

}  // namespace

PresignedChunk Assets::presign(UploadId id, std::uint32_t index) const {
    const auto until = std::chrono::floor<std::chrono::seconds>(now() + parts_.limits.presigned_time);
    const std::int64_t expires = until.time_since_epoch().count();
    return {.index = index,
            .expires_and_signature = fmt::format("expires={}&signature={}", expires,
                                                 signature_of(parts_.signing_key, id, index, expires)),
            .expires_at = until};
}

Result<> Assets::check_presigned(UploadId id, std::uint32_t index, std::string_view expires,
                                 std::string_view signature) const {
    std::int64_t until = 0;
    const auto read = std::from_chars(expires.data(), expires.data() + expires.size(), until);
    if (read.ec != std::errc{} || read.ptr != expires.data() + expires.size()) return refused();
    // The signature first: an expiry that nobody signed says nothing.
    if (!equal_in_constant_time(signature_of(parts_.signing_key, id, index, until), signature))
        return refused();
    if (now() >= Timestamp(std::chrono::seconds(until))) return refused();
    return {};
}

}  // namespace sheaf::service

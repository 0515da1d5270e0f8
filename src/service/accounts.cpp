#include "service/accounts.h"

#include <algorithm>
#include <array>

namespace sheaf::service {
namespace {

constexpr std::string_view kPrefix = "sheaf_";
constexpr std::string_view kDigits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::size_t kIdLength = 12;
constexpr std::size_t kSecretBytes = 32;
constexpr std::size_t kSecretLength = 43;  // of 32 bytes in base 62
constexpr std::size_t kChecksumLength = 6;
constexpr std::size_t kKeyLength = kPrefix.size() + kIdLength + kSecretLength + kChecksumLength;

constexpr std::chrono::seconds kKnownFor{1};
constexpr std::size_t kKnownMax = 10'000;

// The number that `bytes` make, in `length` digits; what is above them is left out.
std::string to_base62(std::span<unsigned char> bytes, std::size_t length) {
    std::string text(length, '0');
    for (auto digit = text.rbegin(); digit != text.rend(); ++digit) {
        unsigned rest = 0;
        for (unsigned char& byte : bytes) {
            const unsigned value = rest * 256 + byte;
            byte = static_cast<unsigned char>(value / kDigits.size());
            rest = static_cast<unsigned>(value % kDigits.size());
        }
        *digit = kDigits[rest];
    }
    return text;
}

template <std::size_t count>
std::string random_text(std::size_t length) {
    std::array<unsigned char, count> bytes{};
    fill_random(bytes.data(), bytes.size());
    return to_base62(bytes, length);
}

std::string checksum_of(std::string_view text) {
    const std::uint32_t sum = crc32c(text);
    std::array<unsigned char, 4> bytes{};
    for (std::size_t n = 0; n < bytes.size(); ++n) bytes[n] = static_cast<unsigned char>(sum >> (24 - 8 * n));
    return to_base62(bytes, kChecksumLength);
}

std::string_view as_text(const Sha256& hash) {
    return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

struct KeyParts {
    std::string_view id;
    std::string_view secret;
};

std::optional<KeyParts> split_key(std::string_view key) {
    if (key.size() != kKeyLength || !key.starts_with(kPrefix)) return std::nullopt;
    const std::string_view summed = key.substr(0, kKeyLength - kChecksumLength);
    if (checksum_of(summed) != key.substr(summed.size())) return std::nullopt;
    return KeyParts{.id = key.substr(kPrefix.size(), kIdLength),
                    .secret = key.substr(kPrefix.size() + kIdLength, kSecretLength)};
}

std::unexpected<Error> refused() {
    return fail(ErrorCode::denied, "The API key is missing or not valid.");
}

}  // namespace

NewKey make_key(const AccountId& account, Timestamp now) {
    const std::string id = random_text<16>(kIdLength);
    const std::string secret = random_text<kSecretBytes>(kSecretLength);
    const std::string summed = std::string(kPrefix) + id + secret;
    return {.stored = {.id = id,
                       .account = account,
                       .secret_hash = sha256(secret),
                       .created_at = now,
                       .revoked_at = {}},
            .key = Secret(summed + checksum_of(summed))};
}

bool is_account_name(std::string_view name) {
    const auto is_allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
               c == '.' || c == '-';
    };
    return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, is_allowed);
}

Accounts::Accounts(async::Blocking<store::Keys> keys, const Clock& clock) : keys_(keys), clock_(&clock) {}

async::Task<Result<Caller>> Accounts::authenticate(std::string_view key) {
    const auto parts = split_key(key);
    if (!parts) co_return refused();
    const std::string id(parts->id);
    const Sha256 hash = sha256(parts->secret);

    const Timestamp now = clock_->now();
    const auto at = known_.find(id);
    // A clock that was set back must not keep a revoked key alive.
    if (at != known_.end() && now < at->second.until && at->second.until - now <= kKnownFor) {
        if (!equal_in_constant_time(as_text(at->second.secret_hash), as_text(hash))) co_return refused();
        co_return Caller{at->second.account, id};
    }
    const auto found = co_await keys_([&](store::Keys& keys) { return keys.find(id); });
    if (!found) co_return std::unexpected(found.error());
    if (!*found || (*found)->revoked_at) {
        known_.erase(id);
        co_return refused();
    }
    if (known_.size() >= kKnownMax)
        std::erase_if(known_, [&](const auto& entry) { return entry.second.until <= now; });
    if (known_.size() >= kKnownMax) known_.clear();
    known_.insert_or_assign(
        id,
        Known{.secret_hash = (*found)->secret_hash, .account = (*found)->account, .until = now + kKnownFor});
    if (!equal_in_constant_time(as_text((*found)->secret_hash), as_text(hash))) co_return refused();
    co_return Caller{(*found)->account, id};
}

}  // namespace sheaf::service

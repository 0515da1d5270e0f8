#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace sheaf {

using Sha256 = std::array<unsigned char, 32>;

Sha256 sha256(std::string_view bytes);
Sha256 hmac_sha256(std::string_view key, std::string_view bytes);
// Lower-case hex.
std::string to_hex(std::span<const unsigned char> bytes);
std::string md5_hex(std::string_view bytes);
// Compares in time that depends on the lengths alone.
bool equal_in_constant_time(std::string_view left, std::string_view right);
// CRC-32C (Castagnoli), the checksum of every stored record. `previous` continues an earlier one.
std::uint32_t crc32c(std::string_view bytes, std::uint32_t previous = 0);

}  // namespace sheaf

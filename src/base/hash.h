#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace sheaf {

using Sha256 = std::array<unsigned char, 32>;

Sha256 sha256(std::string_view bytes);
// The same of bytes that come in pieces.
class Sha256Sum {
public:
    Sha256Sum();
    Sha256Sum(Sha256Sum&&) noexcept;
    Sha256Sum& operator=(Sha256Sum&&) noexcept;
    ~Sha256Sum();
    void add(std::string_view bytes);
    // Of all that was added. Then it begins anew.
    Sha256 digest();

private:
    struct State;
    std::unique_ptr<State> state_;
};
Sha256 hmac_sha256(std::string_view key, std::string_view bytes);
// Lower-case hex.
std::string to_hex(std::span<const unsigned char> bytes);
std::string md5_hex(std::string_view bytes);
// The same of bytes that come in pieces.
class Md5 {
public:
    Md5();
    Md5(Md5&&) noexcept;
    ~Md5();
    void add(std::string_view bytes);
    // Of all that was added. Then it is of no more use.
    std::string hex();

private:
    struct State;
    std::unique_ptr<State> state_;
};
// Compares in time that depends on the lengths alone.
bool equal_in_constant_time(std::string_view left, std::string_view right);
// CRC-32C (Castagnoli), the checksum of every stored record. `previous` continues an earlier one.
std::uint32_t crc32c(std::string_view bytes, std::uint32_t previous = 0);

}  // namespace sheaf

#include "base/hash.h"

#include <cstring>
#include <new>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace sheaf {
namespace {

constexpr std::array<std::uint32_t, 256> kCrcTable = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t n = 0; n < 256; ++n) {
        std::uint32_t value = n;
        for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1U) != 0 ? 0x82f63b78U : 0U);
        table[n] = value;
    }
    return table;
}();

std::uint32_t crc32c_portable(std::string_view bytes, std::uint32_t crc) {
    for (const char c : bytes) crc = (crc >> 8) ^ kCrcTable[(crc ^ static_cast<unsigned char>(c)) & 0xffU];
    return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t crc32c_sse42(std::string_view bytes, std::uint32_t crc) {
    const char* at = bytes.data();
    std::size_t left = bytes.size();
    std::uint64_t wide = crc;
    for (; left >= 8; at += 8, left -= 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, at, 8);
        wide = _mm_crc32_u64(wide, word);
    }
    crc = static_cast<std::uint32_t>(wide);
    for (; left > 0; ++at, --left) crc = _mm_crc32_u8(crc, static_cast<unsigned char>(*at));
    return crc;
}
#endif

// What OpenSSL does of these fails for want of memory alone.
void expect_memory_for(bool done) {
    if (!done) throw std::bad_alloc();
}

// Fetched once: EVP_sha256() is looked up anew at every use, which takes longer than a short digest does.
const EVP_MD* sha256_method() {
    static const EVP_MD* const method = [] {
        const EVP_MD* const fetched = EVP_MD_fetch(nullptr, "SHA2-256", nullptr);
        expect_memory_for(fetched != nullptr);
        return fetched;
    }();
    return method;
}

struct FreeContext {
    void operator()(EVP_MD_CTX* what) const { EVP_MD_CTX_free(what); }
};
using Context = std::unique_ptr<EVP_MD_CTX, FreeContext>;

Context make_context() {
    Context made(EVP_MD_CTX_new());
    expect_memory_for(made != nullptr);
    return made;
}

}  // namespace

Sha256 sha256(std::string_view bytes) {
    Sha256 digest{};
    unsigned int size = 0;
    expect_memory_for(
        EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, sha256_method(), nullptr) == 1);
    return digest;
}

struct Sha256Sum::State {
    void begin() { expect_memory_for(EVP_DigestInit_ex(context.get(), sha256_method(), nullptr) == 1); }
    Context context = make_context();
};

Sha256Sum::Sha256Sum() : state_(std::make_unique<State>()) {
    state_->begin();
}
Sha256Sum::Sha256Sum(Sha256Sum&&) noexcept = default;
Sha256Sum& Sha256Sum::operator=(Sha256Sum&&) noexcept = default;
Sha256Sum::~Sha256Sum() = default;

void Sha256Sum::add(std::string_view bytes) {
    expect_memory_for(EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size()) == 1);
}

Sha256 Sha256Sum::digest() {
    Sha256 digest{};
    expect_memory_for(EVP_DigestFinal_ex(state_->context.get(), digest.data(), nullptr) == 1);
    state_->begin();
    return digest;
}

Sha256 hmac_sha256(std::string_view key, std::string_view bytes) {
    Sha256 digest{};
    unsigned int size = 0;
    expect_memory_for(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
                           reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data(),
                           &size) != nullptr);
    return digest;
}

std::string to_hex(std::span<const unsigned char> bytes) {
    std::string text;
    text.reserve(bytes.size() * 2);
    constexpr std::string_view digits = "0123456789abcdef";
    for (const unsigned char byte : bytes) {
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
    return text;
}

std::string md5_hex(std::string_view bytes) {
    std::array<unsigned char, 16> digest{};
    unsigned int size = 0;
    expect_memory_for(EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_md5(), nullptr) == 1);
    return to_hex(digest);
}

struct Md5::State {
    State() { expect_memory_for(EVP_DigestInit_ex(context.get(), EVP_md5(), nullptr) == 1); }
    Context context = make_context();
};

Md5::Md5() : state_(std::make_unique<State>()) {}
Md5::Md5(Md5&&) noexcept = default;
Md5::~Md5() = default;

void Md5::add(std::string_view bytes) {
    expect_memory_for(EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size()) == 1);
}

std::string Md5::hex() {
    std::array<unsigned char, 16> digest{};
    expect_memory_for(EVP_DigestFinal_ex(state_->context.get(), digest.data(), nullptr) == 1);
    return to_hex(digest);
}

bool equal_in_constant_time(std::string_view left, std::string_view right) {
    return left.size() == right.size() && CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;
}

std::uint32_t crc32c(std::string_view bytes, std::uint32_t previous) {
    const std::uint32_t start = ~previous;
#if defined(__x86_64__)
    static const bool has_sse42 = __builtin_cpu_supports("sse4.2");
    if (has_sse42) return ~crc32c_sse42(bytes, start);
#endif
    return ~crc32c_portable(bytes, start);
}

}  // namespace sheaf

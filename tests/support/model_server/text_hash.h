#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace model_server {

// The finalizer of SplitMix64.
constexpr std::uint64_t mixed(std::uint64_t value) {
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
    return value ^ (value >> 31);
}

// The same text and seed give the same number in every run.
inline std::uint64_t text_hash(std::string_view text, std::uint64_t seed) {
    std::uint64_t hash = mixed(seed + 0x9e3779b97f4a7c15U + text.size());
    for (; text.size() >= 8; text.remove_prefix(8)) {
        std::uint64_t word = 0;
        std::memcpy(&word, text.data(), 8);
        hash = mixed(hash ^ word);
    }
    std::uint64_t word = 0;
    std::memcpy(&word, text.data(), text.size());
    return mixed(hash ^ word);
}

}  // namespace model_server

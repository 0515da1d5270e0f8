#include "core/prefix_chain.h"

#include <algorithm>
#include <cstring>

namespace sheaf::core {
namespace {

constexpr std::uint64_t kBytesPerToken = 4;

std::uint64_t mixed(std::uint64_t left, std::uint64_t right) {
    // As in wyhash: the two halves of a product, folded.
    const auto product =
        static_cast<unsigned __int128>(left ^ 0xa0761d6478bd642fULL) * (right ^ 0xe7037ed1a0b428dbULL);
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

std::uint64_t extended(std::uint64_t hash, std::string_view bytes) {
    const std::uint64_t length = bytes.size();
    while (bytes.size() >= 16) {
        std::array<std::uint64_t, 2> words{};
        std::memcpy(words.data(), bytes.data(), 16);
        hash = mixed(words[0] ^ hash, words[1]);
        bytes.remove_prefix(16);
    }
    std::array<std::uint64_t, 2> rest{};
    std::memcpy(rest.data(), bytes.data(), bytes.size());
    return mixed(mixed(rest[0] ^ hash, rest[1]), length);
}

}  // namespace

void PrefixChain::add(std::string_view part) {
    while (!part.empty() && depth_ < kLevelsMax) {
        const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(part.size(), next_end_ - bytes_));
        running_ = extended(running_, part.substr(0, count));
        tokens_ += count / kBytesPerToken;
        bytes_ += count;
        part.remove_prefix(count);
        if (bytes_ == next_end_) next_end_ += next_end_ / 2;
        end_level();
    }
    tokens_ += part.size() / kBytesPerToken;
}

void PrefixChain::add(std::string_view part, std::uint64_t tokens) {
    running_ = extended(running_, part);
    tokens_ += tokens;
    if (depth_ < kLevelsMax) end_level();
}

void PrefixChain::end_level() {
    levels_[depth_++] = {running_, tokens_};
}

}  // namespace sheaf::core

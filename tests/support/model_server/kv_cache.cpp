#include "kv_cache.h"

#include <ranges>

#include "text_hash.h"

namespace model_server {

std::vector<std::uint64_t> block_chain(std::string_view prompt, std::uint32_t chars_per_token) {
    const std::size_t block_bytes = std::size_t{kBlockTokens} * chars_per_token;
    std::vector<std::uint64_t> chain;
    chain.reserve(prompt.size() / block_bytes);
    std::uint64_t hash = 0;
    for (; prompt.size() >= block_bytes; prompt.remove_prefix(block_bytes))
        chain.push_back(hash = text_hash(prompt.substr(0, block_bytes), hash));
    return chain;
}

std::uint32_t KvCache::find(std::span<const std::uint64_t> chain) {
    std::uint32_t found = 0;
    while (found < chain.size() && where_.contains(chain[found])) ++found;
    touch(chain.first(found));
    return found;
}

void KvCache::insert(std::span<const std::uint64_t> chain) {
    seen_.insert(chain.begin(), chain.end());
    for (const auto block : chain)
        if (!where_.contains(block)) where_.emplace(block, recent_.insert(recent_.begin(), block));
    touch(chain);
    while (where_.size() > blocks_max_) {
        where_.erase(recent_.back());
        recent_.pop_back();
    }
}

double KvCache::usage() const {
    return blocks_max_ == 0 ? 0 : static_cast<double>(where_.size()) / static_cast<double>(blocks_max_);
}

// From the last block to the first, so that a chain loses its end first.
void KvCache::touch(std::span<const std::uint64_t> chain) {
    for (const auto block : std::views::reverse(chain))
        recent_.splice(recent_.begin(), recent_, where_.find(block)->second);
}

}  // namespace model_server

#pragma once

#include <cstdint>
#include <list>
#include <span>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace model_server {

// Tokens of a block of the cache, as in vLLM.
inline constexpr std::uint32_t kBlockTokens = 16;

// A name for each whole block of the prompt: equal names mean equal text up to and with that block. The rest
// behind the last whole block is never cached and has none.
std::vector<std::uint64_t> block_chain(std::string_view prompt, std::uint32_t chars_per_token);

// What an engine keeps of prompts it has computed: blocks, the least recently used leaves first.
class KvCache {
public:
    // 0 tokens: nothing is ever kept.
    explicit KvCache(std::uint64_t tokens_max) : blocks_max_(tokens_max / kBlockTokens) {}

    // How many leading blocks are there; they count as used now.
    std::uint32_t find(std::span<const std::uint64_t> chain);
    void insert(std::span<const std::uint64_t> chain);

    std::uint64_t tokens() const { return where_.size() * kBlockTokens; }
    double usage() const;
    // Tokens of blocks that no insert had brought before: the least work that could have been done here.
    std::uint64_t distinct_tokens() const { return seen_.size() * kBlockTokens; }

private:
    void touch(std::span<const std::uint64_t> chain);

    std::uint64_t blocks_max_;
    std::list<std::uint64_t> recent_;  // the most recently used first
    std::unordered_map<std::uint64_t, std::list<std::uint64_t>::iterator> where_;
    std::unordered_set<std::uint64_t> seen_;
};

}  // namespace model_server

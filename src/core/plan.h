#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/prefix_chain.h"

namespace sheaf::core {

// What is known of an item before it runs.
struct Forecast {
    PrefixChain prompt;
    std::uint64_t output_tokens = 0;  // at most; 0: not said
};

// An item's place in the order of its batch.
struct Planned {
    std::uint32_t ordinal = 0;
    // The longest beginning that it shares with its neighbours: what they have in common need be computed
    // once where they run one after the other on one model server. 0: it shares nothing worth it.
    std::uint64_t prefix = 0;
    bool operator==(const Planned&) const = default;
};

// The order in which to run the items of a batch, each once: items that begin alike are neighbours, at every
// length of the common beginning (a walk through the tree of prefixes); among the branches of one node those
// that are likely to take longest come first, so that the end of the batch does not wait for one of them;
// among equals the order of submission. Empty: that order is as good as any.
std::vector<Planned> plan_order(std::span<const Forecast> items);

}  // namespace sheaf::core

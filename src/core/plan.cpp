#include "core/plan.h"

#include <algorithm>
#include <bit>

namespace sheaf::core {
namespace {

// Less is not worth a place beside others: model servers keep prefixes in blocks of 16 tokens and more.
constexpr std::uint64_t kSharedTokensMin = 64;
// Reading a prompt is so many times faster than writing an answer.
constexpr std::uint64_t kReadingSpeed = 16;
constexpr std::uint64_t kOutputUnsaid = 512;

// How long an item is likely to take, in steps of a quarter of a doubling: what differs by less is equal.
std::uint32_t duration_class(const Forecast& item) {
    const std::uint64_t output = item.output_tokens == 0 ? kOutputUnsaid : item.output_tokens;
    const std::uint64_t cost = output + item.prompt.tokens() / kReadingSpeed + 1;
    const auto doublings = static_cast<std::uint32_t>(std::bit_width(cost)) - 1;
    const std::uint64_t quarters = ((cost << 2U) >> doublings) & 3U;
    return doublings * 4 + static_cast<std::uint32_t>(quarters);
}

class Planner {
public:
    explicit Planner(std::span<const Forecast> items) : items_(items) {
        durations_.reserve(items.size());
        for (const Forecast& item : items) durations_.push_back(duration_class(item));
        plan_.reserve(items.size());
    }

    std::vector<Planned> run() {
        sort_by_prompt();
        lay_out(order_, 0, 0);
        return std::move(plan_);
    }

private:
    // Items that begin alike, whether one or many.
    struct Branch {
        std::span<const std::uint32_t> items;
        std::uint32_t longest = 0;
        std::uint32_t first = 0;  // the lowest ordinal
    };

    // By the first level at hand: most comparisons go no further, and a forecast is five cache lines.
    void sort_by_prompt() {
        struct Entry {
            std::uint64_t first_hash;
            std::uint32_t item;
        };
        std::vector<Entry> entries;
        entries.reserve(items_.size());
        for (std::uint32_t item = 0; item < items_.size(); ++item) {
            const PrefixChain& prompt = items_[item].prompt;
            entries.push_back({prompt.depth() > 0 ? prompt.hash(0) : 0, item});
        }
        std::ranges::sort(entries, [&](const Entry& left, const Entry& right) {
            if (left.first_hash != right.first_hash) return left.first_hash < right.first_hash;
            return is_before(left.item, right.item);
        });
        order_.reserve(entries.size());
        for (const Entry& entry : entries) order_.push_back(entry.item);
    }

    bool is_before(std::uint32_t left, std::uint32_t right) const {
        const PrefixChain& a = items_[left].prompt;
        const PrefixChain& b = items_[right].prompt;
        const std::size_t depth = std::min(a.depth(), b.depth());
        for (std::size_t level = 0; level < depth; ++level) {
            if (a.hash(level) != b.hash(level)) return a.hash(level) < b.hash(level);
        }
        return a.depth() != b.depth() ? a.depth() < b.depth() : left < right;
    }

    Branch branch_of(std::span<const std::uint32_t> items) const {
        Branch branch{.items = items, .longest = 0, .first = items.front()};
        for (const std::uint32_t item : items) {
            branch.longest = std::max(branch.longest, durations_[item]);
            branch.first = std::min(branch.first, item);
        }
        return branch;
    }

    // `items` are the same up to `level`; `prefix` is what they share that is worth it.
    void lay_out(std::span<const std::uint32_t> items, std::size_t level, std::uint64_t prefix) {
        std::vector<Branch> branches;
        while (!items.empty()) {
            std::size_t count = 1;
            const PrefixChain& head = items_[items.front()].prompt;
            if (head.depth() > level) {
                while (count < items.size() && items_[items[count]].prompt.hash(level) == head.hash(level))
                    ++count;
            }
            branches.push_back(branch_of(items.first(count)));
            items = items.subspan(count);
        }
        std::ranges::sort(branches, [](const Branch& left, const Branch& right) {
            return left.longest != right.longest ? left.longest > right.longest : left.first < right.first;
        });
        for (const Branch& branch : branches) {
            const std::uint32_t item = branch.items.front();
            if (branch.items.size() == 1) {
                plan_.push_back({item, prefix});
                continue;
            }
            const PrefixChain& chain = items_[item].prompt;
            const bool is_worth_it = chain.tokens(level) >= kSharedTokensMin;
            lay_out(branch.items, level + 1, is_worth_it ? chain.hash(level) : prefix);
        }
    }

    std::span<const Forecast> items_;
    std::vector<std::uint32_t> order_;
    std::vector<std::uint32_t> durations_;  // by ordinal
    std::vector<Planned> plan_;
};

}  // namespace

std::vector<Planned> plan_order(std::span<const Forecast> items) {
    std::vector<Planned> plan = Planner(items).run();
    for (std::uint32_t at = 0; at < plan.size(); ++at) {
        if (plan[at] != Planned{.ordinal = at}) return plan;
    }
    return {};
}

}  // namespace sheaf::core

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "dialect/sail/item_params.h"

namespace sheaf::dialect::sail {

// One item may not be so large that all of it could not be held while it is checked and run.
inline constexpr std::uint64_t kItemBytesMax = std::uint64_t{64} << 20;

// The body of POST /batches, read without ever being one document: first its frame, then item by item, so
// that the caller can let others run in between. Its views lie in `body`, which outlives it.
class BatchRequest {
public:
    struct Item {
        std::string custom_id;
        std::string_view params;
    };

    // All but the items: the members at the top, and how many items there are.
    static Checked<BatchRequest> read_frame(std::string_view body, std::uint32_t items_max);
    std::size_t item_count() const { return texts_.size(); }
    // In order, each once.
    Checked<> read_item(std::size_t index, const ParamsRules& rules);

    const std::string& label() const { return label_; }  // empty: none
    std::vector<Item>& items() { return items_; }

private:
    std::string label_;
    std::vector<std::string_view> texts_;
    std::vector<Item> items_;
    std::unordered_set<std::string_view> custom_ids_;  // in items_, which does not grow beyond its room
};

}  // namespace sheaf::dialect::sail

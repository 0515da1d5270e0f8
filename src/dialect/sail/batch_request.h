#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "dialect/sail/item_params.h"
#include "jsonl/splitter.h"

namespace sheaf::dialect::sail {

// One item may not be so large that all of it could not be held while it is checked and run.
inline constexpr std::uint64_t kItemBytesMax = std::uint64_t{64} << 20;

// The body of POST /batches, read item by item in one pass without ever being one document, so that the
// caller can let others run in between. Its views lie in `body`, which outlives it.
class BatchRequest {
public:
    struct Item {
        std::string custom_id;
        std::string_view params;
    };

    BatchRequest(std::string_view body, std::uint32_t items_max) : items_max_(items_max), reader_(body) {}

    // Reads one item more. False: there is none, and all of the body has been read. No further after an
    // error.
    Checked<bool> read_next(const ParamsRules& rules);
    // How much of the body was read.
    std::size_t offset() const { return reader_.offset(); }

    // Once all is read:
    const std::string& label() const { return label_; }  // empty: none
    std::deque<Item>& items() { return items_; }

private:
    // Reads the members at the top, to the first item or to the end of the body. Whether items come.
    Checked<bool> read_members();
    Checked<> read_member(std::string_view name);
    Checked<> read_item(const ParamsRules& rules);
    bool has_member(std::string_view name) const;

    std::uint32_t items_max_;
    jsonl::PartReader reader_;
    std::vector<std::string> members_;  // at the top, as far as read
    std::string label_;
    std::deque<Item> items_;
    std::unordered_set<std::string_view> custom_ids_;  // in items_
};

}  // namespace sheaf::dialect::sail

#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "dialect/twelvelabs/batch_item.h"
#include "service/limits.h"

namespace sheaf::dialect::twelvelabs {

// Defaults are kept with the batch and merged into every item when it runs, so they may not weigh as much as
// items may.
inline constexpr std::uint64_t kDefaultsBytesMax = std::uint64_t{8} << 20;
inline constexpr std::uint64_t kItemBytesMax = std::uint64_t{128} << 20;

// An uploaded file that the request refers to, and where.
struct AssetUse {
    AssetId id;
    std::string path;
    core::MediaType type = core::MediaType::video;
};

// The body of POST /analyze/batches, read without ever being one document: first its frame, then item by
// item, so that the caller can let others run in between. Its views lie in `body`, which outlives it.
class BatchRequest {
public:
    struct Item {
        std::optional<std::string> custom_id;
        AssetId asset;
        std::string_view text;
    };

    // All but the items: the members at the top, how many items there are, and the defaults.
    static Checked<BatchRequest> read_frame(std::string_view body, const service::Limits& limits,
                                            const std::function<bool(std::string_view)>& knows_model);
    std::size_t item_count() const { return texts_.size(); }
    // In order, each once.
    Checked<> read_item(std::size_t index);

    const std::string& model() const { return model_; }
    Mode mode() const { return rules_.mode; }
    const std::string& defaults() const { return defaults_text_; }
    const std::vector<Item>& items() const { return items_; }
    // In order of the items: what was referred to first comes first.
    const std::vector<AssetUse>& uses() const { return uses_; }

private:
    Checked<> read_defaults_text(std::string_view text);
    Checked<> split_requests(std::string_view text, std::uint32_t items_max);

    std::string model_;
    ParamsRules rules_;
    std::string defaults_text_;
    AnalysisParams defaults_;
    std::vector<std::string_view> texts_;
    std::vector<Item> items_;
    std::vector<AssetUse> uses_;
    std::unordered_set<std::string> custom_ids_;
};

}  // namespace sheaf::dialect::twelvelabs

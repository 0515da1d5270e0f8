#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "jsonl/document.h"
#include "store/batches.h"

namespace sheaf::dialect::anthropic {

// The body of POST /v1/messages/batches, read without ever being one document: first its frame, then item by
// item, so that the caller can let others run in between. It refers to the body, which outlives it.
//
// What stands inside of `params` is checked to be JSON and no further: a bad item is its own line in the
// results. Anything else that is wrong is invalid for all, with its path: "requests.3.custom_id".
class BatchRequest {
public:
    static Result<BatchRequest> read_frame(std::string_view body, std::uint32_t items_max);

    std::size_t item_count() const { return texts_.size(); }
    std::string_view item_text(std::size_t index) const { return texts_[index]; }
    // In order, each once.
    Result<> read_item(std::size_t index);
    // Their bodies are the bytes of `params`.
    std::vector<store::ItemDraft> take_items() { return std::move(items_); }

private:
    explicit BatchRequest(std::string_view body) : body_(body) {}
    Result<> read_params(std::string_view text);

    std::string_view body_;
    std::vector<std::string_view> texts_;
    std::vector<store::ItemDraft> items_;
    // By custom_id, where it first stood. Its keys lie in `items_`, which never moves its rows.
    std::unordered_map<std::string_view, std::size_t> places_;
    jsonl::SyntaxChecker checker_;
};

}  // namespace sheaf::dialect::anthropic

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "jsonl/document.h"
#include "jsonl/splitter.h"
#include "service/batches.h"

namespace sheaf::dialect::anthropic {

// The body of POST /v1/messages/batches, read item by item without ever being one document, so that the
// caller can let others run in between. It refers to the body, which outlives it.
//
// What stands inside of `params` is checked to be JSON and no further: a bad item is its own line in the
// results. Anything else that is wrong is invalid for all, with its path: "requests.3.custom_id".
class BatchRequest {
public:
    BatchRequest(std::string_view body, std::uint32_t items_max)
        : body_(body), items_max_(items_max), reader_(body) {}

    // Reads one item more. False: there is none, and all of the body has been read.
    Result<bool> read_next();
    // How much of the body was read.
    std::size_t offset() const { return reader_.offset(); }
    // Their bodies are the bytes of `params`.
    std::vector<store::ItemDraft> take_items() { return std::move(items_); }

private:
    Result<> begin();
    Result<> end();
    Result<> read_item();
    Result<> add_item(std::string_view custom_id, std::string_view params);
    Result<> check_params(std::string_view text);

    std::string_view body_;
    std::uint32_t items_max_;
    jsonl::PartReader reader_;
    jsonl::SyntaxChecker checker_;
    bool has_begun_ = false;
    std::vector<store::ItemDraft> items_;
    std::unordered_map<std::string, std::size_t> places_;  // by custom_id: where it first stood
};

}  // namespace sheaf::dialect::anthropic

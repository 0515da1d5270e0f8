#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "dialect/openai/batch_terms.h"
#include "dialect/openai/endpoints.h"
#include "dialect/openai/openai.h"
#include "jsonl/document.h"
#include "service/batches.h"

namespace sheaf::dialect::openai {

struct InputRules {
    const ModelEndpoint* endpoint = nullptr;
    Limits limits;
    std::function<bool(std::string_view)> knows_model;
};

// Reads the input file of a batch, one line of JSON after the other: what its items are, or everything that
// is wrong with it. Holds one line at a time beside the names it has seen.
class InputReader {
public:
    // `bytes` outlive the reader.
    InputReader(std::string_view bytes, InputRules rules);

    // Reads on, about `bytes_max` bytes. False: there is nothing more to read.
    bool read_some(std::size_t bytes_max);

    // Call these at the end. Without errors there is at least one item; an item is the body of its line.
    std::vector<InputError> take_errors() { return std::move(errors_); }
    std::vector<store::ItemDraft> take_items() { return std::move(items_); }
    const std::string& model() const { return model_; }

private:
    struct Line {
        std::string custom_id;
        std::string_view body;  // its bytes in the file
    };
    struct Fault {
        std::string code;
        std::string message;
        std::string param = {};
    };
    template <class T>
    using Found = std::expected<T, Fault>;

    void read_line(std::string_view line);
    void note(Fault fault);
    Found<Line> check(std::string_view line);
    Found<void> check_body(simdjson::dom::element body);
    static Found<std::string_view> read_text(simdjson::dom::object line, std::string_view key);
    void end();

    std::string_view bytes_;
    std::string_view rest_;
    InputRules rules_;
    std::uint32_t line_number_ = 0;
    std::uint32_t lines_ = 0;  // that are not blank
    bool ended_ = false;
    std::string model_;  // the first line's
    std::vector<InputError> errors_;
    std::vector<store::ItemDraft> items_;
    std::unordered_set<std::string> custom_ids_;
};

}  // namespace sheaf::dialect::openai

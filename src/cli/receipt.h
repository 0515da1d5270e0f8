#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/hash.h"
#include "cli/failure.h"

namespace sheaf::cli {

// Calls `line` with each line of a file, without its end, and with its number, from 1. Of a line that is too
// long to be held, the beginning. "-" is standard input. usage: it cannot be read.
using NumberedLine = std::function<void(std::string_view text, const Sha256& sha256, std::uint64_t number)>;
Outcome<> read_lines_of(const std::string& path, const NumberedLine& line);

// What a receipt says of an item.
struct ReceiptItem {
    std::string item;
    std::optional<std::string> custom_id;
    Sha256 sha256{};  // of its line in the results
};

struct Receipt {
    std::string batch;
    std::vector<ReceiptItem> items;

    // usage: the file cannot be read. some_not_ready: it is no receipt, or it was changed.
    static Outcome<Receipt> read(const std::string& path);
};

// Compares the lines of a batch's results with its receipt.
class ResultsCheck {
public:
    explicit ResultsCheck(const Receipt& receipt);

    // Where a line is: in which file, and its number there.
    struct Place {
        std::string_view file;
        std::uint64_t number = 0;
    };
    // Empty lines are no results.
    void add(std::string_view text, const Sha256& sha256, Place place);

    // Sentences, one for each item that is missing, changed or doubled, in the receipt's order, and then one
    // for each line that belongs to none.
    std::vector<std::string> findings() const;
    std::size_t lines() const { return lines_; }

private:
    // A line that is none of the receipt's, and the item that it says it is of.
    struct Stray {
        Place place;
        std::optional<std::size_t> item;
    };
    std::optional<std::size_t> item_of(std::string_view text) const;

    const Receipt* receipt_;
    std::multimap<Sha256, std::size_t> by_hash_;
    std::unordered_map<std::string_view, std::size_t> by_name_;  // their ids and custom ids
    std::vector<std::vector<Place>> seen_;                       // of each item, unchanged
    std::vector<Stray> strays_;
    std::size_t lines_ = 0;
};

}  // namespace sheaf::cli

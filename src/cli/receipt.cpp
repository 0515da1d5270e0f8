#include "cli/receipt.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <memory>
#include <set>

#include <fmt/format.h>

#include "cli/console.h"
#include "cli/json.h"
#include "cli/result_line.h"

namespace sheaf::cli {
namespace {

constexpr std::size_t kLineKeptMax = std::size_t{64} << 20;
constexpr std::uint64_t kReceiptForm = 1;

struct Close {
    void operator()(FILE* file) const {
        if (file != stdin) std::fclose(file);
    }
};

std::unexpected<Failure> damaged(std::string_view what) {
    return give_up(ExitCode::some_not_ready, fmt::format("The receipt cannot be relied on: {}.", what));
}

std::optional<Sha256> parse_sha256(const std::optional<std::string>& hex) {
    Sha256 bytes{};
    if (!hex || hex->size() != 2 * bytes.size()) return std::nullopt;
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        const char* const digits = hex->data() + 2 * at;
        const auto [end, error] = std::from_chars(digits, digits + 2, bytes[at], 16);
        if (error != std::errc{} || end != digits + 2) return std::nullopt;
    }
    return bytes;
}

// Takes the lines of a receipt one after the other: the head, the items, the end.
class ReceiptReader {
public:
    void take(std::string_view line) {
        if (fault_) return;
        if (const auto taken = take_one(line); !taken) fault_ = taken.error();
    }
    Outcome<Receipt> finish() {
        if (fault_) return std::unexpected(*fault_);
        if (!has_head_) return damaged("it is empty");
        if (!has_end_) return damaged("its end is missing");
        if (receipt_.items.size() != total_) return damaged("it does not name as many items as it counts");
        std::set<std::string_view> ids;
        for (const ReceiptItem& item : receipt_.items) {
            if (!ids.insert(item.item).second) return damaged("it names an item twice");
        }
        return std::move(receipt_);
    }

private:
    Outcome<> take_one(std::string_view line) {
        if (has_end_) return damaged("something follows its end");
        const auto document = jsonl::Document::parse(line);
        if (!document || !document->root().is_object()) return damaged("a line of it is not a JSON object");
        const Json json = document->root();
        if (const auto end = string_member(json, "receipt_sha256")) {
            has_end_ = true;
            if (parse_sha256(end) != sum_.digest()) return damaged("it is not as it was written");
            return {};
        }
        sum_.add(line);
        sum_.add("\n");
        return std::exchange(has_head_, true) ? take_item(json) : take_head(json);
    }

    Outcome<> take_head(const Json& json) {
        if (number_member(json, "receipt") != kReceiptForm)
            return damaged("it is not a receipt, or of a form that this program does not know");
        receipt_.batch = string_member(json, "batch").value_or("");
        const auto counts = member(json, "counts");
        const auto total = counts ? number_member(*counts, "total") : std::nullopt;
        if (!total) return damaged("it has no counts");
        total_ = *total;
        return {};
    }

    Outcome<> take_item(const Json& json) {
        auto id = string_member(json, "item");
        const auto sha256 = parse_sha256(string_member(json, "sha256"));
        if (!id || !sha256) return damaged("an item of it is malformed");
        receipt_.items.push_back({std::move(*id), string_member(json, "custom_id"), *sha256});
        return {};
    }

    Receipt receipt_;
    Sha256Sum sum_;
    std::uint64_t total_ = 0;
    bool has_head_ = false;
    bool has_end_ = false;
    std::optional<Failure> fault_;
};

std::string name_of(const ReceiptItem& item) {
    if (!item.custom_id) return item.item;
    return fmt::format("{} ({})", to_printable(*item.custom_id, Lines::join), item.item);
}

std::string name_of(const ResultsCheck::Place& place) {
    return fmt::format("line {} of {}", place.number,
                       place.file == "-" ? "standard input" : to_printable(place.file, Lines::join));
}

}  // namespace

Outcome<> read_lines_of(const std::string& path, const NumberedLine& line) {
    const std::unique_ptr<FILE, Close> file(path == "-" ? stdin : std::fopen(path.c_str(), "re"));
    std::string text;
    Sha256Sum sum;
    std::uint64_t number = 0;
    bool has_begun = false;
    const auto take = [&](std::string_view bytes) {
        has_begun = true;
        sum.add(bytes);
        text += bytes.substr(0, kLineKeptMax - std::min(kLineKeptMax, text.size()));
    };
    const auto end = [&] {
        line(text, sum.digest(), ++number);
        text.clear();
        sum = Sha256Sum();
        has_begun = false;
    };
    std::array<char, std::size_t{64} << 10> buffer;
    while (file != nullptr) {
        const std::size_t count = std::fread(buffer.data(), 1, buffer.size(), file.get());
        if (count == 0) break;
        std::string_view bytes(buffer.data(), count);
        for (std::size_t at = bytes.find('\n'); at != std::string_view::npos; at = bytes.find('\n')) {
            take(bytes.substr(0, at));
            end();
            bytes.remove_prefix(at + 1);
        }
        if (!bytes.empty()) take(bytes);
    }
    if (file == nullptr || std::ferror(file.get()) != 0)
        return give_up(ExitCode::usage, fmt::format("{} cannot be read: {}.", path, std::strerror(errno)));
    if (has_begun) end();
    return {};
}

Outcome<Receipt> Receipt::read(const std::string& path) {
    ReceiptReader reader;
    const auto read =
        read_lines_of(path, [&](std::string_view text, const Sha256&, std::uint64_t) { reader.take(text); });
    if (!read) return std::unexpected(read.error());
    return reader.finish();
}

ResultsCheck::ResultsCheck(const Receipt& receipt) : receipt_(&receipt), seen_(receipt.items.size()) {
    for (std::size_t at = 0; at < receipt.items.size(); ++at) {
        const ReceiptItem& item = receipt.items[at];
        by_hash_.emplace(item.sha256, at);
        by_name_.emplace(item.item, at);
        if (item.custom_id) by_name_.emplace(*item.custom_id, at);
    }
}

void ResultsCheck::add(std::string_view text, const Sha256& sha256, Place place) {
    if (text.empty()) return;
    ++lines_;
    const auto [first, end] = by_hash_.equal_range(sha256);
    if (first == end) {
        strays_.push_back({place, item_of(text)});
        return;
    }
    // Items with the same line have one each.
    auto item = first;
    for (auto at = first; at != end; ++at) {
        if (seen_[at->second].size() < seen_[item->second].size()) item = at;
    }
    seen_[item->second].push_back(place);
}

std::optional<std::size_t> ResultsCheck::item_of(std::string_view text) const {
    const auto line = parse_result_line(text);
    if (!line) return std::nullopt;
    for (const std::string* const name : {&line->item, &line->custom_id}) {
        const auto found = by_name_.find(*name);
        if (!name->empty() && found != by_name_.end()) return found->second;
    }
    return std::nullopt;
}

std::vector<std::string> ResultsCheck::findings() const {
    std::map<std::size_t, const Stray*> changed;
    for (const Stray& stray : strays_) {
        if (stray.item && seen_[*stray.item].empty()) changed.emplace(*stray.item, &stray);
    }
    std::vector<std::string> findings;
    for (std::size_t at = 0; at < seen_.size(); ++at) {
        const std::string name = name_of(receipt_->items[at]);
        const auto other = changed.find(at);
        if (other != changed.end())
            findings.push_back(fmt::format("changed: {}, {}", name, name_of(other->second->place)));
        else if (seen_[at].empty())
            findings.push_back(fmt::format("missing: {}", name));
        for (std::size_t copy = 1; copy < seen_[at].size(); ++copy)
            findings.push_back(fmt::format("doubled: {}, {}", name, name_of(seen_[at][copy])));
    }
    for (const Stray& stray : strays_) {
        const auto found = stray.item ? changed.find(*stray.item) : changed.end();
        if (found == changed.end() || found->second != &stray)
            findings.push_back(fmt::format("foreign: {}", name_of(stray.place)));
    }
    return findings;
}

}  // namespace sheaf::cli

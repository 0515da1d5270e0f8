#include "jsonl/document.h"

#include <algorithm>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "jsonl/fault.h"

namespace sheaf::jsonl {
namespace {

namespace dom = simdjson::dom;

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

std::unexpected<Error> refuse_byte_order_mark() {
    return fail(ErrorCode::invalid,
                "The JSON document starts with a byte order mark, which JSON does not allow.");
}

// Below this many members, comparing each with each is quicker than sorting.
constexpr std::size_t kFewMembers = 12;

// A key may hold anything; in a message it is shown short and printable.
std::string shown(std::string_view key) {
    constexpr std::size_t kShown = 64;
    std::string text;
    for (const char c : key.substr(0, kShown)) text.push_back(static_cast<unsigned char>(c) < 0x20 ? '?' : c);
    if (key.size() > kShown) text += "...";
    return text;
}

std::optional<std::string_view> find_repeated(std::vector<std::string_view>& keys) {
    if (keys.size() <= kFewMembers) {
        for (std::size_t i = 1; i < keys.size(); ++i) {
            for (std::size_t j = 0; j < i; ++j) {
                if (keys[i] == keys[j]) return keys[i];
            }
        }
        return std::nullopt;
    }
    std::ranges::sort(keys);
    const auto found = std::ranges::adjacent_find(keys);
    if (found == keys.end()) return std::nullopt;
    return *found;
}

// What simdjson leaves unchecked. The path is built from the inside out, so that good documents pay for none.
struct Objection {
    bool too_deep = false;
    std::string key;                // stands twice in its object
    std::vector<std::string> path;  // innermost first; an index as "[3]"
};

bool is_container(const dom::element& element) {
    return element.is_object() || element.is_array();
}

// `depth` is that of `element`, a container. Recursion is bounded by `depth_max`.
std::optional<Objection> find_objection(const dom::element& element, std::size_t depth,
                                        std::size_t depth_max) {
    // simdjson does not count an empty container.
    if (depth > depth_max) return Objection{.too_deep = true};
    if (element.is_array()) {
        std::size_t index = 0;
        for (const dom::element child : dom::array(element)) {
            if (is_container(child)) {
                if (auto found = find_objection(child, depth + 1, depth_max)) {
                    found->path.push_back(fmt::format("[{}]", index));
                    return found;
                }
            }
            ++index;
        }
        return std::nullopt;
    }
    const dom::object object(element);
    std::vector<std::string_view> keys;
    keys.reserve(object.size());
    for (const auto& [key, child] : object) {
        keys.push_back(key);
        if (!is_container(child)) continue;
        if (auto found = find_objection(child, depth + 1, depth_max)) {
            found->path.push_back(shown(key));
            return found;
        }
    }
    if (const auto key = find_repeated(keys)) return Objection{.key = shown(*key), .path = {shown(*key)}};
    return std::nullopt;
}

std::string to_path(const Objection& objection) {
    std::string path;
    for (auto part = objection.path.rbegin(); part != objection.path.rend(); ++part) {
        if (part->starts_with('[') || path.empty())
            path += *part;
        else
            path += "." + *part;
    }
    return path;
}

Error describe(std::string_view json, simdjson::error_code code, const ParseLimits& limits) {
    if (code == simdjson::MEMALLOC) throw std::bad_alloc();  // no fault of the document
    if (code == simdjson::CAPACITY) {
        return {ErrorCode::too_large, "The JSON document is too large to be parsed.", {}};
    }
    if (code == simdjson::DEPTH_ERROR) {
        return {ErrorCode::invalid,
                fmt::format("The JSON document is nested more than {} deep.", limits.depth_max),
                {}};
    }
    if (const auto fault = find_fault(json, limits.depth_max)) {
        return {
            ErrorCode::invalid,
            fmt::format("This is not valid JSON: {} ({}).", fault->what, describe_place(json, fault->offset)),
            {}};
    }
    if (code == simdjson::NUMBER_ERROR) {
        return {ErrorCode::invalid, "A number in the JSON document is out of range.", {}};
    }
    return {ErrorCode::invalid, fmt::format("This is not valid JSON: {}", simdjson::error_message(code)), {}};
}

// Memory for a document of 4 KiB is 50 KiB.
constexpr std::size_t kSmallCapacity = 4096;
constexpr std::size_t kKeptCapacity = 64 * 1024;
thread_local std::unique_ptr<dom::parser> kept_parser;

}  // namespace

void Document::Recycle::operator()(dom::parser* parser) const {
    std::unique_ptr<dom::parser> used(parser);
    if (!kept_parser && used->capacity() <= kKeptCapacity) kept_parser = std::move(used);
}

Result<Document> Document::parse(std::string_view json, ParseLimits limits) {
    if (json.starts_with(kByteOrderMark)) return refuse_byte_order_mark();
    Document document;
    document.parser_.reset(kept_parser ? kept_parser.release() : new dom::parser());
    // One more, since simdjson refuses the depth that equals its limit.
    const std::size_t depth = limits.depth_max + 1;
    if (document.parser_->capacity() < json.size() || document.parser_->max_depth() != depth) {
        if (const auto code = document.parser_->allocate(std::max(json.size(), kSmallCapacity), depth))
            return std::unexpected(describe(json, code, limits));
    }
    if (const auto code = document.parser_->parse(json.data(), json.size()).get(document.root_)) {
        return std::unexpected(describe(json, code, limits));
    }
    if (!is_container(document.root_)) return document;
    if (const auto objection = find_objection(document.root_, 1, limits.depth_max)) {
        if (objection->too_deep) return std::unexpected(describe(json, simdjson::DEPTH_ERROR, limits));
        return fail(ErrorCode::invalid,
                    fmt::format("The member \"{}\" stands twice in one object.", objection->key),
                    to_path(*objection));
    }
    return document;
}

Result<> SyntaxChecker::check(std::string_view json, std::size_t readable_behind) {
    if (json.starts_with(kByteOrderMark)) return refuse_byte_order_mark();
    const bool must_copy = readable_behind < simdjson::SIMDJSON_PADDING;
    const auto code = parser_->parse(json.data(), json.size(), must_copy).error();
    if (code == simdjson::SUCCESS) return {};
    const ParseLimits limits{.depth_max = parser_->max_depth()};
    if (code == simdjson::NUMBER_ERROR && !find_fault(json, limits.depth_max)) return {};
    return std::unexpected(describe(json, code, limits));
}

std::string join_path(std::string_view parent, std::string_view member) {
    if (parent.empty()) return std::string(member);
    return fmt::format("{}.{}", parent, member);
}

std::string join_path(std::string_view parent, std::size_t index) {
    return fmt::format("{}[{}]", parent, index);
}

}  // namespace sheaf::jsonl

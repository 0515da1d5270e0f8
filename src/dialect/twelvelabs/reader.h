#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <simdjson.h>

#include "dialect/twelvelabs/errors.h"

namespace sheaf::dialect::twelvelabs {

namespace dom = simdjson::dom;

// Collects what is wrong with a request and keeps the first of it, so that checks can be written one below
// the other.
class Findings {
public:
    void add(Problem problem) {
        if (!first_) first_ = std::move(problem);
    }
    // `what` completes the sentence that begins with the path: "must be a string".
    void invalid(std::string path, std::string_view what);
    void missing(std::string path);
    void unknown(std::string path);
    // The schema uses a keyword that is not supported where it stands.
    void unsupported(std::string path, std::string_view what);
    bool any() const { return first_.has_value(); }
    const std::optional<Problem>& first() const { return first_; }
    // The first problem as the error of a Checked value. Only when there is any.
    std::unexpected<Problem> refusal() const { return std::unexpected(*first_); }

private:
    std::optional<Problem> first_;
};

enum class Need : std::uint8_t { optional, required };

// Reads the members of one JSON object. A null is an absent member. What does not fit is noted in the
// findings with its JSON path and read as absent; finish() notes the first member that nobody asked for.
class ObjectReader {
public:
    ObjectReader(dom::element value, std::string path, Findings& findings);

    std::optional<dom::element> find(std::string_view name, Need need = Need::optional);
    std::optional<std::string> text(std::string_view name, Need need = Need::optional);
    std::optional<double> number(std::string_view name, Need need = Need::optional);
    // Also 4096.0: some clients send all numbers as floats.
    std::optional<std::int64_t> integer(std::string_view name, Need need = Need::optional);
    std::optional<bool> flag(std::string_view name, Need need = Need::optional);
    std::optional<dom::array> array(std::string_view name, Need need = Need::optional);
    std::optional<dom::object> object(std::string_view name, Need need = Need::optional);
    void finish();

    std::string path_of(std::string_view name) const;
    const std::string& path() const { return path_; }
    Findings& findings() { return *findings_; }

private:
    std::optional<dom::object> object_;
    std::string path_;
    Findings* findings_;
    std::vector<std::string_view> asked_;
};

// The value as an integer, also when it is written 4096.0.
std::optional<std::int64_t> to_integer(dom::element value);

// Whether one of `range`, or what `projection` makes of it, is `value`.
template <class Range, class Value, class Projection = std::identity>
bool has(const Range& range, const Value& value, Projection projection = {}) {
    return std::ranges::find(range, value, projection) != std::ranges::end(range);
}

// Whether `text` is 1 to `length_max` characters of [A-Za-z0-9_-].
bool is_plain_name(std::string_view text, std::size_t length_max = 64);

}  // namespace sheaf::dialect::twelvelabs

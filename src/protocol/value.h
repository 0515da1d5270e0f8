#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <simdjson.h>

#include "base/result.h"

namespace sheaf::protocol {

namespace dom = simdjson::dom;

// How a protocol writes the place of a value in a request.
enum class PathStyle : std::uint8_t {
    dotted,     // messages.0.content.1.source
    bracketed,  // messages[0].content[1].source
};

// A JSON value and its place, for reading it and for saying what is wrong with it. The place is a chain of
// the values around it, so it costs nothing until it is told; a value must not outlive the one it was made
// from.
class Value {
public:
    Value(dom::element json, PathStyle style) : json_(json), style_(style) {}

    // What stands in this value under `name`, or as number `index`.
    Value member(std::string_view name, dom::element json) const { return {this, name, 0, json}; }
    Value element(std::size_t index, dom::element json) const { return {this, {}, index, json}; }
    // The member `name`; nullopt when it is absent or null, or this is no object.
    std::optional<Value> find(std::string_view name) const;

    dom::element json() const { return json_; }
    std::string path() const;
    // ErrorCode::invalid with this value's path.
    std::unexpected<Error> refuse(std::string message) const;

private:
    Value(const Value* parent, std::string_view name, std::size_t index, dom::element json)
        : json_(json), parent_(parent), name_(name), index_(index), style_(parent->style_) {}

    dom::element json_;
    const Value* parent_ = nullptr;
    std::string_view name_;  // of a member; a null view for an element
    std::size_t index_ = 0;
    PathStyle style_;
};

// invalid: "The model server speaks another protocol, which has no `what`."
std::unexpected<Error> untranslatable(const Value& value, std::string_view what);

// Each is invalid, with the value's path, when the value is of another type or beyond the target's range.
Result<std::string_view> as_text(const Value& value);
// The text of the member `name`, which must be there.
Result<std::string_view> required_text(const Value& object, std::string_view name);
Result<bool> as_flag(const Value& value);
// Also 4096.0: some clients send all numbers as floats.
Result<std::uint64_t> as_count(const Value& value);
Result<> read_text(const Value& value, std::string& target);
Result<> read_flag(const Value& value, std::optional<bool>& target);
Result<> read_count(const Value& value, std::optional<std::uint64_t>& target);
// A number as JSON text.
Result<> read_number(const Value& value, std::optional<std::string>& target);
// An object as JSON text.
Result<> read_schema(const Value& value, std::string& target);

// How one member of an object is read into `Target`.
template <class Target>
struct Member {
    std::string_view name;
    Result<> (*read)(const Value& value, Target& target);
};
// A member that asks nothing.
template <class Target>
Result<> ignore(const Value& /*value*/, Target& /*target*/) {
    return {};
}

Result<> expect_object(const Value& value);
Result<> expect_array(const Value& value);

// Reads an object by a table of its members. A null is an absent member; what the table does not name goes to
// `unknown`.
template <class Target, class Unknown>
Result<> read_object(const Value& object, Target& target, std::span<const Member<Target>> members,
                     const Unknown& unknown) {
    if (auto fits = expect_object(object); !fits) return fits;
    for (const auto& [name, json] : dom::object(object.json())) {
        if (json.is_null()) continue;
        const Value value = object.member(name, json);
        const Member<Target>* known = nullptr;
        for (const auto& member : members)
            if (member.name == name) known = &member;
        auto read = known != nullptr ? known->read(value, target) : unknown(value);
        if (!read) return read;
    }
    return {};
}

// Calls `element` with each element of an array, until one fails.
template <class Element>
Result<> for_each_value(const Value& array, const Element& element) {
    if (auto fits = expect_array(array); !fits) return fits;
    std::size_t index = 0;
    for (const dom::element json : dom::array(array.json())) {
        if (auto done = element(array.element(index++, json)); !done) return done;
    }
    return {};
}

}  // namespace sheaf::protocol

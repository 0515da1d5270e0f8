#pragma once

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "base/result.h"
#include "jsonl/document.h"

namespace sheaf::protocol {

// What stands at the JSON pointer `name` in `json`, as JSON text; "absent" when nothing does.
inline std::string member_of(std::string_view json, std::string_view name) {
    const auto document = jsonl::Document::parse(json);
    if (!document) return "no JSON";
    simdjson::dom::element value;
    if (document->root().at_pointer(name).get(value) != simdjson::SUCCESS) return "absent";
    return simdjson::minify(value);
}

// The error of a result that must have failed.
template <class Value>
Error error_of(const Result<Value>& result) {
    EXPECT_FALSE(result);
    return result ? Error{} : result.error();
}

}  // namespace sheaf::protocol

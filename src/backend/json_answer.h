#pragma once

#include <string>
#include <string_view>

#include <boost/json/value.hpp>

#include "base/result.h"

namespace sheaf::backend {

// A client's JSON Schema, made ready to ask a model by and to check its answer with.
//
// The subset is that of docs/api/twelvelabs.md, "Schemas": type, properties, required, items, minItems, enum,
// const, anyOf, $ref, bounds, pattern, format, and the type `timestamp`. Other keywords are passed on and not
// checked. Properties named start_time and end_time take times in any form and become what their type says.
//
// Not valijson: it leaves `format` unchecked, matches patterns with an engine that can be made to run for
// ever, and would still need the same walk to convert times and put members in order.
class JsonAnswer {
public:
    // invalid: not a JSON document, or a pattern that cannot be checked.
    static Result<JsonAnswer> make(std::string_view client_schema);

    // Plain JSON Schema: timestamps as numbers or strings of a pattern, objects closed, members in result
    // order.
    const boost::json::value& schema_for_model() const { return for_model_; }
    // Whether every property of every object is required, which strict modes ask for.
    bool is_strict() const { return strict_; }

    // The document in `text`, which may stand in a Markdown fence: checked, times converted, members in
    // order, undeclared members dropped. invalid: what is wrong and where, in words a model can act on.
    Result<std::string> settle(std::string_view text) const;

private:
    boost::json::value schema_;
    boost::json::value for_model_;
    bool strict_ = true;
};

// The document itself, when a model wrapped it into ```json … ``` or blanks.
std::string_view without_fence(std::string_view text);

}  // namespace sheaf::backend

#pragma once

#include <string>

#include "dialect/twelvelabs/reader.h"

namespace sheaf::dialect::twelvelabs {

// Checks that `schema` keeps to the part of JSON Schema that results can be made in: the types, with the
// keywords each allows; `anyOf`; `$ref` into the document's own `$defs`; annotations; and the type
// `timestamp`, where it may stand. A keyword beyond that is 422, a wrong value 400. Nesting is bounded by the
// parser.
void check_schema(dom::element schema, const std::string& path, Findings& findings);

}  // namespace sheaf::dialect::twelvelabs

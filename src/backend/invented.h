#pragma once

#include <boost/json/value.hpp>

#include "backend/segments.h"
#include "core/inference.h"

namespace sheaf::backend {

// Answers without a model, for developing clients: right in form, empty in content, the same every time.

// The plainest document that follows `schema`: "", 0, false, the first of an enum, arrays as short as
// allowed. A pattern is met when one of a few usual texts meets it.
boost::json::value invented_document(const boost::json::value& schema);

// One segment a definition over all it may speak of (one a range, if it has ranges), as a model would answer.
boost::json::value invented_segments(const core::SegmentsOutput& output, Bounds bounds);

}  // namespace sheaf::backend

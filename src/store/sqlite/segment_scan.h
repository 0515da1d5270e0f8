#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "store/sqlite/segments.h"

namespace sheaf::store {

// A record as it lies in a segment file, without what the index says of it.
struct FoundRecord {
    RecordName name;
    Place place;
    // Read when it is asked for: what stands beside bodies and lines is small, they need not be.
    std::function<Result<std::string>()> read;
};

// Visits each whole record of a segment file in order, passing over what was erased or is damaged: nothing
// within a request or a line is taken for a record, for JSON has no bytes of zero. An error of `visit` ends
// it.
Result<> scan_segment(const std::filesystem::path& path, std::int64_t number,
                      const std::function<Result<>(const FoundRecord&)>& visit);

}  // namespace sheaf::store

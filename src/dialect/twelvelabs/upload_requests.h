#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dialect/twelvelabs/reader.h"
#include "service/assets.h"

namespace sheaf::dialect::twelvelabs {

inline constexpr std::uint32_t kUrlsMax = 50;  // of one call

struct UrlRange {
    std::uint32_t start = 1;
    std::uint32_t count = 1;
};

service::UploadRequest read_upload_request(dom::element body, const service::Limits& limits,
                                           Findings& findings);
UrlRange read_url_range(dom::element body, Findings& findings);
std::vector<store::ReportedChunk> read_report(dom::element body, Findings& findings);

}  // namespace sheaf::dialect::twelvelabs

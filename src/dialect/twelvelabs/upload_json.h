#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "dialect/twelvelabs/pagination.h"
#include "service/assets.h"

namespace sheaf::dialect::twelvelabs {

// A presigned chunk as clients see it.
struct ChunkUrl {
    std::uint32_t index = 0;
    std::string url;
    Timestamp expires_at;
};

std::string render_upload_opened(const core::Upload& upload, const std::vector<ChunkUrl>& urls);
std::string render_urls(const core::Upload& upload, const std::vector<ChunkUrl>& urls, Timestamp now);
std::string render_report(const store::ChunkReport& report, std::string_view asset_url);
std::string render_upload_list(const store::Page<core::Upload>& page, const PageRequest& asked);
// Lists every chunk of the page, also those that are still to come: clients count them.
std::string render_upload_status(const core::Upload& upload, const std::vector<core::UploadChunk>& chunks,
                                 const PageRequest& asked);

}  // namespace sheaf::dialect::twelvelabs

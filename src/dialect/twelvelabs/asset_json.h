#pragma once

#include <string>
#include <string_view>

#include "dialect/twelvelabs/pagination.h"
#include "service/assets.h"

namespace sheaf::dialect::twelvelabs {

// The asset object, as the call that made it answers.
std::string render_asset(const core::Asset& asset);
// With size, duration, technical_metadata and error, as far as they are known.
std::string render_asset_detail(const core::Asset& asset);
std::string render_asset_list(const store::Page<core::Asset>& page, const PageRequest& asked);

// video, audio, image or document; nullopt: not such a word. Documents are a kind we have none of.
std::optional<core::MediaType> parse_asset_type(std::string_view word);

}  // namespace sheaf::dialect::twelvelabs

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/inference.h"
#include "dialect/twelvelabs/reader.h"

// Prompts, and where media come from.
namespace sheaf::dialect::twelvelabs {

inline constexpr std::size_t kImagesMax = 4;  // of one prompt or definition

// {"input_text", "media_sources"?}. Every <@name> in the text must be the name of a source.
core::Prompt read_prompt(dom::element value, const std::string& path, std::uint64_t base64_bytes_max,
                         Findings& findings);

// The member `media_sources` of `owner`, checked against the placeholders in `text`, which stands at
// `text_path`.
std::vector<core::NamedImage> read_images(ObjectReader& owner, std::string_view text,
                                          const std::string& text_path, std::uint64_t base64_bytes_max);

// {"type": "url" | "asset_id" | "base64_string", …}, of a task or a direct call.
core::MediaSource read_video(dom::element value, const std::string& path, std::uint64_t base64_bytes_max,
                             Findings& findings);

// Base64 with padding, not empty, standard alphabet; its length is checked against the limit, too.
void check_base64(std::string_view text, const std::string& path, std::uint64_t bytes_max,
                  Findings& findings);
// http or https, with a host; no control characters or blanks.
bool is_web_url(std::string_view text);

// The names in <@name> placeholders, in order, repeats kept.
std::vector<std::string_view> find_placeholders(std::string_view text);

}  // namespace sheaf::dialect::twelvelabs

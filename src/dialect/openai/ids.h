#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/id.h"

// Ids as clients of this dialect see them. Each holds one of ours and 32 bits of a checksum, so that it is as
// long as the vendor's and nothing but a whole id of its kind is taken for one.
namespace sheaf::dialect::openai {

std::string render_id(const BatchId& id);       // batch_ and 32 hex digits
std::string render_id(const FileId& id);        // file- and 22 base62 digits
std::string render_id(const FileUploadId& id);  // upload_ and 32 hex digits
std::string render_id(const FilePartId& id);    // part_ and 32 hex digits

std::string render_line_id(const ItemId& id);     // batch_req_ and 32 hex digits
std::string render_request_id(const ItemId& id);  // 32 hex digits: of the call that answered the item

// Nullopt for everything that render_id did not write. openai.h has that of batches.
std::optional<FileId> parse_file(std::string_view text);
std::optional<FileUploadId> parse_upload(std::string_view text);
std::optional<FilePartId> parse_part(std::string_view text);

}  // namespace sheaf::dialect::openai

#pragma once

#include <string>
#include <string_view>

#include "core/file.h"
#include "jsonl/writer.h"

namespace sheaf::dialect::openai {

// The file object. A file is processed as soon as it is there.
void write_file(jsonl::Writer& json, const core::File& file);
std::string render_file(const core::File& file);
std::string render_deletion(const FileId& id);

// What a Content-Disposition header says of a download: to be saved, under this name. A name that is not
// plain ASCII is given twice (RFC 6266), and nothing in it ends the header.
std::string render_attachment(std::string_view filename);

}  // namespace sheaf::dialect::openai

#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "async/task.h"
#include "dialect/multipart_form.h"
#include "dialect/openai/errors.h"
#include "http/message.h"
#include "service/files.h"

namespace sheaf::dialect::openai {

// A form with a file in it, read as it comes: the file goes to disk before the fields beside it are known,
// which stand in any order. Dropped, it leaves nothing.
class FileForm {
public:
    // Where the file's bytes go; asked when its part begins.
    using NewBytes = std::function<async::Task<Checked<service::FileBytes>>()>;
    // `file_part` is the name of the file's part, `bytes_max` what it may weigh.
    FileForm(std::string_view file_part, std::uint64_t bytes_max, NewBytes new_bytes)
        : file_part_(file_part), bytes_max_(bytes_max), new_bytes_(std::move(new_bytes)) {}

    // All of the form. A missing file is refused; fields are the caller's to check.
    async::Task<Checked<>> read(http::Request& request);

    service::FileBytes take_bytes() { return std::move(*bytes_); }
    const std::string& filename() const { return filename_; }
    std::optional<std::string_view> field(std::string_view name) const;

private:
    async::Task<Checked<>> take(FormParser& parser);
    async::Task<Checked<>> begin_part(FormPart part);
    async::Task<Checked<>> add_data(std::string_view data);

    std::string file_part_;
    std::uint64_t bytes_max_;
    NewBytes new_bytes_;
    std::optional<service::FileBytes> bytes_;
    std::string filename_;
    std::map<std::string, std::string, std::less<>> fields_;
    std::string* current_ = nullptr;  // what the part's bytes are added to; null: to the file
};

// Reads what is left of a body that might have had `bytes_max` bytes and throws it away, within bounds:
// clients that write all of it before they read an answer would not come to read it.
async::Task<void> drop_body(http::Request& request, std::uint64_t bytes_max);

// The fields expires_after[anchor] and expires_after[seconds], or the two as JSON in one field. Nullopt:
// none.
Checked<std::optional<std::chrono::seconds>> read_expires_after(const FileForm& form);

}  // namespace sheaf::dialect::openai

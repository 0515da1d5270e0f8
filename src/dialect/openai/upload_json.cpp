#include "dialect/openai/upload_json.h"

#include <algorithm>

#include <fmt/format.h>

#include "dialect/openai/file_json.h"
#include "dialect/openai/ids.h"
#include "dialect/openai/paging.h"
#include "dialect/openai/purposes.h"

namespace sheaf::dialect::openai {
namespace {

constexpr std::size_t kNameBytesMax = 1024;

std::string_view to_word(core::FileUploadState state) {
    switch (state) {
        case core::FileUploadState::pending:
            return "pending";
        case core::FileUploadState::completed:
            return "completed";
        case core::FileUploadState::canceled:
            return "cancelled";
        case core::FileUploadState::expired:
            return "expired";
    }
    return {};
}

// A string that becomes part of the file.
Checked<std::string> read_name(const Fields& fields, std::string_view name) {
    const auto text = fields.text(name);
    if (!text) return std::unexpected(text.error());
    if (text->size() <= kNameBytesMax) return std::string(*text);
    return refuse(
        fmt::format("Invalid value for '{}': it must be at most {} bytes long.", name, kNameBytesMax),
        fields.path_of(name), code::kInvalidValue);
}

Checked<std::string> read_filename(const Fields& fields) {
    auto filename = read_name(fields, "filename");
    if (!filename) return filename;
    filename->erase(0, filename->find_last_of("/\\") + 1);
    if (!filename->empty()) return filename;
    return refuse("Invalid value for 'filename': it must not be empty.", "filename", code::kInvalidValue);
}

char to_lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace

Checked<service::FileUploadRequest> read_upload_request(const Fields& fields, const AccountId& account,
                                                        std::chrono::seconds batch_file_time) {
    const auto bytes = fields.count("bytes");
    if (!bytes) return std::unexpected(bytes.error());
    auto filename = read_filename(fields);
    if (!filename) return std::unexpected(filename.error());
    auto mime_type = read_name(fields, "mime_type");
    if (!mime_type) return std::unexpected(mime_type.error());
    const auto purpose = fields.text("purpose");
    if (!purpose) return std::unexpected(purpose.error());
    if (const auto checked = check_purpose(*purpose); !checked) return std::unexpected(checked.error());
    const auto asked = read_expires_after(fields, "expires_after");
    if (!asked) return std::unexpected(asked.error());
    return service::FileUploadRequest{{account, std::string(*purpose), std::move(*filename),
                                       lifetime_of(*purpose, *asked, batch_file_time)},
                                      std::move(*mime_type),
                                      *bytes};
}

Checked<CompletionRequest> read_completion_request(const Fields& fields) {
    CompletionRequest request;
    const auto list = fields.find("part_ids");
    if (!list) return refuse_missing("part_ids");
    simdjson::dom::array ids;
    if (list->get(ids) != simdjson::SUCCESS) return refuse_type("part_ids", "an array");
    for (const simdjson::dom::element element : ids) {
        std::string_view text;
        if (element.get(text) != simdjson::SUCCESS)
            return refuse_type(fmt::format("part_ids[{}]", request.part_ids.size()), "a string");
        const auto id = parse_part(text);
        if (!id) {
            return refuse(fmt::format("The upload has no part '{}'.", text.substr(0, 128)), "part_ids",
                          code::kInvalidValue);
        }
        request.part_ids.push_back(*id);
    }
    if (fields.find("md5")) {
        const auto md5 = fields.text("md5");
        if (!md5) return std::unexpected(md5.error());
        request.md5_hex.emplace(*md5);
        std::ranges::transform(*request.md5_hex, request.md5_hex->begin(), to_lower);
    }
    return request;
}

std::string render_upload(const core::FileUpload& upload, const core::File* file) {
    jsonl::Writer json;
    json.open_object().member("id", render_id(upload.id)).member("object", "upload");
    json.member("bytes", upload.bytes).member("created_at", unix_seconds(upload.created_at));
    json.member("expires_at", unix_seconds(upload.expires_at)).member("filename", upload.filename);
    json.member("purpose", upload.purpose).member("status", to_word(upload.state));
    json.key("file");
    if (file != nullptr)
        write_file(json, *file);
    else
        json.null();
    json.close_object();
    return json.take();
}

std::string render_part(const core::FilePart& part, const FileUploadId& upload) {
    jsonl::Writer json;
    json.open_object().member("id", render_id(part.id)).member("object", "upload.part");
    json.member("created_at", unix_seconds(part.created_at)).member("upload_id", render_id(upload));
    json.close_object();
    return json.take();
}

}  // namespace sheaf::dialect::openai

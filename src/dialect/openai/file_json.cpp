#include "dialect/openai/file_json.h"

#include <algorithm>

#include "dialect/openai/ids.h"
#include "dialect/openai/paging.h"
#include "http/message.h"

namespace sheaf::dialect::openai {
namespace {

bool is_plain(char c) {
    return c >= ' ' && c <= '~' && c != '"' && c != '\\';
}

}  // namespace

void write_file(jsonl::Writer& json, const core::File& file) {
    json.open_object().member("id", render_id(file.id)).member("object", "file").member("bytes", file.bytes);
    json.member("created_at", unix_seconds(file.created_at));
    if (file.expires_at)
        json.member("expires_at", unix_seconds(*file.expires_at));
    else
        json.member_null("expires_at");
    json.member("filename", file.filename).member("purpose", file.purpose);
    json.member("status", "processed").member_null("status_details").close_object();
}

std::string render_file(const core::File& file) {
    jsonl::Writer json;
    write_file(json, file);
    return json.take();
}

std::string render_deletion(const FileId& id) {
    jsonl::Writer json;
    json.open_object().member("id", render_id(id)).member("object", "file").member("deleted", true);
    json.close_object();
    return json.take();
}

std::string render_attachment(std::string_view filename) {
    std::string plain(filename);
    std::ranges::replace_if(plain, [](char c) { return !is_plain(c); }, '_');
    std::string header = "attachment; filename=\"" + plain + "\"";
    if (plain != filename) header += "; filename*=UTF-8''" + http::percent_encode(filename);
    return header;
}

}  // namespace sheaf::dialect::openai

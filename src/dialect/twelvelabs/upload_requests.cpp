#include "dialect/twelvelabs/upload_requests.h"

#include <limits>

#include <fmt/format.h>

#include "dialect/twelvelabs/user_metadata.h"
#include "jsonl/document.h"

namespace sheaf::dialect::twelvelabs {
namespace {

constexpr std::size_t kFilenameBytesMax = 1024;

std::optional<std::uint32_t> read_count(ObjectReader& reader, std::string_view name, std::int64_t most) {
    const auto number = reader.integer(name, Need::required);
    if (!number) return std::nullopt;
    if (*number >= 1 && *number <= most) return static_cast<std::uint32_t>(*number);
    reader.findings().invalid(reader.path_of(name), fmt::format("must be between 1 and {}", most));
    return std::nullopt;
}

void read_size(ObjectReader& reader, const service::Limits& limits, service::UploadRequest& request) {
    const auto size = reader.integer("total_size", Need::required);
    if (!size) return;
    Findings& findings = reader.findings();
    if (*size < 1) {
        findings.invalid("total_size", "must be at least 1");
        return;
    }
    request.total_bytes = static_cast<std::uint64_t>(*size);
    const bool is_image = request.type == core::MediaType::image;
    const std::uint64_t most = is_image ? limits.image_bytes_max : limits.multipart_media_bytes_max;
    if (request.total_bytes <= most) return;
    findings.add({400, std::string(code::kVideoFilesizeTooLarge),
                  fmt::format("total_size must be at most {} for this type.", most), "total_size"});
}

}  // namespace

service::UploadRequest read_upload_request(dom::element body, const service::Limits& limits,
                                           Findings& findings) {
    ObjectReader reader(body, "", findings);
    service::UploadRequest request;
    request.asset.filename = reader.text("filename", Need::required).value_or("");
    if (request.asset.filename.empty()) findings.invalid("filename", "must not be empty");
    if (request.asset.filename.size() > kFilenameBytesMax) {
        findings.invalid("filename", fmt::format("must be at most {} bytes long", kFilenameBytesMax));
    }
    if (const auto word = reader.text("type", Need::required)) {
        if (*word == "video")
            request.type = core::MediaType::video;
        else if (*word == "audio")
            request.type = core::MediaType::audio;
        else if (*word == "image")
            request.type = core::MediaType::image;
        else
            findings.invalid("type", "must be \"video\", \"audio\" or \"image\"");
    }
    read_size(reader, limits, request);
    request.asset.wants_hls = reader.flag("enable_hls").value_or(false);
    request.asset.wants_thumbnail = reader.flag("enable_thumbnail").value_or(false);
    if (const auto metadata = reader.find("user_metadata")) {
        request.asset.user_metadata = read_user_metadata(*metadata, "user_metadata", findings);
    }
    reader.finish();
    return request;
}

UrlRange read_url_range(dom::element body, Findings& findings) {
    ObjectReader reader(body, "", findings);
    UrlRange range;
    range.start = read_count(reader, "start", std::numeric_limits<std::int32_t>::max()).value_or(1);
    range.count = read_count(reader, "count", kUrlsMax).value_or(1);
    reader.finish();
    return range;
}

std::vector<store::ReportedChunk> read_report(dom::element body, Findings& findings) {
    ObjectReader reader(body, "", findings);
    std::vector<store::ReportedChunk> reported;
    if (const auto chunks = reader.array("completed_chunks", Need::required)) {
        if (chunks->size() == 0) findings.invalid("completed_chunks", "must have at least one element");
        for (const dom::element value : *chunks) {
            ObjectReader chunk(value, jsonl::join_path("completed_chunks", reported.size()), findings);
            store::ReportedChunk one;
            one.index =
                read_count(chunk, "chunk_index", std::numeric_limits<std::int32_t>::max()).value_or(0);
            one.bytes = static_cast<std::uint64_t>(
                std::max<std::int64_t>(0, chunk.integer("chunk_size", Need::required).value_or(0)));
            one.etag = chunk.text("proof", Need::required).value_or("");
            // Some clients leave the quotes of the ETag on.
            if (one.etag.size() >= 2 && one.etag.starts_with('"') && one.etag.ends_with('"')) {
                one.etag = one.etag.substr(1, one.etag.size() - 2);
            }
            const auto type = chunk.text("proof_type", Need::required);
            if (type && *type != "etag") findings.invalid(chunk.path_of("proof_type"), "must be \"etag\"");
            chunk.finish();
            if (findings.any()) break;
            reported.push_back(std::move(one));
        }
    }
    reader.finish();
    return reported;
}

}  // namespace sheaf::dialect::twelvelabs

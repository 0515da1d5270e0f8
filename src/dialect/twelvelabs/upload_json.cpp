#include "dialect/twelvelabs/upload_json.h"

#include <algorithm>

#include "dialect/twelvelabs/words.h"
#include "jsonl/writer.h"

namespace sheaf::dialect::twelvelabs {
namespace {

using jsonl::Writer;

void write_urls(Writer& json, const std::vector<ChunkUrl>& urls) {
    json.key("upload_urls").open_array();
    for (const ChunkUrl& chunk : urls) {
        json.open_object().member("chunk_index", chunk.index).member("url", chunk.url);
        json.member("expires_at", to_rfc3339(chunk.expires_at)).close_object();
    }
    json.close_array();
}

// A chunk counts once it was reported, not when its bytes have come.
void write_chunk(Writer& json, std::uint32_t index, const core::UploadChunk* chunk) {
    const bool reported = chunk != nullptr && chunk->reported;
    json.open_object().member("index", index).member("status", reported ? "completed" : "pending");
    if (chunk != nullptr) {
        json.member("uploaded_at", to_rfc3339(chunk->uploaded_at))
            .member("updated_at", to_rfc3339(chunk->uploaded_at));
    }
    json.close_object();
}

}  // namespace

std::string render_upload_opened(const core::Upload& upload, const std::vector<ChunkUrl>& urls) {
    Writer json;
    json.open_object().member("upload_id", to_string(upload.id)).member("asset_id", to_string(upload.asset));
    write_urls(json, urls);
    json.key("upload_headers")
        .open_object()
        .member("Content-Type", "application/octet-stream")
        .close_object();
    json.member("chunk_size", upload.chunk_bytes).member("total_chunks", upload.chunk_count());
    json.member("expires_at", to_rfc3339(upload.expires_at)).close_object();
    return json.take();
}

std::string render_urls(const core::Upload& upload, const std::vector<ChunkUrl>& urls, Timestamp now) {
    Writer json;
    json.open_object().member("upload_id", to_string(upload.id)).member("start_index", urls.front().index);
    json.member("count", urls.size());
    write_urls(json, urls);
    json.member("generated_at", to_rfc3339(now)).member("expires_at", to_rfc3339(urls.front().expires_at));
    json.close_object();
    return json.take();
}

std::string render_report(const store::ChunkReport& report, std::string_view asset_url) {
    Writer json;
    json.open_object().member("asset_id", to_string(report.upload.asset));
    json.member("processed_chunks", report.processed).member("duplicate_chunks", report.duplicates);
    json.member("total_completed", report.upload.chunks_reported);
    // Clients stop sending as soon as they see it.
    if (report.upload.state == core::UploadState::completed) json.member("url", asset_url);
    json.close_object();
    return json.take();
}

std::string render_upload_list(const store::Page<core::Upload>& page, const PageRequest& asked) {
    Writer json;
    json.open_object().key("data").open_array();
    for (const core::Upload& upload : page.rows) {
        json.open_object().member("upload_id", to_string(upload.id)).member("status", to_word(upload.state));
        json.member("total_size", upload.total_bytes).member("chunk_size", upload.chunk_bytes);
        json.member("total_chunks", upload.chunk_count()).member("created_at", to_rfc3339(upload.created_at));
        json.member("expires_at", to_rfc3339(upload.expires_at)).close_object();
    }
    json.close_array();
    write_page_info(json, asked, page.total);
    json.close_object();
    return json.take();
}

std::string render_upload_status(const core::Upload& upload, const std::vector<core::UploadChunk>& chunks,
                                 const PageRequest& asked) {
    Writer json;
    json.open_object().member("upload_id", to_string(upload.id)).member("status", to_word(upload.state));
    json.key("uploaded_chunks").open_array();
    const std::uint64_t total = upload.chunk_count();
    const std::uint64_t first = std::uint64_t{asked.page - 1} * asked.limit + 1;
    // A finished upload's chunks may have been removed since: they are all reported.
    const bool completed = upload.state == core::UploadState::completed;
    for (std::uint64_t index = first; index <= total && index < first + asked.limit; ++index) {
        const auto number = static_cast<std::uint32_t>(index);
        const auto found = std::ranges::find(chunks, number, &core::UploadChunk::index);
        const core::UploadChunk gone{.index = number, .reported = true, .uploaded_at = upload.updated_at};
        write_chunk(json, number, found != chunks.end() ? &*found : completed ? &gone : nullptr);
    }
    json.close_array().member("chunks_completed", upload.chunks_reported).member("chunks_failed", 0);
    json.member("chunks_pending", total - std::min<std::uint64_t>(total, upload.chunks_reported));
    write_page_info(json, asked, total);
    json.member("total_size", upload.total_bytes).member("uploaded_size", upload.bytes_reported);
    json.member("created_at", to_rfc3339(upload.created_at))
        .member("updated_at", to_rfc3339(upload.updated_at));
    json.close_object();
    return json.take();
}

}  // namespace sheaf::dialect::twelvelabs

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/id.h"

namespace sheaf::core {

enum class AssetState : std::uint8_t { processing = 0, ready = 1, failed = 2 };
enum class AssetMethod : std::uint8_t { direct = 0, url = 1, multipart = 2 };
enum class MediaType : std::uint8_t { unknown = 0, video = 1, audio = 2, image = 3 };

// An uploaded file. Its bytes are in the blob store under `blob_key`.
struct Asset {
    AssetId id;
    AccountId account;
    AssetMethod method = AssetMethod::direct;
    AssetState state = AssetState::processing;
    std::string filename;
    std::string source_url;   // of method url
    std::string blob_key;     // empty until the bytes are there
    std::uint64_t bytes = 0;  // known when ready
    MediaType type = MediaType::unknown;
    std::string mime_type;  // from the content, never from the client
    std::optional<double> duration_s;
    std::string details;        // what the probe found, as its dialect renders it; opaque here
    std::string user_metadata;  // a JSON object as text, or empty for none
    std::string error;          // why it failed, for people
    bool wants_hls = false;
    bool wants_thumbnail = false;
    Timestamp created_at;
};

enum class UploadState : std::uint8_t { active = 0, completed = 1, failed = 2, expired = 3 };

struct UploadChunk {
    std::uint32_t index = 0;  // from 1
    std::uint64_t bytes = 0;
    std::string etag;
    bool reported = false;
    Timestamp uploaded_at;
};

// An upload in chunks of equal size, the last one shorter.
struct Upload {
    UploadId id;
    AccountId account;
    AssetId asset;
    UploadState state = UploadState::active;
    std::uint64_t total_bytes = 0;
    std::uint64_t chunk_bytes = 0;
    Timestamp created_at;
    Timestamp updated_at;
    Timestamp expires_at;
    std::uint32_t chunks_reported = 0;
    std::uint64_t bytes_reported = 0;

    std::uint32_t chunk_count() const {
        return static_cast<std::uint32_t>((total_bytes + chunk_bytes - 1) / chunk_bytes);
    }
    // What chunk `index` (from 1) must weigh.
    std::uint64_t bytes_of_chunk(std::uint32_t index) const {
        return index < chunk_count() ? chunk_bytes : total_bytes - chunk_bytes * (chunk_count() - 1);
    }
};

}  // namespace sheaf::core

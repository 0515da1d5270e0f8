#pragma once

#include <chrono>
#include <cstdint>

namespace sheaf::service {

// What a client may ask for. Every one can be set (docs/operations.md); the defaults are the vendor's own.
struct Limits {
    std::uint32_t batch_items_max = 1000;
    double batch_content_hours_max = 2000;
    std::uint32_t active_batches_max = 5;  // per account
    std::chrono::seconds batch_time{std::chrono::hours{24}};
    std::chrono::seconds retention{std::chrono::hours{30 * 24}};
    std::uint64_t json_body_bytes_max = std::uint64_t{256} << 20;
    std::uint64_t direct_media_bytes_max = std::uint64_t{200} << 20;
    std::uint64_t image_bytes_max = std::uint64_t{32} << 20;
    std::uint64_t url_media_bytes_max = std::uint64_t{4} << 30;
    std::uint64_t multipart_media_bytes_max = std::uint64_t{10} << 30;
    std::uint64_t base64_bytes_max = std::uint64_t{30} << 20;      // of one inline image or video, encoded
    std::uint64_t file_bytes_max = std::uint64_t{512} << 20;       // of a file that comes at once
    std::uint64_t file_upload_bytes_max = std::uint64_t{8} << 30;  // of one that comes in parts
    std::uint64_t file_part_bytes_max = std::uint64_t{64} << 20;
    std::chrono::seconds file_upload_time{std::chrono::hours{1}};
    std::chrono::seconds upload_time{std::chrono::hours{24}};
    std::chrono::seconds presigned_time{std::chrono::hours{1}};
    std::chrono::seconds idempotency_time{std::chrono::hours{24}};
    double video_seconds_min = 4;
    double video_seconds_max = 2 * 3600;
    double live_video_seconds_max = 3600;
    int video_edge_min = 360;  // each side
    int video_long_edge_max = 5184;
    int video_short_edge_max = 2160;
    double video_aspect_max = 2.4;  // of the longer to the shorter side
};

}  // namespace sheaf::service

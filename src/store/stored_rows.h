#pragma once

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "core/asset.h"
#include "core/file.h"
#include "store/assets.h"
#include "store/keys.h"
#include "store/outbox.h"
#include "store/stored_id.h"

// Rows as the stores with SQL read them: the columns in the order that their statements ask for. `Rows` is a
// store's own, standing on a row: number(), as<T>(), real(), text(), bytes(), time(), time_or_null() and
// is_null(), each of a column.
namespace sheaf::store {

#define SHEAF_ASSET_COLUMNS                                                                            \
    "id, account, method, state, filename, source_url, blob_key, bytes, type, mime_type, duration_s, " \
    "details, user_metadata, error, wants_hls, wants_thumbnail, created_at"
template <class Rows>
core::Asset read_asset(const Rows& rows) {
    core::Asset asset;
    asset.id = {raw_id(rows.bytes(0))};
    asset.account.name = rows.text(1);
    asset.method = rows.template as<core::AssetMethod>(2);
    asset.state = rows.template as<core::AssetState>(3);
    asset.filename = rows.text(4);
    asset.source_url = rows.text(5);
    asset.blob_key = rows.text(6);
    asset.bytes = rows.template as<std::uint64_t>(7);
    asset.type = rows.template as<core::MediaType>(8);
    asset.mime_type = rows.text(9);
    if (!rows.is_null(10)) asset.duration_s = rows.real(10);
    asset.details = rows.text(11);
    asset.user_metadata = rows.text(12);
    asset.error = rows.text(13);
    asset.wants_hls = rows.number(14) != 0;
    asset.wants_thumbnail = rows.number(15) != 0;
    asset.created_at = rows.time(16);
    return asset;
}

#define SHEAF_UPLOAD_COLUMNS                                                                    \
    "id, account, asset, state, total_bytes, chunk_bytes, created_at, updated_at, expires_at, " \
    "chunks_reported, bytes_reported"
template <class Rows>
core::Upload read_upload(const Rows& rows) {
    core::Upload upload;
    upload.id = {raw_id(rows.bytes(0))};
    upload.account.name = rows.text(1);
    upload.asset = {raw_id(rows.bytes(2))};
    upload.state = rows.template as<core::UploadState>(3);
    upload.total_bytes = rows.template as<std::uint64_t>(4);
    upload.chunk_bytes = rows.template as<std::uint64_t>(5);
    upload.created_at = rows.time(6);
    upload.updated_at = rows.time(7);
    upload.expires_at = rows.time(8);
    upload.chunks_reported = rows.template as<std::uint32_t>(9);
    upload.bytes_reported = rows.template as<std::uint64_t>(10);
    return upload;
}

#define SHEAF_FILE_COLUMNS \
    "id, account, purpose, filename, bytes, created_at, expires_at, blob_key, batch, start"
template <class Rows>
core::File read_file(const Rows& rows) {
    core::File file;
    file.id = {raw_id(rows.bytes(0))};
    file.account.name = rows.text(1);
    file.purpose = rows.text(2);
    file.filename = rows.text(3);
    file.bytes = rows.template as<std::uint64_t>(4);
    file.created_at = rows.time(5);
    file.expires_at = rows.time_or_null(6);
    file.blob_key = rows.text(7);
    if (!rows.is_null(8)) file.batch = batch_id(rows.bytes(8));
    file.offset = rows.template as<std::uint64_t>(9);
    return file;
}

#define SHEAF_FILE_UPLOAD_COLUMNS \
    "id, account, state, purpose, filename, mime_type, bytes, file_lifetime, file, created_at, expires_at"
template <class Rows>
core::FileUpload read_file_upload(const Rows& rows) {
    core::FileUpload upload;
    upload.id = {raw_id(rows.bytes(0))};
    upload.account.name = rows.text(1);
    upload.state = rows.template as<core::FileUploadState>(2);
    upload.purpose = rows.text(3);
    upload.filename = rows.text(4);
    upload.mime_type = rows.text(5);
    upload.bytes = rows.template as<std::uint64_t>(6);
    if (!rows.is_null(7)) upload.file_lifetime = std::chrono::seconds{rows.number(7)};
    if (!rows.is_null(8)) upload.file = FileId{raw_id(rows.bytes(8))};
    upload.created_at = rows.time(9);
    upload.expires_at = rows.time(10);
    return upload;
}

// Without `secret`, `payload` and `token`.
#define SHEAF_DELIVERY_COLUMNS                                                                       \
    "d.number, d.event, d.type, d.account, d.form, d.webhook, d.target, d.url, d.batch, d.ordinal, " \
    "d.created_at, d.attempts, d.attempts_max, d.next_at, d.ended_at, d.delivered, d.last_error"
template <class Rows>
Delivery read_delivery(const Rows& rows) {
    Delivery delivery{.number = rows.number(0),
                      .event = rows.text(1),
                      .type = rows.text(2),
                      .account = {rows.text(3)},
                      .form = rows.template as<core::WebhookForm>(4),
                      .target = rows.text(6),
                      .url = rows.text(7),
                      .created_at = rows.time(10),
                      .attempts = rows.template as<std::uint32_t>(11),
                      .attempts_max = rows.template as<std::uint32_t>(12),
                      .next_at = rows.time(13),
                      .ended_at = rows.time_or_null(14),
                      .delivered = rows.number(15) != 0,
                      .last_error = rows.text(16)};
    if (!rows.is_null(5)) delivery.webhook = WebhookId{raw_id(rows.bytes(5))};
    if (!rows.is_null(8)) delivery.batch = batch_id(rows.bytes(8));
    if (!rows.is_null(9)) delivery.ordinal = rows.template as<std::uint32_t>(9);
    return delivery;
}

// position, bytes, etag, reported, uploaded_at
template <class Rows>
core::UploadChunk read_chunk(const Rows& rows) {
    return {rows.template as<std::uint32_t>(0), rows.template as<std::uint64_t>(1), rows.text(2),
            rows.number(3) != 0, rows.time(4)};
}

// id, account, secret_hash, created_at, revoked_at
template <class Rows>
ApiKey read_key(const Rows& rows) {
    ApiKey key;
    key.id = rows.text(0);
    key.account.name = rows.text(1);
    const std::string_view hash = rows.bytes(2);
    std::memcpy(key.secret_hash.data(), hash.data(), std::min(hash.size(), key.secret_hash.size()));
    key.created_at = rows.time(3);
    key.revoked_at = rows.time_or_null(4);
    return key;
}

// Types of events, parted by blanks.
inline std::string join_types(const std::vector<std::string>& types) {
    std::string joined;
    for (const std::string& type : types) {
        if (!joined.empty()) joined += ' ';
        joined += type;
    }
    return joined;
}
inline std::vector<std::string> split_types(std::string_view joined) {
    std::vector<std::string> types;
    while (!joined.empty()) {
        const auto end = std::min(joined.find(' '), joined.size());
        types.emplace_back(joined.substr(0, end));
        joined.remove_prefix(std::min(end + 1, joined.size()));
    }
    return types;
}

// id, account, dialect, url, secret, types, enabled, created_at
template <class Rows>
Webhook read_webhook(const Rows& rows) {
    return {.id = {raw_id(rows.bytes(0))},
            .account = {rows.text(1)},
            .dialect = rows.text(2),
            .url = rows.text(3),
            .secret = Secret(rows.text(4)),
            .types = split_types(rows.bytes(5)),
            .enabled = rows.number(6) != 0,
            .created_at = rows.time(7)};
}

}  // namespace sheaf::store

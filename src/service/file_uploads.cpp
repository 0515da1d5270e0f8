#include <unordered_map>

#include <fmt/format.h>

#include "base/hash.h"
#include "base/log.h"
#include "service/files.h"
#include "service/uninterrupted.h"

// Files that come in parts.
namespace sheaf::service {
namespace {

Error not_pending() {
    return {ErrorCode::conflict, "The upload is not pending.", {}};
}

// Whether nothing was stored that could refer to the bytes.
bool was_refused(const Error& error) {
    return error.code == ErrorCode::conflict || error.code == ErrorCode::invalid ||
           error.code == ErrorCode::not_found || error.code == ErrorCode::no_space;
}

// The parts named in `order`, which have to make up the whole upload.
Result<std::vector<core::FilePart>> choose(const std::vector<core::FilePart>& parts,
                                           const std::vector<FilePartId>& order, std::uint64_t bytes) {
    std::unordered_map<FilePartId, const core::FilePart*> left;
    for (const core::FilePart& part : parts) left.emplace(part.id, &part);
    std::vector<core::FilePart> chosen;
    std::uint64_t sum = 0;
    for (const FilePartId& id : order) {
        const auto part = left.find(id);
        if (part == left.end())
            return fail(ErrorCode::invalid, "A part is unknown, or named twice.", "part_ids");
        chosen.push_back(*part->second);
        sum += part->second->bytes;
        left.erase(part);
    }
    if (sum == bytes) return chosen;
    return fail(ErrorCode::invalid,
                fmt::format("The parts have {} bytes in all; {} were announced.", sum, bytes), "part_ids");
}

}  // namespace

async::Task<Result<core::FileUpload>> Files::begin_upload(FileUploadRequest request) {
    if (request.bytes > parts_.limits.file_upload_bytes_max) {
        co_return fail(ErrorCode::too_large,
                       fmt::format("An upload has at most {} bytes.", parts_.limits.file_upload_bytes_max),
                       "bytes");
    }
    const Timestamp created_at = now();
    const core::FileUpload upload{.id = FileUploadId::make(created_at),
                                  .account = std::move(request.file.account),
                                  .state = core::FileUploadState::pending,
                                  .purpose = std::move(request.file.purpose),
                                  .filename = std::move(request.file.filename),
                                  .mime_type = std::move(request.mime_type),
                                  .bytes = request.bytes,
                                  .file_lifetime = request.file.lifetime,
                                  .file = {},
                                  .created_at = created_at,
                                  .expires_at = created_at + parts_.limits.file_upload_time};
    const auto inserted =
        co_await parts_.store([&](store::Files& store) { return store.insert_upload(upload); });
    if (!inserted) co_return std::unexpected(inserted.error());
    co_return upload;
}

async::Task<Result<core::FileUpload>> Files::find_upload(const AccountId& account, FileUploadId id) {
    auto found = co_await parts_.store([&](store::Files& store) { return store.find_upload(account, id); });
    const bool is_due = found && found->state == core::FileUploadState::pending && now() >= found->expires_at;
    if (!is_due) co_return found;
    co_return co_await end(std::move(*found), core::FileUploadState::expired);
}

async::Task<Result<core::FileUpload>> Files::find_pending(const AccountId& account, FileUploadId id) {
    auto found = co_await find_upload(account, id);
    if (found && found->state != core::FileUploadState::pending) co_return std::unexpected(not_pending());
    co_return found;
}

async::Task<Result<FileBytes>> Files::new_part(const AccountId& account, FileUploadId id) {
    const auto upload = co_await find_pending(account, id);
    if (!upload) co_return std::unexpected(upload.error());
    const FilePartId part = FilePartId::make(now());
    co_return co_await new_bytes(part.raw, blob_key_of(id, part), parts_.limits.file_part_bytes_max);
}

async::Task<Result<core::FilePart>> Files::add_part(const AccountId& account, FileUploadId id,
                                                    FileBytes bytes) {
    const auto upload = co_await find_pending(account, id);
    if (!upload) co_return std::unexpected(upload.error());
    co_return co_await uninterrupted(commit_and_add(id, std::move(bytes)));
}

async::Task<Result<core::FilePart>> Files::commit_and_add(FileUploadId id, FileBytes bytes) {
    const auto committed = co_await parts_.lane->run([&] { return bytes.writer_->commit(); });
    if (!committed) co_return std::unexpected(committed.error());
    const core::FilePart part{FilePartId{bytes.id_}, bytes.bytes(), bytes.key_, now()};
    const auto added = co_await parts_.store([&](store::Files& store) { return store.add_part(id, part); });
    if (added) co_return part;
    if (was_refused(added.error())) co_await forget_bytes(part.blob_key);
    co_return std::unexpected(added.error());
}

async::Task<Result<CompletedUpload>> Files::complete(const AccountId& account, FileUploadId id,
                                                     std::vector<FilePartId> order,
                                                     std::optional<std::string> md5_hex) {
    auto upload = co_await find_pending(account, id);
    if (!upload) co_return std::unexpected(upload.error());
    const auto parts = co_await parts_.store([&](store::Files& store) { return store.parts(id); });
    if (!parts) co_return std::unexpected(parts.error());
    auto chosen = choose(*parts, order, upload->bytes);
    if (!chosen) co_return std::unexpected(chosen.error());
    auto joined = co_await join(std::move(*chosen), std::move(md5_hex));
    if (!joined && joined.error().code == ErrorCode::not_found) {
        // Another completed or canceled it while we read.
        const auto still = co_await find_pending(account, id);
        if (!still) co_return std::unexpected(still.error());
        co_return fail(ErrorCode::corrupt, "The bytes of a part are gone.");
    }
    if (!joined) co_return std::unexpected(joined.error());
    co_return co_await uninterrupted(commit_and_complete(std::move(*upload), std::move(*joined)));
}

async::Task<Result<FileBytes>> Files::join(std::vector<core::FilePart> parts,
                                           std::optional<std::string> md5_hex) {
    const FileId id = FileId::make(now());
    auto whole = co_await new_bytes(id.raw, blob_key_of(id), parts_.limits.file_upload_bytes_max);
    if (!whole) co_return whole;
    Md5 md5;
    for (const core::FilePart& part : parts) {
        const auto appended = co_await parts_.blobs([&](blob::BlobStore& blobs) -> Result<> {
            const auto blob = blobs.open(part.blob_key);
            if (!blob) return std::unexpected(blob.error());
            if (blob->bytes() != part.bytes) return fail(ErrorCode::corrupt, "A part has not its size.");
            return blob->read([&](std::string_view bytes) {
                if (md5_hex) md5.add(bytes);
                return whole->writer_->append(bytes);
            });
        });
        if (!appended) co_return std::unexpected(appended.error());
        whole->bytes_ += part.bytes;
    }
    if (md5_hex && md5.hex() != *md5_hex)
        co_return fail(ErrorCode::invalid, "The MD5 of the parts is another.", "md5");
    co_return whole;
}

async::Task<Result<CompletedUpload>> Files::commit_and_complete(core::FileUpload upload, FileBytes bytes) {
    const auto committed = co_await parts_.lane->run([&] { return bytes.writer_->commit(); });
    if (!committed) co_return std::unexpected(committed.error());
    core::File file = file_of({upload.account, upload.purpose, upload.filename, upload.file_lifetime}, bytes);
    auto ended = co_await parts_.store([&](store::Files& store) {
        return store.end_upload(upload.id, core::FileUploadState::completed, file);
    });
    if (!ended) {
        if (was_refused(ended.error())) co_await forget_bytes(file.blob_key);
        co_return std::unexpected(ended.error());
    }
    co_await drop_parts(upload.id);
    co_return CompletedUpload{std::move(*ended), std::move(file)};
}

async::Task<Result<core::FileUpload>> Files::cancel(const AccountId& account, FileUploadId id) {
    auto upload = co_await find_upload(account, id);
    if (upload && upload->state == core::FileUploadState::pending)
        upload = co_await end(std::move(*upload), core::FileUploadState::canceled);
    if (upload && upload->state != core::FileUploadState::canceled) co_return std::unexpected(not_pending());
    co_return upload;
}

async::Task<Result<core::FileUpload>> Files::end(core::FileUpload upload, core::FileUploadState state) {
    co_return co_await uninterrupted(end_and_drop(std::move(upload), state));
}

async::Task<Result<core::FileUpload>> Files::end_and_drop(core::FileUpload upload,
                                                          core::FileUploadState state) {
    auto ended = co_await parts_.store(
        [&](store::Files& store) { return store.end_upload(upload.id, state, std::nullopt); });
    if (ended) {
        co_await drop_parts(upload.id);
    } else if (ended.error().code == ErrorCode::conflict) {
        // Another was first: how it ended is what counts.
        ended = co_await parts_.store(
            [&](store::Files& store) { return store.find_upload(upload.account, upload.id); });
    }
    co_return ended;
}

// What stays behind is taken up by clear().
async::Task<void> Files::drop_parts(FileUploadId id) {
    const auto parts = co_await parts_.store([&](store::Files& store) { return store.parts(id); });
    if (!parts) co_return log::warning("parts stay behind", {{"why", parts.error().message}});
    for (const core::FilePart& part : *parts) {
        if (!co_await forget_bytes(part.blob_key)) co_return;
    }
    const auto forgotten = co_await parts_.store([&](store::Files& store) { return store.forget_parts(id); });
    if (!forgotten) log::warning("parts stay behind", {{"why", forgotten.error().message}});
}

}  // namespace sheaf::service

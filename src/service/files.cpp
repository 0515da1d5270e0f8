#include "service/files.h"

#include "base/log.h"
#include "service/uninterrupted.h"

namespace sheaf::service {

FileBytes::FileBytes(RawId id, std::string key, std::unique_ptr<blob::BlobWriter> writer, async::Lane& lane,
                     std::uint64_t bytes_max)
    : id_(id), key_(std::move(key)), writer_(std::move(writer)), lane_(&lane), bytes_max_(bytes_max) {}

async::Task<Result<>> FileBytes::append(std::string_view bytes) {
    if (bytes.size() > bytes_max_ - bytes_)
        co_return fail(ErrorCode::too_large, "The file is larger than allowed.");
    const auto written = co_await lane_->run([&] { return writer_->append(bytes); });
    if (written) bytes_ += bytes.size();
    co_return written;
}

Files::Files(Parts parts) : parts_(std::move(parts)), started_at_(parts_.clock->now()) {}

async::Task<Result<FileBytes>> Files::new_bytes(RawId id, std::string key, std::uint64_t bytes_max) {
    auto writer = co_await parts_.blobs([&](blob::BlobStore& blobs) { return blobs.create(key); });
    if (!writer) co_return std::unexpected(writer.error());
    co_return FileBytes(id, std::move(key), std::move(*writer), *parts_.lane, bytes_max);
}

async::Task<Result<FileBytes>> Files::new_file() {
    const FileId id = FileId::make(now());
    co_return co_await new_bytes(id.raw, blob_key_of(id), parts_.limits.file_bytes_max);
}

async::Task<Result<core::File>> Files::create(FileRequest request, FileBytes bytes) {
    co_return co_await uninterrupted(commit_and_insert(std::move(request), std::move(bytes)));
}

async::Task<Result<core::File>> Files::commit_and_insert(FileRequest request, FileBytes bytes) {
    const auto committed = co_await parts_.lane->run([&] { return bytes.writer_->commit(); });
    if (!committed) co_return std::unexpected(committed.error());
    const core::File file = file_of(std::move(request), bytes);
    const auto inserted = co_await parts_.store([&](store::Files& store) { return store.insert(file); });
    if (inserted) co_return file;
    // After any other error the file may be there in spite of it; if not, its bytes go at the next start.
    if (inserted.error().code == ErrorCode::no_space) co_await forget_bytes(file.blob_key);
    co_return std::unexpected(inserted.error());
}

core::File Files::file_of(FileRequest request, const FileBytes& bytes) const {
    core::File file{.id = FileId{bytes.id_},
                    .account = std::move(request.account),
                    .purpose = std::move(request.purpose),
                    .filename = std::move(request.filename),
                    .bytes = bytes.bytes(),
                    .expires_at = {},
                    .created_at = now(),
                    .blob_key = bytes.key_,
                    .batch = {},
                    .offset = 0};
    if (request.lifetime) file.expires_at = file.created_at + *request.lifetime;
    return file;
}

async::Task<Result<core::File>> Files::find(const AccountId& account, FileId id) {
    co_return co_await parts_.store(
        [&, at = now()](store::Files& store) { return store.find(account, id, at); });
}

async::Task<Result<store::FilePage>> Files::list(store::FileQuery query) {
    query.now = now();
    co_return co_await parts_.store([&](store::Files& store) { return store.list(query); });
}

async::Task<Result<>> Files::remove(const AccountId& account, FileId id) {
    co_return co_await uninterrupted(remove_all(account, id));
}

async::Task<Result<>> Files::remove_all(AccountId account, FileId id) {
    const auto removed = co_await parts_.store([&, at = now()](store::Files& store) -> Result<core::File> {
        // One that waits to be cleared away is gone for its owner.
        if (auto found = store.find(account, id, at); !found) return found;
        return store.remove(account, id, at);
    });
    if (!removed) co_return std::unexpected(removed.error());
    if (!removed->blob_key.empty()) co_await forget_bytes(removed->blob_key);
    co_return Result<>{};
}

async::Task<Result<OpenedFile>> Files::open(const core::File& file) {
    if (file.batch) co_return co_await open_results(file);
    blob::BlobStore& blobs = parts_.blobs.now();
    auto blob =
        co_await parts_.lane->run_stoppable([&](const std::atomic<bool>& stop) -> Result<blob::BlobFile> {
            auto opened = blobs.open(file.blob_key);
            if (!opened) return opened;
            const auto checked = opened->check([&] { return stop.load(); });
            if (!checked) return std::unexpected(checked.error());
            return opened;
        });
    if (!blob && blob.error().code == ErrorCode::not_found) {
        // Removed meanwhile, or lost.
        const auto still = co_await find(file.account, file.id);
        if (!still) co_return std::unexpected(still.error());
        co_return fail(ErrorCode::corrupt, "The bytes of a file are gone.");
    }
    if (!blob) co_return std::unexpected(blob.error());
    if (blob->bytes() != file.bytes) co_return fail(ErrorCode::corrupt, "A file has not its size.");
    co_return OpenedFile{std::make_shared<const Descriptor>(blob->release()), 0, file.bytes};
}

async::Task<Result<OpenedFile>> Files::open_results(const core::File& file) {
    auto results =
        co_await parts_.batches([&](store::Batches& batches) { return batches.open_results(*file.batch); });
    if (!results) co_return std::unexpected(results.error());
    if (file.offset > results->bytes || file.bytes > results->bytes - file.offset)
        co_return fail(ErrorCode::corrupt, "A results file is shorter than its files.");
    co_return OpenedFile{std::move(results->file), file.offset, file.bytes};
}

async::Task<bool> Files::forget_bytes(std::string key) {
    const auto removed = co_await parts_.blobs([&](blob::BlobStore& blobs) { return blobs.remove(key); });
    if (!removed) log::warning("bytes stay behind", {{"blob", key}, {"why", removed.error().message}});
    co_return removed.has_value();
}

}  // namespace sheaf::service

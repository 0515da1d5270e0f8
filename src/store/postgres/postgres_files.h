#pragma once

#include "store/files.h"
#include "store/postgres/engine.h"

namespace sheaf::store::postgres {

class PostgresFiles final : public Files {
public:
    explicit PostgresFiles(Engine& engine) : engine_(&engine) {}

    // postgres_files.cpp
    Result<> insert(const core::File& file) override;
    Result<core::File> find(const AccountId& account, const FileId& id, Timestamp now) override;
    Result<FilePage> list(const FileQuery& query) override;
    Result<core::File> remove(const AccountId& account, const FileId& id, Timestamp now) override;
    Result<std::vector<core::File>> expired(Timestamp now, std::uint32_t count_max) override;
    Result<> forget_removed(Timestamp now) override;
    Result<std::vector<FileId>> absent(std::span<const FileId> ids) override;

    // postgres_file_uploads.cpp
    Result<> insert_upload(const core::FileUpload& upload) override;
    Result<core::FileUpload> find_upload(const AccountId& account, const FileUploadId& id) override;
    Result<> add_part(const FileUploadId& upload, const core::FilePart& part) override;
    Result<std::vector<core::FilePart>> parts(const FileUploadId& upload) override;
    Result<core::FileUpload> end_upload(const FileUploadId& upload, core::FileUploadState state,
                                        const std::optional<core::File>& file) override;
    Result<std::vector<core::FileUpload>> expired_uploads(Timestamp now, std::uint32_t count_max) override;
    Result<std::vector<FileUploadId>> ended_with_parts(std::uint32_t count_max) override;
    Result<> forget_parts(const FileUploadId& upload) override;

private:
    Engine* engine_;
};

// conflict: a file of this id is there already.
Result<> insert_file(Connection& db, const core::File& file);

}  // namespace sheaf::store::postgres

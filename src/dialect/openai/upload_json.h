#pragma once

#include <optional>
#include <string>
#include <vector>

#include "dialect/openai/body.h"
#include "dialect/openai/errors.h"
#include "service/files.h"

namespace sheaf::dialect::openai {

// What POST /v1/uploads asks for. `bytes` beyond the most is not looked at.
Checked<service::FileUploadRequest> read_upload_request(const Fields& fields, const AccountId& account,
                                                        std::chrono::seconds batch_file_time);

// What POST /v1/uploads/{id}/complete asks for.
struct CompletionRequest {
    std::vector<FilePartId> part_ids;
    std::optional<std::string> md5_hex;  // in lower case
};
Checked<CompletionRequest> read_completion_request(const Fields& fields);

// The upload object; `file` once it is completed.
std::string render_upload(const core::FileUpload& upload, const core::File* file = nullptr);
std::string render_part(const core::FilePart& part, const FileUploadId& upload);

}  // namespace sheaf::dialect::openai

#pragma once

#include <chrono>

#include "dialect/openai/gate.h"
#include "service/files.h"

namespace sheaf::dialect::openai {

// /v1/uploads and below: files that come in parts. Outlives the router.
class UploadRoutes {
public:
    // As FileRoutes.
    UploadRoutes(service::Files& files, std::chrono::seconds batch_file_time)
        : files_(&files), batch_file_time_(batch_file_time) {}

    void add_to(http::Router& router, Gate& gate);

private:
    async::Task<Reply> create(Call& call);
    async::Task<Reply> add_part(Call& call);
    async::Task<Checked<service::FileBytes>> new_part(const AccountId& account, FileUploadId id);
    async::Task<Reply> complete(Call& call);
    async::Task<Reply> cancel(Call& call);

    service::Files* files_;
    std::chrono::seconds batch_file_time_;
};

}  // namespace sheaf::dialect::openai

#pragma once

#include <chrono>

#include "dialect/openai/gate.h"
#include "service/files.h"

namespace sheaf::dialect::openai {

// /v1/files and below. Outlives the router.
class FileRoutes {
public:
    // Files of purpose batch are kept for `batch_file_time`, unless their client says otherwise.
    FileRoutes(service::Files& files, std::chrono::seconds batch_file_time)
        : files_(&files), batch_file_time_(batch_file_time) {}

    void add_to(http::Router& router, Gate& gate);

private:
    async::Task<Reply> create(Call& call);
    async::Task<Checked<service::FileBytes>> new_bytes();
    async::Task<Reply> list(Call& call);
    // The file that the path names.
    async::Task<Checked<core::File>> find(Call& call);
    async::Task<Reply> retrieve(Call& call);
    async::Task<Reply> remove(Call& call);
    async::Task<Reply> content(Call& call);

    service::Files* files_;
    std::chrono::seconds batch_file_time_;
};

}  // namespace sheaf::dialect::openai

#pragma once

#include <string>

#include "dialect/twelvelabs/gate.h"
#include "dialect/twelvelabs/upload_json.h"
#include "http/router.h"
#include "service/assets.h"
#include "service/batches.h"

namespace sheaf::dialect::twelvelabs {

// /assets/multipart-uploads and below: sessions, and the presigned URLs that their chunks are put to.
// Outlives the router.
class UploadRoutes {
public:
    // `public_url` as in Options. `batches` holds what idempotency keys were used for.
    UploadRoutes(service::Assets& assets, service::Batches& batches, std::string public_url);

    void add_to(http::Router& router, Gate& gate);

private:
    async::Task<Reply> open(Call& call);
    async::Task<Reply> list(Call& call);
    async::Task<Reply> status(Call& call);
    async::Task<Reply> more_urls(Call& call);
    async::Task<Reply> report(Call& call);
    async::Task<Reply> put_chunk(http::Request& request);

    async::Task<Reply> show_opened(Call& call, UploadId id);
    // The session that the path names; with 400 when its time is over and `live` is asked for.
    enum class Want : std::uint8_t { any, live };
    async::Task<Checked<core::Upload>> find(Call& call, Want want);
    std::vector<ChunkUrl> presign(const http::Request& request, const core::Upload& upload,
                                  std::uint32_t start, std::uint32_t count) const;

    service::Assets* assets_;
    service::Batches* batches_;
    std::string public_url_;
};

}  // namespace sheaf::dialect::twelvelabs

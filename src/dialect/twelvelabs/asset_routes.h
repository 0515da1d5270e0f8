#pragma once

#include "dialect/twelvelabs/gate.h"
#include "http/router.h"
#include "service/assets.h"

namespace sheaf::dialect::twelvelabs {

// /assets and below, but for multipart uploads. Outlives the router.
class AssetRoutes {
public:
    explicit AssetRoutes(service::Assets& assets) : assets_(&assets) {}

    void add_to(http::Router& router, Gate& gate);

private:
    async::Task<Reply> create(Call& call);
    async::Task<Reply> list(Call& call);
    async::Task<Reply> retrieve(Call& call);
    async::Task<Reply> remove(Call& call);
    async::Task<Reply> replace_metadata(Call& call);
    async::Task<Reply> patch_metadata(Call& call);
    async::Task<Reply> clear_metadata(Call& call);
    async::Task<Reply> set_metadata(Call& call, AssetId id, std::string json);

    service::Assets* assets_;
};

}  // namespace sheaf::dialect::twelvelabs

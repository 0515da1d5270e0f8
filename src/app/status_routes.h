#pragma once

#include "http/router.h"
#include "media/video.h"
#include "service/accounts.h"
#include "store/store.h"

namespace sheaf::app {

struct StatusParts {
    service::Accounts& accounts;
    media::Media& media;
    store::Store& store;
};

// What is nobody's API: GET /healthz (200 while the store accepts writes, else 503; no key) and GET /stats
// (counters of this process as JSON; any key). Also how paths under no dialect are answered.
void add_status_routes(http::Router& router, StatusParts parts);

}  // namespace sheaf::app

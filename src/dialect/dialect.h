#pragma once

#include <functional>
#include <string_view>

#include "async/task.h"
#include "core/item_codec.h"
#include "http/router.h"
#include "service/batches.h"

namespace sheaf::dialect {

// One dialect's handlers for paths that other vendors have too; empty where it has none. v1_routes.h decides
// which of them answers a request.
struct SharedHandlers {
    // POST /v1/batches, whose body was spooled already to see whose it is.
    std::function<async::Task<http::Response>(http::Request&, service::Spool)> create_batch;
    http::Handler list_batches;    // GET /v1/batches
    http::Handler retrieve_batch;  // GET /v1/batches/{id}
    http::Handler cancel_batch;    // POST /v1/batches/{id}/cancel
    http::Handler retrieve_item;   // GET /v1/batches/{id}/{custom_id}
    http::Handler list_models;     // GET /v1/models
    http::Handler retrieve_model;  // GET /v1/models/{id}
    http::Router::Fallbacks under_v1;
};

// One vendor's API: its routes over the services, and its words for batches and items.
//
// A vendor's words stay in its folder. Routes run on the server's executor and never block: what blocks is
// behind the services.
class Dialect {
public:
    virtual ~Dialect() = default;
    virtual std::string_view name() const = 0;  // stored with every batch: never change it
    virtual void add_routes(http::Router& router) = 0;
    virtual SharedHandlers shared() { return {}; }
    // Waits for what the routes left behind: work of clients that went away, which is being canceled. After
    // the server has stopped, before the executor does.
    virtual async::Task<void> stop() = 0;
    virtual const core::ItemCodec& codec() const = 0;
};

}  // namespace sheaf::dialect

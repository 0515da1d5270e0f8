#pragma once

#include <string_view>

#include "async/task.h"
#include "core/item_codec.h"
#include "http/router.h"

namespace sheaf::dialect {

// One vendor's API: its routes over the services, and its words for batches and items.
//
// A vendor's words stay in its folder. Routes run on the server's executor and never block: what blocks is
// behind the services.
class Dialect {
public:
    virtual ~Dialect() = default;
    virtual std::string_view name() const = 0;  // stored with every batch: never change it
    virtual void add_routes(http::Router& router) = 0;
    // Waits for what the routes left behind: work of clients that went away, which is being canceled. After
    // the server has stopped, before the executor does.
    virtual async::Task<void> stop() = 0;
    virtual const core::ItemCodec& codec() const = 0;
};

}  // namespace sheaf::dialect

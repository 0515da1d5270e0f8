#pragma once

#include <string_view>

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
    virtual const core::ItemCodec& codec() const = 0;
};

}  // namespace sheaf::dialect

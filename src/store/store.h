#pragma once

#include "store/assets.h"
#include "store/batches.h"
#include "store/files.h"
#include "store/item_queue.h"
#include "store/keys.h"
#include "store/outbox.h"

namespace sheaf::store {

// Everything durable but the bytes of uploaded files. Start here, then read the six contracts.
class Store {
public:
    virtual ~Store() = default;
    virtual Batches& batches() = 0;
    virtual ItemQueue& items() = 0;
    virtual Assets& assets() = 0;
    virtual Files& files() = 0;
    virtual Outbox& outbox() = 0;
    virtual Keys& keys() = 0;
    // An error once the store has stopped accepting writes (a failed sync): the process should end and start
    // anew.
    virtual Result<> health() = 0;
};

}  // namespace sheaf::store

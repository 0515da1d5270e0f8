#pragma once

#include <functional>

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
    // Calls `changed`, on a thread of the store's, when others may have changed what there is to do: batches
    // came, were canceled, ended. It must only wake. Empty: nobody is called any more, from when this
    // returns. Never called where this object alone writes.
    virtual void on_change(std::function<void()> changed) { (void)changed; }
};

}  // namespace sheaf::store

#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/result.h"
#include "core/webhook.h"
#include "store/batches.h"
#include "store/outbox.h"

namespace sheaf::webhook {

// By the name of the dialect that a batch came in by.
using EventRenderers = std::map<std::string, const core::EventRenderer*, std::less<>>;

// How often deliveries are attempted, by what names their target.
struct AttemptsMax {
    std::uint32_t webhook = 1;
    std::uint32_t own_target = 1;
};

// Makes deliveries of facts: finds out whom they concern, and renders what is to be told while the batch is
// there.
//
// Blocks; one thread at a time. Facts are taken in the order of their coming true, but the items of one large
// batch that was canceled do not hold up the others: it moves on by a page in each round.
class Expander {
public:
    Expander(store::Outbox& outbox, store::Batches& batches, EventRenderers renderers, AttemptsMax attempts)
        : outbox_(&outbox), batches_(&batches), renderers_(std::move(renderers)), attempts_(attempts) {}

    // One round. True when there may be more. An error is the store's: nothing of the round was done.
    //
    // A fact about a batch that is gone or damaged is dropped.
    Result<bool> expand_some(Timestamp now);

private:
    class Round;

    store::Outbox* outbox_;
    store::Batches* batches_;
    EventRenderers renderers_;
    AttemptsMax attempts_;
};

}  // namespace sheaf::webhook

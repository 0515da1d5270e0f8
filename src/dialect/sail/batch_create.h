#pragma once

#include <optional>
#include <string_view>

#include "dialect/sail/batch_request.h"
#include "dialect/sail/gate.h"
#include "dialect/sail/idempotency.h"
#include "dialect/sail/sail.h"

namespace sheaf::dialect::sail {

// POST /batches: all of it is checked and stored before the answer, or nothing is.
class BatchCreator {
public:
    BatchCreator(service::Batches& batches, service::LiveRunner& live, Limits limits)
        : batches_(&batches), live_(&live), limits_(limits) {}

    async::Task<Reply> create(Call& call);
    // The same of a body that was taken off the wire already.
    async::Task<Reply> create_from(Call& call, service::Spool spool);

private:
    async::Task<Checked<BatchRequest>> read_request(std::string_view body);
    async::Task<Reply> submit(const AccountId& account, BatchRequest request, std::string_view body,
                              service::Spool spool, std::optional<RepeatableCall> repeatable);

    service::Batches* batches_;
    service::LiveRunner* live_;
    Limits limits_;
};

}  // namespace sheaf::dialect::sail

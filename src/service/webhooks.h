#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "async/blocking.h"
#include "base/result.h"
#include "store/outbox.h"

namespace sheaf::service {

// How the telling of one event to one webhook stands.
struct Telling {
    std::string url;
    bool delivered = false;
    std::uint32_t attempts = 0;
    std::string last_error;  // empty once delivered
};

// What was told to webhooks, for those who show batches and items. Belongs to one executor.
class Webhooks {
public:
    explicit Webhooks(async::Blocking<store::Outbox> outbox) : outbox_(outbox) {}

    // Of each topic, in the order asked, what was attempted at least once.
    async::Task<Result<std::vector<std::vector<Telling>>>> tellings(std::vector<store::Topic> topics);

private:
    async::Blocking<store::Outbox> outbox_;
};

}  // namespace sheaf::service

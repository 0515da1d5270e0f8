#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dialect/batch_ids.h"
#include "dialect/dialect.h"
#include "dialect/error_object.h"
#include "service/accounts.h"
#include "service/batches.h"

namespace sheaf::dialect {

// Whose list GET /v1/batches shows to a client that gives no hint.
enum class SharedList : std::uint8_t { openai, sail };

// The paths below /v1 that several vendors have: /v1/batches and below, /v1/models, and what is found
// nowhere. Each call is answered by one dialect's own handler (docs/api/sail.md, "Under /v1"). What only one
// vendor has is that dialect's own route. Outlives the router.
class V1Routes {
public:
    struct Parts {
        service::Accounts* accounts = nullptr;
        service::Batches* batches = nullptr;
        SharedHandlers openai;
        SharedHandlers sail;
        SharedHandlers anthropic;             // only its models and fallbacks are asked
        std::vector<ParseBatchId> batch_ids;  // of the dialects whose batches stand here
        std::uint64_t create_bytes_max = std::uint64_t{256} << 20;
        SharedList list = SharedList::openai;
    };
    explicit V1Routes(Parts parts);

    void add_to(http::Router& router);

private:
    // Takes the body to the store first, and then looks whose it is; a stranger's is not read at all.
    async::Task<http::Response> create(http::Request& request);
    async::Task<http::Response> create_from(http::Request& request, service::Spool spool);
    const http::Handler& list_for(const http::Request& request) const;
    // The handler of the dialect that the batch in the path came in by.
    async::Task<http::Response> answer_for_batch(http::Request& request,
                                                 http::Handler SharedHandlers::* handler);
    async::Task<http::Response> answer_for_item(http::Request& request);
    async::Task<Result<service::Caller>> identify(const http::Request& request);
    // Whether the batch in the path is the caller's and came in by Sail.
    async::Task<bool> is_sails(const http::Request& request);
    const SharedHandlers& models_for(const http::Request& request) const;

    Parts parts_;
};

}  // namespace sheaf::dialect

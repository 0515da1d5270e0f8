#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/item_codec.h"
#include "dialect/batch_ids.h"
#include "dialect/results.h"
#include "http/router.h"
#include "service/accounts.h"
#include "service/batches.h"
#include "service/followers.h"

// Batches of all dialects in nobody's words but ours, below /sheaf/v1: for our own command line and console,
// and for whoever looks after a server. What it says is in docs/api/sheaf.md. It makes no batches.
namespace sheaf::dialect::native {

struct Options {
    service::Accounts& accounts;
    service::Batches& batches;
    service::Followers& followers;
    // By the names of their dialects: they write the lines of items that never ran.
    std::map<std::string, const core::ItemCodec*, std::less<>> codecs;
    // Batches are found by their ids in any of these forms, besides ours.
    std::vector<ParseBatchId> batch_ids;
};

// Everything referred to outlives it, and it outlives the router; all of it belongs to the server's executor.
class BatchApi {
public:
    explicit BatchApi(Options options) : options_(std::move(options)) {}
    void add_routes(http::Router& router);

private:
    struct Call;
    using Endpoint = async::Task<Result<http::Response>> (BatchApi::*)(Call&);
    http::Handler keyed(Endpoint endpoint);
    // 401 before anything of the request is looked at.
    async::Task<http::Response> answer(http::Request& request, Endpoint endpoint);

    async::Task<Result<core::Batch>> find(Call& call);
    async::Task<Result<http::Response>> list(Call& call);
    async::Task<Result<http::Response>> retrieve(Call& call);
    async::Task<Result<http::Response>> results(Call& call);
    // The line of an item that has none in the store.
    LineOfUnrun line_of_unrun(const core::Batch& batch) const;
    async::Task<Result<http::Response>> receipt(Call& call);
    async::Task<Result<http::Response>> cancel(Call& call);
    async::Task<Result<http::Response>> remove(Call& call);
    async::Task<Result<http::Response>> refuse_path(Call& call);
    async::Task<Result<http::Response>> refuse_method(Call& call);

    Options options_;
};

}  // namespace sheaf::dialect::native

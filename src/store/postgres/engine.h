#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/descriptor.h"
#include "base/id.h"
#include "store/postgres/listener.h"
#include "store/postgres/pool.h"
#include "store/postgres/results_cache.h"
#include "store/stores.h"

namespace sheaf::store::postgres {

// What the ports of the PostgreSQL store share: connections, who we are, what lies on this machine.
//
// The node's own directory holds LOCK (held by the server), node.id (who it is, over restarts) and spool/
// (files without names: bodies that come in, results that go out).
class Engine {
public:
    static Result<std::unique_ptr<Engine>> open(const PostgresOptions& options);

    // unavailable: opened beside a server.
    Result<> may_write_batches() const;
    // A new file without a name. It goes with its descriptor.
    Result<SharedDescriptor> temporary_file() const;

    // Queues: when the transaction commits, other nodes look at the store again.
    void tell_changed(Connection& db) const;
    // The same, and they drop what they hold of the batch.
    void tell_gone(Connection& db, const BatchId& id) const;

    const bool exclusive;
    const std::filesystem::path spool;
    const std::string node;  // in hex

private:
    Descriptor lock_;

public:
    Pool pool;
    ResultsCache results;
    std::unique_ptr<Listener> listener;  // of a server

private:
    Engine(const PostgresOptions& options, std::string name, int lock);
    Result<> end_own_leases();
    Result<> say_that_we_live(Connection& db) const;
    bool heard(std::string_view message);
};

}  // namespace sheaf::store::postgres

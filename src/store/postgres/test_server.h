#pragma once

#include <memory>
#include <string>

#include "base/secret.h"
#include "store/postgres/connection.h"
#include "store/sqlite/temporary_directory.h"

namespace sheaf::store::postgres {

// A PostgreSQL server of the test program's own: a fresh cluster in a temporary directory that listens on a
// socket there. Started by the first who asks, stopped when the program ends. Needs PostgreSQL's programs.
class TestServer {
public:
    // Whether the programs are there; CI installs them.
    static bool is_installed();
    static TestServer& instance();
    ~TestServer();

    // A schema that nobody else uses.
    Secret fresh_schema();
    // As a superuser, on a connection of its own.
    void execute(const std::string& sql);
    // Ends the connections of everybody else.
    void terminate_connections();
    // The server goes away, as in a crash, and comes back.
    void stop();
    void start();

private:
    TestServer();
    std::string url() const;

    TemporaryDirectory directory_;
    int schemas_ = 0;
    int process_ = -1;
};

}  // namespace sheaf::store::postgres

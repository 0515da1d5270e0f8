#include "base/check.h"
#include "store/postgres/test_server.h"
#include "store/store_conformance.h"
#include "store/stores.h"

namespace sheaf::store {
namespace {

class PostgresUnderTest final : public StoreUnderTest {
public:
    PostgresUnderTest() { open(); }
    Store& store() override { return *store_; }
    bool reopen() override {
        store_.reset();
        open();
        return true;
    }

private:
    void open() {
        auto opened = open_postgres_store({.url = url_, .directory = directory_.path() / "node"});
        CHECK(opened, opened.error().message);
        store_ = std::move(*opened);
    }

    Secret url_ = postgres::TestServer::instance().fresh_schema();
    TemporaryDirectory directory_;
    std::unique_ptr<Store> store_;
};

// Empty where no server is installed, which PostgresServer.IsInstalledOrItsStoreIsNotTested tells.
std::vector<MakeStore> postgres_stores() {
    if (!postgres::TestServer::is_installed()) return {};
    return {+[]() -> std::unique_ptr<StoreUnderTest> { return std::make_unique<PostgresUnderTest>(); }};
}

INSTANTIATE_TEST_SUITE_P(Postgres, BatchesConformance, testing::ValuesIn(postgres_stores()));
INSTANTIATE_TEST_SUITE_P(Postgres, ResultsConformance, testing::ValuesIn(postgres_stores()));
INSTANTIATE_TEST_SUITE_P(Postgres, ItemQueueConformance, testing::ValuesIn(postgres_stores()));
INSTANTIATE_TEST_SUITE_P(Postgres, AssetsConformance, testing::ValuesIn(postgres_stores()));
INSTANTIATE_TEST_SUITE_P(Postgres, OutboxConformance, testing::ValuesIn(postgres_stores()));
INSTANTIATE_TEST_SUITE_P(Postgres, FilesConformance, testing::ValuesIn(postgres_stores()));
INSTANTIATE_TEST_SUITE_P(Postgres, KeysConformance, testing::ValuesIn(postgres_stores()));

}  // namespace
}  // namespace sheaf::store

#include "store/sqlite/temporary_directory.h"
#include "store/store_conformance.h"
#include "store/stores.h"

namespace sheaf::store {
namespace {

class SqliteUnderTest final : public StoreUnderTest {
public:
    SqliteUnderTest() { open(); }
    Store& store() override { return *store_; }
    bool reopen() override {
        store_.reset();
        open();
        return true;
    }

private:
    void open() {
        auto opened = open_sqlite_store({.directory = directory_.path() / "data"});
        CHECK(opened, opened.error().message);
        store_ = std::move(*opened);
    }

    TemporaryDirectory directory_;
    std::unique_ptr<Store> store_;
};

std::unique_ptr<StoreUnderTest> make_sqlite_under_test() {
    return std::make_unique<SqliteUnderTest>();
}

SHEAF_STORE_CONFORMANCE(Sqlite, make_sqlite_under_test);

}  // namespace
}  // namespace sheaf::store

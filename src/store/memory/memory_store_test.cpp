#include "store/store_conformance.h"
#include "store/stores.h"

namespace sheaf::store {
namespace {

class MemoryUnderTest final : public StoreUnderTest {
public:
    Store& store() override { return *store_; }
    bool reopen() override { return false; }

private:
    std::unique_ptr<Store> store_ = make_memory_store();
};

std::unique_ptr<StoreUnderTest> make_memory_under_test() {
    return std::make_unique<MemoryUnderTest>();
}

SHEAF_STORE_CONFORMANCE(Memory, make_memory_under_test);

}  // namespace
}  // namespace sheaf::store

#include "blob/blob_store_conformance.h"
#include "blob/blobs.h"

namespace sheaf::blob {
namespace {

std::shared_ptr<BlobStore> make_empty_memory_blobs() {
    return make_memory_blobs();
}

INSTANTIATE_TEST_SUITE_P(Memory, BlobStoreConformance, testing::Values(make_empty_memory_blobs));

}  // namespace
}  // namespace sheaf::blob

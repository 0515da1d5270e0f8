#include "dialect/sail/status_maps.h"

#include <gtest/gtest.h>

#include "dialect/sail/testing_world.h"

namespace sheaf::dialect::sail {
namespace {

class SailStatusMaps : public SailWorld {
protected:
    core::Batch batch(const std::string& id) { return *run(batches->find(kTeam, *parse_batch_id(id))); }
    StatusMaps::Map read(StatusMaps& maps, const std::string& id) {
        const auto map = run(maps.read(batch(id)));
        EXPECT_TRUE(map);
        return map.value_or(StatusMaps::Map{});
    }
};

TEST_F(SailStatusMaps, AreWrittenAnewOnlyWhenAnItemMoved) {
    StatusMaps maps(*batches);
    const std::string id = create(batch_of(2));
    const auto first = read(maps, id);
    EXPECT_EQ(read(maps, id).text.get(), first.text.get());
    work(id, 1, said("Fine."));
    const auto second = read(maps, id);
    EXPECT_NE(second.text.get(), first.text.get());
    EXPECT_NE(second.etag, first.etag);
    EXPECT_EQ(maps.bytes_kept(), second.text->size());
}

TEST_F(SailStatusMaps, ShowTheNewestStateToWhoeverBringsAnOlderBatch) {
    StatusMaps maps(*batches);
    const std::string id = create(batch_of(2));
    const core::Batch before = batch(id);
    work(id, 2, said("Fine."));
    const auto map = run(maps.read(before));
    ASSERT_TRUE(map);
    EXPECT_EQ(map->etag, maps.etag_of(batch(id)));
    EXPECT_EQ(map->text->find("PENDING"), std::string::npos);
}

TEST_F(SailStatusMaps, KeepNoMoreThanTheyHaveRoomFor) {
    const std::string first = create(batch_of(2));
    const std::string second = create(batch_of(2));
    const std::string large = create(batch_of(40));
    StatusMaps few(*batches, {.maps = 1, .bytes = 1000});
    const auto kept = read(few, first);
    read(few, second);
    EXPECT_NE(read(few, first).text.get(), kept.text.get());
    const std::size_t bytes = few.bytes_kept();
    EXPECT_GT(read(few, large).text->size(), 1000U);
    EXPECT_EQ(few.bytes_kept(), bytes);
}

TEST_F(SailStatusMaps, AreNotFoundOfABatchThatIsGone) {
    StatusMaps maps(*batches);
    const std::string id = create(batch_of(1));
    work(id, 1, said("Fine."));
    core::Batch gone = batch(id);
    ASSERT_TRUE(run(batches->remove(kTeam, gone.id)));
    EXPECT_EQ(run(maps.read(gone)).error().status, 404);
}

TEST_F(SailStatusMaps, HoldEveryItemOfALargeBatchInOrder) {
    StatusMaps maps(*batches);
    const std::string text = *read(maps, create(batch_of(10'000))).text;
    std::size_t at = 0;
    for (int i = 0; i < 10'000; ++i) {
        const std::size_t next = text.find(fmt::format(R"("item-{}":{{"status":"PENDING"}})", i), at);
        ASSERT_NE(next, std::string::npos) << i;
        at = next;
    }
}

}  // namespace
}  // namespace sheaf::dialect::sail

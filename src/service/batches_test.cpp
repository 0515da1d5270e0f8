#include "service/batches.h"

#include <gtest/gtest.h>

#include "service/testing_world.h"

namespace sheaf::service {
namespace {

class BatchesTest : public World {
protected:
    Result<core::Batch> submit(std::size_t items, core::BatchKind kind = core::BatchKind::batch,
                               std::optional<store::IdempotencyRecord> record = {}) {
        store::BatchDraft draft;
        draft.batch.account = kTeam;
        draft.batch.dialect = "test";
        draft.batch.kind = kind;
        draft.idempotency = std::move(record);
        std::string body;
        draft.active_max = 5;
        for (std::size_t n = 0; n < items; ++n) {
            const std::string text = "{\"n\":" + std::to_string(n) + "}";
            draft.items.push_back(
                {.custom_id = std::to_string(n), .body_offset = body.size(), .body_bytes = text.size()});
            body += text;
        }
        auto spool = run(batches.new_body());
        EXPECT_TRUE(spool);
        EXPECT_TRUE(run(spool->append(body)));
        return run(batches.submit(std::move(draft), std::move(*spool)));
    }
    std::vector<core::Lease> claim(const BatchId& id, std::uint32_t count) {
        auto claimed = store->items().claim({.batch = id, .count_max = count, .now = clock.now()});
        EXPECT_TRUE(claimed);
        return claimed->leases;
    }
    store::ItemResult succeed(const core::Lease& lease) {
        return {.item = lease.item.id,
                .epoch = lease.epoch,
                .state = core::ItemState::succeeded,
                .line = "line\n",
                .finished_at = clock.now()};
    }
    Result<store::Page<core::Batch>> list() {
        return run(batches.list({.account = kTeam, .dialect = "test"}));
    }

    const AccountId kTeam{"team"};
    const AccountId kOther{"other"};
    int woken = 0;
    Batches batches{{store->batches(), store_lane}, lane, clock, Limits{}, {}, [this] { ++woken; }};
};

TEST_F(BatchesTest, SubmitFillsInIdTimesAndCounts) {
    const auto batch = submit(3);
    ASSERT_TRUE(batch) << batch.error().message;
    EXPECT_EQ(batch->created_at, kNoon);
    EXPECT_EQ(batch->expires_at, kNoon + 24h);
    EXPECT_EQ(batch->purge_at, kNoon + 24h * 30);
    EXPECT_EQ(batch->counts, core::Counts{.queued = 3});
    EXPECT_EQ(woken, 1);
    const auto found = run(batches.find(kTeam, batch->id));
    ASSERT_TRUE(found);
    EXPECT_EQ(found->counts.queued, 3U);
    EXPECT_EQ(run(batches.read_item_body(batch->id.item(1))).value_or(""), "{\"n\":1}");
    EXPECT_EQ(run(batches.find(kOther, batch->id)).error().code, ErrorCode::not_found);
}

// Whose bodies are nothing but their prompts.
class PromptCodec final : public core::ItemCodec {
public:
    Result<core::Inference> decode(const core::Batch&, std::string_view) const override {
        return core::ModelRequest{};
    }
    core::Forecast forecast(const core::Batch&, const core::Subject&, std::string_view body) const override {
        core::Forecast forecast;
        forecast.prompt.add(body);
        return forecast;
    }
    std::string line(const core::Batch&, const core::ItemHead&, const core::Ending&) const override {
        return "line\n";
    }
};

TEST_F(BatchesTest, SubmitPlansTheOrder) {
    const PromptCodec codec;
    Batches planning{
        {store->batches(), store_lane}, lane, clock, Limits{}, {{"test", &codec}}, [this] { ++woken; }};
    store::BatchDraft draft;
    draft.batch.account = kTeam;
    draft.batch.dialect = "test";
    std::string body;
    for (std::size_t n = 0; n < 4; ++n) {
        const std::string text = std::string(1000, n % 2 == 0 ? 'a' : 'b') + std::to_string(n);
        draft.items.push_back({.body_offset = body.size(), .body_bytes = text.size()});
        body += text;
    }
    auto spool = run(planning.new_body());
    ASSERT_TRUE(run(spool->append(body)));
    const auto batch = run(planning.submit(std::move(draft), std::move(*spool)));
    ASSERT_TRUE(batch);
    const auto leases = claim(batch->id, 4);
    ASSERT_EQ(leases.size(), 4U);
    EXPECT_EQ(leases[0].item.id.ordinal, 0U);
    EXPECT_EQ(leases[1].item.id.ordinal, 2U);
    EXPECT_EQ(leases[2].item.id.ordinal, 1U);
    EXPECT_NE(leases[0].prefix, 0U);
    EXPECT_EQ(leases[0].prefix, leases[1].prefix);
    EXPECT_NE(leases[0].prefix, leases[2].prefix);
}

TEST_F(BatchesTest, TheDraftsLimitOnActiveBatchesHolds) {
    EXPECT_EQ(submit(0).error().code, ErrorCode::invalid);
    for (int n = 0; n < 5; ++n) ASSERT_TRUE(submit(1));
    EXPECT_EQ(submit(1).error().code, ErrorCode::exhausted);
    EXPECT_TRUE(submit(1, core::BatchKind::task)) << "tasks do not count as active batches";
}

TEST_F(BatchesTest, ADraftThatBringsAnIdKeepsIt) {
    store::BatchDraft draft;
    draft.batch.account = kTeam;
    draft.batch.dialect = "test";
    draft.batch.id = make_batch_id(kNoon);
    draft.batch.created_at = kNoon - 5ms;
    draft.items.push_back({.body_bytes = 2});
    const BatchId id = draft.batch.id;
    auto spool = run(batches.new_body());
    ASSERT_TRUE(run(spool->append("{}")));
    EXPECT_EQ(*run(spool->bytes()), "{}");
    const auto batch = run(batches.submit(std::move(draft), std::move(*spool)));
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->id, id);
    EXPECT_EQ(batch->created_at, kNoon - 5ms);
    EXPECT_EQ(batch->expires_at, kNoon - 5ms + 24h);
}

TEST_F(BatchesTest, ABatchPastItsTimeIsShownAsExpired) {
    const auto batch = submit(2);
    claim(batch->id, 1);
    clock.advance(24h - 1ms);
    EXPECT_EQ(run(batches.find(kTeam, batch->id))->state, core::BatchState::running);
    clock.advance(1ms);
    const auto found = run(batches.find(kTeam, batch->id));
    ASSERT_TRUE(found);
    EXPECT_EQ(found->state, core::BatchState::ended);
    EXPECT_EQ(found->end_reason, core::EndReason::expired);
    EXPECT_EQ(found->counts.expired, 2U);
    EXPECT_EQ(woken, 2);
}

TEST_F(BatchesTest, ListsShowDueBatchesAsExpired) {
    ASSERT_TRUE(submit(1));
    ASSERT_TRUE(submit(2, core::BatchKind::task));
    ASSERT_TRUE(submit(1));
    clock.advance(12h);
    const auto late = submit(1);
    clock.advance(12h);
    const auto page = list();
    ASSERT_TRUE(page);
    ASSERT_EQ(page->rows.size(), 3U);
    EXPECT_EQ(page->rows[0].id, late->id);
    EXPECT_EQ(page->rows[0].state, core::BatchState::accepted);
    EXPECT_EQ(page->rows[1].end_reason, core::EndReason::expired);
    EXPECT_EQ(page->rows[2].end_reason, core::EndReason::expired);

    const auto items = run(batches.list_items({.account = kTeam, .dialect = "test"}));
    ASSERT_TRUE(items);
    ASSERT_EQ(items->rows.size(), 5U);
    EXPECT_EQ(items->rows[0].item.state, core::ItemState::queued);
    for (std::size_t n = 1; n < 5; ++n) EXPECT_EQ(items->rows[n].item.state, core::ItemState::expired) << n;
}

TEST_F(BatchesTest, AListOfWhatIsUnfinishedLeavesOutDueBatches) {
    ASSERT_TRUE(submit(1));
    clock.advance(24h);
    const auto page =
        run(batches.list({.account = kTeam, .dialect = "test", .states = {{core::BatchState::accepted}}}));
    ASSERT_TRUE(page);
    EXPECT_TRUE(page->rows.empty());
    EXPECT_EQ(page->total, 0U);
}

TEST_F(BatchesTest, AnItemOfADueBatchIsExpired) {
    const auto batch = submit(1);
    clock.advance(24h);
    const auto item = run(batches.find_item(kTeam, batch->id.item(0)));
    ASSERT_TRUE(item);
    EXPECT_EQ(item->item.state, core::ItemState::expired);
    EXPECT_EQ(item->batch.state, core::BatchState::ended);
}

TEST_F(BatchesTest, CancelEndsABatchWithNothingRunning) {
    const auto batch = submit(2);
    const auto canceled = run(batches.cancel(kTeam, batch->id));
    ASSERT_TRUE(canceled);
    EXPECT_EQ(canceled->state, core::BatchState::ended);
    EXPECT_EQ(canceled->end_reason, core::EndReason::canceled);
    EXPECT_EQ(canceled->counts.canceled, 2U);
    EXPECT_EQ(run(batches.cancel(kTeam, batch->id)).error().code, ErrorCode::conflict);
    EXPECT_EQ(run(batches.cancel(kOther, batch->id)).error().code, ErrorCode::not_found);
}

TEST_F(BatchesTest, CancelingAgainWhileItCancelsChangesNothing) {
    const auto batch = submit(2);
    const auto leases = claim(batch->id, 1);
    const auto first = run(batches.cancel(kTeam, batch->id));
    ASSERT_TRUE(first);
    EXPECT_EQ(first->state, core::BatchState::canceling);
    const auto second = run(batches.cancel(kTeam, batch->id));
    ASSERT_TRUE(second);
    EXPECT_EQ(second->state, core::BatchState::canceling);
    EXPECT_EQ(second->counts, first->counts);
    const std::vector results{succeed(leases.front())};
    ASSERT_TRUE(store->items().finish(results));
    EXPECT_EQ(run(batches.find(kTeam, batch->id))->end_reason, core::EndReason::canceled);
}

TEST_F(BatchesTest, ADueBatchCannotBeCanceledButRemoved) {
    const auto batch = submit(1);
    EXPECT_EQ(run(batches.remove(kTeam, batch->id)).error().code, ErrorCode::conflict);
    clock.advance(24h);
    EXPECT_EQ(run(batches.cancel(kTeam, batch->id)).error().code, ErrorCode::conflict);
    EXPECT_EQ(run(batches.remove(kOther, batch->id)).error().code, ErrorCode::not_found);
    EXPECT_TRUE(run(batches.remove(kTeam, batch->id)));
    EXPECT_EQ(run(batches.find(kTeam, batch->id)).error().code, ErrorCode::not_found);
}

TEST_F(BatchesTest, LinesAreReadAsTheyCome) {
    const auto batch = submit(3);
    const auto leases = claim(batch->id, 2);
    ASSERT_EQ(leases.size(), 2U);
    const std::vector results{succeed(leases[1])};
    ASSERT_TRUE(store->items().finish(results));
    EXPECT_EQ(run(batches.read_line(batch->id.item(1))).value(), "line\n");
    EXPECT_EQ(run(batches.read_line(batch->id.item(0))).value(), std::nullopt);
    EXPECT_EQ(run(batches.read_line(batch->id.item(3))).error().code, ErrorCode::not_found);
    const auto lines = run(batches.read_lines(batch->id, 1));
    ASSERT_TRUE(lines);
    ASSERT_EQ(lines->size(), 2U);
    EXPECT_EQ(lines->front().line, "line\n");
    EXPECT_TRUE(run(batches.read_lines(batch->id, 3))->empty());
    EXPECT_EQ(run(batches.open_results(*run(batches.find(kTeam, batch->id)))).value().has_value(), false);
}

TEST_F(BatchesTest, AnIdempotencyKeyIsTakenForItsTime) {
    const store::IdempotencyRecord record{.account = kTeam,
                                          .scope = "create",
                                          .key = "k1",
                                          .request_hash = "h",
                                          .status = 201,
                                          .response = "{}"};
    EXPECT_EQ(run(batches.find_idempotent(kTeam, "create", "k1")).value(), std::nullopt);
    ASSERT_TRUE(submit(1, core::BatchKind::batch, record));
    const auto kept = run(batches.find_idempotent(kTeam, "create", "k1"));
    ASSERT_TRUE(kept && *kept);
    EXPECT_EQ((*kept)->response, "{}");
    EXPECT_EQ((*kept)->expires_at, kNoon + 24h);
    EXPECT_EQ(run(batches.find_idempotent(kOther, "create", "k1")).value(), std::nullopt);
    EXPECT_EQ(submit(1, core::BatchKind::batch, record).error().code, ErrorCode::conflict);

    clock.advance(24h);
    EXPECT_EQ(run(batches.find_idempotent(kTeam, "create", "k1")).value(), std::nullopt);
    EXPECT_TRUE(submit(1, core::BatchKind::batch, record)) << "the key is free again";
}

}  // namespace
}  // namespace sheaf::service

#include <gtest/gtest.h>

#include "dialect/openai/ids.h"
#include "dialect/openai/openai.h"

namespace sheaf::dialect::openai {
namespace {

const core::EventStamp kStamp{{1, 2, 0}, Timestamp{std::chrono::milliseconds{1'781'776'800'900}}};

core::Batch ended(core::EndReason reason) {
    return {.id = {1, 2},
            .dialect = std::string(kDialectName),
            .state = core::BatchState::ended,
            .end_reason = reason,
            .ended_at = kStamp.at,
            .results_bytes = 0};
}

TEST(OpenAiEvents, ABatchIsToldWhenItsFilesAreThere) {
    const auto events = make_event_renderer();
    EXPECT_EQ(events->form(), core::WebhookForm::standard);
    const std::pair<core::EndReason, std::string> words[] = {{core::EndReason::completed, "batch.completed"},
                                                             {core::EndReason::expired, "batch.expired"},
                                                             {core::EndReason::canceled, "batch.cancelled"}};
    for (const auto& [reason, type] : words) {
        core::Batch batch = ended(reason);
        if (reason == core::EndReason::canceled) batch.cancel_requested_at = kStamp.at;
        EXPECT_FALSE(events->batch_ended(kStamp, batch)) << "GET shows it at work still";
        const auto event = events->batch_published(kStamp, batch);
        ASSERT_TRUE(event);
        EXPECT_EQ(event->type, type);
        EXPECT_EQ(event->id, "evt_000000010000000000200000");
        EXPECT_EQ(event->payload,
                  R"({"id":"evt_000000010000000000200000","object":"event","created_at":1781776800,)"
                  R"("type":")" +
                      type + R"(","data":{"id":")" + render_id(batch.id) + R"("}})");
        EXPECT_NE(std::ranges::find(events->types(), type), events->types().end());
    }
}

TEST(OpenAiEvents, ABatchThatWasRefusedIsToldAtOnce) {
    const auto event = make_event_renderer()->batch_ended(kStamp, ended(core::EndReason::rejected));
    ASSERT_TRUE(event);
    EXPECT_EQ(event->type, "batch.failed");
}

TEST(OpenAiEvents, ItemsAreNotTold) {
    const core::Batch batch = ended(core::EndReason::completed);
    EXPECT_FALSE(make_event_renderer()->item_ended(kStamp, {batch, {}, "", "{}"}));
}

}  // namespace
}  // namespace sheaf::dialect::openai

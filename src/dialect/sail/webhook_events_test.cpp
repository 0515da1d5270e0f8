#include "dialect/sail/webhook_events.h"

#include <gtest/gtest.h>

#include "dialect/sail/codec.h"
#include "dialect/sail/sail.h"

namespace sheaf::dialect::sail {
namespace {

constexpr std::string_view kParams =
    R"({"model":"m","input":"x","metadata":{"completion_webhook":"https://hooks.example/a?b=c","webhook_token":"s3cret","note":"n"}})";

core::EventStamp a_stamp() {
    return {{1, 2, 0}, Timestamp{std::chrono::seconds{9}}};
}

TEST(CompletionTarget, IsWhatTheMetadataNames) {
    const auto target = completion_target(kParams);
    ASSERT_TRUE(target);
    EXPECT_EQ(target->url, "https://hooks.example/a?b=c");
    EXPECT_EQ(target->token.reveal(), "s3cret");
    const auto without_token =
        completion_target(R"({"metadata":{"completion_webhook":"http://a.example/"}})");
    ASSERT_TRUE(without_token);
    EXPECT_TRUE(without_token->token.empty());
}

TEST(CompletionTarget, IsNobodyWhereNobodyIsNamed) {
    for (const std::string_view params :
         {R"({"input":"completion_webhook"})", R"({"metadata":{"note":"completion_webhook"}})",
          R"({"completion_webhook":"http://a.example/"})", R"({"metadata":{"completion_webhook":""}})",
          R"({"metadata":{"completion_webhook":7}})", R"({"metadata":null,"x":"completion_webhook"})",
          "completion_webhook"}) {
        EXPECT_FALSE(completion_target(params)) << params;
    }
}

TEST(SailEvents, CarryTheItemAsItsGetShowsIt) {
    const auto events = make_event_renderer();
    EXPECT_EQ(events->form(), core::WebhookForm::bearer);
    EXPECT_TRUE(events->reads_bodies());
    EXPECT_TRUE(events->tells_of_unrun());
    const core::Batch batch{.id = {1, 2}, .dialect = "sail"};
    core::ItemHead item{.id = batch.id.item(0), .custom_id = "c-1", .state = core::ItemState::succeeded};
    const std::string line =
        Codec().line(batch, item, core::Succeeded{{.reply = R"({"output":[],"model":"m"})"}});
    const auto event = events->item_ended(a_stamp(), {batch, item, kParams, line});
    ASSERT_TRUE(event);
    EXPECT_EQ(event->payload, render_item(batch, item, kParams, line));
    EXPECT_EQ(event->payload.find("s3cret"), std::string::npos);
    ASSERT_TRUE(event->target);
    EXPECT_EQ(event->target->url, "https://hooks.example/a?b=c");
    EXPECT_NE(event->payload.find(event->id), std::string::npos) << "receivers tell them apart by it";

    item.state = core::ItemState::canceled;
    const auto canceled = events->item_ended(a_stamp(), {batch, item, kParams, std::nullopt});
    ASSERT_TRUE(canceled);
    EXPECT_NE(canceled->payload.find(R"("status":"cancelled")"), std::string::npos);
    EXPECT_FALSE(events->item_ended(a_stamp(), {batch, item, R"({"model":"m"})", line}));
    EXPECT_FALSE(events->batch_ended(a_stamp(), batch));
}

TEST(SailEvents, OfASingleResponseCarryItInItsOwnWords) {
    const core::Batch task{.id = {1, 2}, .dialect = "sail", .kind = core::BatchKind::task};
    const core::ItemHead item{.id = task.id.item(0), .state = core::ItemState::succeeded};
    const std::string line =
        Codec().line(task, item, core::Succeeded{{.reply = R"({"output":[],"model":"m"})"}});
    const auto event = make_event_renderer()->item_ended(a_stamp(), {task, item, kParams, line});
    ASSERT_TRUE(event);
    EXPECT_EQ(event->payload, render_stored_response(task, item, kParams, line));
}

}  // namespace
}  // namespace sheaf::dialect::sail

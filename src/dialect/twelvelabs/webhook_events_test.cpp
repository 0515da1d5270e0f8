#include <gtest/gtest.h>

#include "dialect/twelvelabs/codec.h"
#include "dialect/twelvelabs/testing_world.h"
#include "jsonl/document.h"

namespace sheaf::dialect::twelvelabs {
namespace {

const core::EventStamp kStamp{{1, 2, 0}, Timestamp{std::chrono::milliseconds{1'781'776'800'123}}};
constexpr std::string_view kHead =
    R"({"id":"whe_000000010000000000200000","created_at":"2026-06-18T10:00:00.123Z","type":")";

core::Batch a_batch(core::EndReason reason) {
    return {.id = {1, 2},
            .dialect = "twelvelabs",
            .state = core::BatchState::ended,
            .end_reason = reason,
            .counts = {.succeeded = 1, .failed = 2, .canceled = 3, .expired = 4},
            .created_at = kStamp.at};
}

TEST(TwelveLabsEvents, ABatchIsToldWithItsCounts) {
    const auto events = make_event_renderer();
    EXPECT_EQ(events->form(), core::WebhookForm::tl_signature);
    for (const auto& [reason, word] : {std::pair{core::EndReason::completed, "completed"},
                                       {core::EndReason::canceled, "canceled"},
                                       {core::EndReason::expired, "expired"}}) {
        const core::Batch batch = a_batch(reason);
        const auto event = events->batch_ended(kStamp, batch);
        ASSERT_TRUE(event);
        EXPECT_EQ(event->type, std::string("analyze.batch.") + word);
        EXPECT_EQ(event->payload, std::string(kHead) + event->type + R"(","data":{"id":")" +
                                      to_string(batch.id) + R"(","status":")" + word +
                                      R"(","created_at":"2026-06-18T10:00:00.123Z","total_items":10,)"
                                      R"("ready_items":1,"failed_items":2,"canceled_items":7}})");
        EXPECT_NE(std::ranges::find(events->types(), event->type), events->types().end());
    }
}

TEST(TwelveLabsEvents, ATaskIsToldWhenItIsReadyOrHasFailed) {
    const auto events = make_event_renderer();
    const core::Batch batch = a_batch(core::EndReason::completed);
    const Codec codec{service::Limits{}};
    core::ItemHead item{.id = batch.id.item(0), .custom_id = "c-1", .state = core::ItemState::succeeded};
    const std::string ready = codec.line(batch, item, core::Succeeded{{.text = "x"}});
    const auto event = events->item_ended(kStamp, {batch, item, "", ready});
    ASSERT_TRUE(event);
    EXPECT_EQ(event->payload, std::string(kHead) + R"(analyze.task.ready","data":{"id":")" +
                                  to_string(item.id) +
                                  R"(","custom_id":"c-1","status":"ready",)"
                                  R"("created_at":"2026-06-18T10:00:00.123Z"}})");

    item.custom_id.reset();
    item.state = core::ItemState::failed;
    const std::string failed = codec.line(batch, item, core::Failed{{"timed_out", "It took \"too\" long."}});
    const auto failure = events->item_ended(kStamp, {batch, item, "", failed});
    ASSERT_TRUE(failure);
    EXPECT_EQ(failure->payload,
              std::string(kHead) + R"(analyze.task.failed","data":{"id":")" + to_string(item.id) +
                  R"(","custom_id":null,"status":"failed","created_at":"2026-06-18T10:00:00.123Z",)"
                  R"("error":{"message":"It took \"too\" long."}}})");

    item.state = core::ItemState::canceled;
    EXPECT_FALSE(events->item_ended(kStamp, {batch, item, "", std::nullopt}));
    EXPECT_FALSE(events->tells_of_unrun());
}

TEST(TwelveLabsEvents, ATaskIsNoBatch) {
    core::Batch task = a_batch(core::EndReason::completed);
    task.kind = core::BatchKind::task;
    EXPECT_FALSE(make_event_renderer()->batch_ended(kStamp, task));
}

class Tellings : public TwelveLabsWorld {
protected:
    std::string text(const Answered& answered, const std::string& pointer) {
        const auto document = jsonl::Document::parse(answered.body);
        std::string_view found;
        EXPECT_TRUE(document && !document->root().at_pointer(pointer).get(found)) << answered.body;
        return std::string(found);
    }
    std::int64_t told(const std::string& batch_id, std::optional<std::uint32_t> ordinal) {
        return store->outbox()
            .add({.event = "whe_1",
                  .type = "x",
                  .account = kTeam,
                  .target = "t",
                  .url = "https://hooks.example/in",
                  .payload = "{}",
                  .batch = parse_batch_id(batch_id),
                  .ordinal = ordinal,
                  .attempts_max = 2})
            .value();
    }
    void attempt(std::int64_t delivery, std::string error) {
        const store::Attempted attempted{
            .delivery = delivery, .at = clock.now(), .error = std::move(error), .again_at = clock.now()};
        ASSERT_TRUE(store->outbox().record(attempted));
    }
    // What the members `webhooks` of an answer are, of all that it shows.
    static std::string webhooks_in(const std::string& body) {
        std::string all;
        constexpr std::string_view kName = R"("webhooks":)";
        for (auto at = body.find(kName); at != std::string::npos; at = body.find(kName, at + 1))
            all += body.substr(at + kName.size(), body.find(']', at) + 1 - at - kName.size());
        return all;
    }
    void expect_webhooks(const std::string& path, const std::string& list, const std::string& expected) {
        EXPECT_EQ(webhooks_in(get(path).body), expected);
        EXPECT_EQ(webhooks_in(get(list).body), expected);
    }

    std::string video = ready_asset("video");
};

constexpr std::string_view kFailed =
    R"([{"url":"https://hooks.example/in","delivered":false,"attempts":1,"last_error":"status 500"}])";
constexpr std::string_view kDelivered =
    R"([{"url":"https://hooks.example/in","delivered":true,"attempts":2}])";

TEST_F(Tellings, ShowInTheBatchOnceItWasAttempted) {
    const std::string id = text(
        post(
            "/analyze/batches",
            R"({"model_name":"pegasus1.5","analysis_mode":"general","defaults":{"prompt":{"input_text":"x"}},)"
            R"("requests":[{"video":{"type":"asset_id","asset_id":")" +
                video + R"("}}]})"),
        "/batch_id");
    work(id, 1, core::Succeeded{{.text = "x"}});
    const std::string path = "/analyze/batches/" + id;
    const std::int64_t delivery = told(id, std::nullopt);
    expect_webhooks(path, "/analyze/batches", "");
    attempt(delivery, "status 500");
    expect_webhooks(path, "/analyze/batches", std::string(kFailed));
    attempt(delivery, "");
    expect_webhooks(path, "/analyze/batches", std::string(kDelivered));
    EXPECT_EQ(webhooks_in(get("/analyze/tasks").body), "") << "its task is another topic";
}

TEST_F(Tellings, ShowInTheTaskOnceItWasAttempted) {
    const std::string id = text(
        post("/analyze/tasks", R"({"video":{"type":"asset_id","asset_id":")" + video + R"("},"prompt":"x"})"),
        "/task_id");
    const std::int64_t delivery = told(to_string(parse_item_id(id)->batch), 0);
    expect_webhooks("/analyze/tasks/" + id, "/analyze/tasks", "");
    attempt(delivery, "status 500");
    expect_webhooks("/analyze/tasks/" + id, "/analyze/tasks", std::string(kFailed));
    attempt(delivery, "");
    expect_webhooks("/analyze/tasks/" + id, "/analyze/tasks", std::string(kDelivered));
}

TEST_F(Tellings, FactsOfItemsAreNotedForTheAccountsWebhooks) {
    ASSERT_TRUE(store->outbox().insert(
        {.id = WebhookId::make(clock.now()), .account = kTeam, .dialect = "twelvelabs"}));
    const std::string id = text(
        post("/analyze/tasks", R"({"video":{"type":"asset_id","asset_id":")" + video + R"("},"prompt":"x"})"),
        "/task_id");
    DialectWorld::work(parse_item_id(id)->batch, 1, core::Succeeded{{.text = "x"}}, dialect->codec());
    const auto facts = store->outbox().facts(10).value();
    ASSERT_EQ(facts.size(), 2U);
    EXPECT_EQ(facts[0].kind, store::FactKind::item_ended);
    EXPECT_EQ(facts[1].kind, store::FactKind::batch_ended);
}

}  // namespace
}  // namespace sheaf::dialect::twelvelabs

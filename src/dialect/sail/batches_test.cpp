#include <gtest/gtest.h>

#include "dialect/sail/testing_world.h"
#include "jsonl/document.h"

namespace sheaf::dialect::sail {
namespace {

std::string text(const Answered& answered, const std::string& pointer) {
    const auto document = jsonl::Document::parse(answered.body);
    simdjson::dom::element found;
    if (!document || document->root().at_pointer(pointer).get(found)) return "(absent)";
    return simdjson::to_string(found);
}

class SailBatches : public SailWorld {
protected:
    std::string map_word(const std::string& id, std::string_view item) {
        return text(get("/batches/" + id), fmt::format("/request_status/{}/status", item));
    }
    void start_one(const std::string& id) {
        ASSERT_TRUE(store->items().claim({.batch = *parse_batch_id(id), .count_max = 1, .now = clock.now()}));
    }
};

TEST_F(SailBatches, ShowEveryItemInBothPlacesFromTheStart) {
    const std::string id = create(batch_of(4));
    work(id, 1, said("Fine."));
    work(id, 1, core::Failed{{"analysis_failed", "The server broke."}});
    start_one(id);
    EXPECT_EQ(
        text(get("/batches/" + id), "/request_status"),
        R"({"item-0":{"status":"COMPLETED"},"item-1":{"status":"FAILED"},"item-2":{"status":"RUNNING"},)"
        R"("item-3":{"status":"PENDING"}})");
    const std::vector<std::string> words{R"("completed")", R"("failed")", R"("running")", R"("pending")"};
    const std::vector<std::string> as_responses{R"("completed")", R"("failed")", R"("in_progress")",
                                                R"("queued")"};
    for (std::size_t i = 0; i < words.size(); ++i) {
        const Answered item = get(fmt::format("/batches/{}/item-{}", id, i));
        EXPECT_EQ(item.status, 200);
        EXPECT_EQ(text(item, "/status"), words[i]);
        const std::string response = text(item, "/id");
        const Answered by_id = get("/responses/" + response.substr(1, response.size() - 2));
        EXPECT_EQ(text(by_id, "/status"), as_responses[i]);
        EXPECT_EQ(text(by_id, "/id"), response);
    }
}

TEST_F(SailBatches, ShowAFinishedItemWithItsAnswerAndWhatWasAsked) {
    const std::string id = create(batch_of(
        1,
        R"(,"temperature":0.50,"tools":[{"type":"function","name":"f"}],"metadata":{"a":"b","webhook_token":"t"})"));
    work(id, 1, said("Fine."));
    const Answered item = get("/batches/" + id + "/item-0");
    const std::string response = text(item, "/id");
    EXPECT_EQ(
        item.body,
        R"({"id":)" + response +
            R"(,"object":"response","custom_id":"item-0","created_at":1781776800,"status":"completed","model":"local-2",)"
            R"("usage":{"input_tokens":9,"input_tokens_details":{"cached_tokens":2,"reasoning_tokens":0},"output_tokens":3,)"
            R"("output_tokens_details":{"cached_tokens":0,"reasoning_tokens":1},"total_tokens":12,"prompt_tokens":9,"completion_tokens":3},)"
            R"("metadata":{"a":"b"},"input":"Say 0.","output":[{"type":"message","id":"msg_1","role":"assistant","status":"completed",)"
            R"("content":[{"type":"output_text","text":"Fine.","annotations":[],"logprobs":[]}]}],"error":null,"incomplete_details":null,)"
            R"("max_output_tokens":null,"reasoning":{},"text":{"format":{"type":"text"}},"store":true,"temperature":0.50,)"
            R"("parallel_tool_calls":true,"tool_choice":"auto","tools":[{"type":"function","name":"f"}],"truncation":"disabled","user":null})");
    publish(id);
    EXPECT_EQ(get("/batches/" + id + "/item-0").body, item.body);
}

TEST_F(SailBatches, ShowAnAnswerThatWasCutAsCompleted) {
    const std::string id = create(batch_of(1));
    core::Succeeded cut = said("Fi");
    const auto at = cut.answer.reply.find("completed");
    cut.answer.reply.replace(at, 9, "incomplete");
    cut.answer.reply.insert(cut.answer.reply.size() - 1,
                            R"(,"incomplete_details":{"reason":"max_output_tokens"})");
    work(id, 1, cut);
    EXPECT_EQ(map_word(id, "item-0"), R"("COMPLETED")");
    const Answered item = get("/batches/" + id + "/item-0");
    EXPECT_EQ(text(item, "/status"), R"("completed")");
    EXPECT_EQ(text(item, "/incomplete_details/reason"), R"("max_output_tokens")");
    const std::string response = text(item, "/id");
    EXPECT_EQ(text(get("/responses/" + response.substr(1, response.size() - 2)), "/status"),
              R"("incomplete")");
}

TEST_F(SailBatches, ShowWhyAnItemFailed) {
    const std::string id = create(batch_of(2, R"(,"metadata":{"a":"b"})"));
    work(id, 1,
         core::Failed{
             {.code = "invalid_request",
              .message = "Too long.",
              .status = 400,
              .error =
                  R"({"message":"The context is full.","type":"BadRequestError","param":null,"code":400})"}});
    work(id, 1, core::Failed{{"overloaded", "The server was busy."}});
    const Answered theirs = get("/batches/" + id + "/item-0");
    EXPECT_EQ(text(theirs, "/error"),
              R"({"code":"400","message":"The context is full.","type":"BadRequestError","param":null})");
    EXPECT_EQ(text(theirs, "/output"), "[]");
    EXPECT_EQ(text(theirs, "/model"), R"("local")");
    EXPECT_EQ(text(theirs, "/metadata"), R"({"a":"b"})");
    EXPECT_EQ(
        text(get("/batches/" + id + "/item-1"), "/error"),
        R"({"code":"server_error","message":"The server was busy.","type":"server_error","param":null})");
}

TEST_F(SailBatches, CancelAlsoWhatRuns) {
    const std::string id = create(batch_of(3));
    work(id, 1, said("Fine."));
    const auto claimed =
        store->items().claim({.batch = *parse_batch_id(id), .count_max = 1, .now = clock.now()});
    ASSERT_TRUE(claimed);
    const Answered canceled = call({.method = "POST", .target = "/batches/" + id + "/cancel"});
    EXPECT_EQ(
        text(canceled, "/request_status"),
        R"({"item-0":{"status":"COMPLETED"},"item-1":{"status":"CANCELLED"},"item-2":{"status":"CANCELLED"}})");
    const auto batch = store->batches().find(kTeam, *parse_batch_id(id));
    const core::Lease& late = claimed->leases.at(0);
    const store::ItemResult result{late.item.id,
                                   late.epoch,
                                   core::ItemState::succeeded,
                                   dialect->codec().line(*batch, late.item, said("late")),
                                   {},
                                   clock.now()};
    const auto report = store->items().finish({&result, 1});
    ASSERT_TRUE(report);
    EXPECT_EQ(report->recorded.at(0), store::Recorded::lease_lost);
    EXPECT_EQ(text(get("/batches/" + id + "/item-1"), "/status"), R"("cancelled")");
    publish(id);
    EXPECT_EQ(text(get("/batches/" + id + "/item-1"), "/status"), R"("cancelled")");
    EXPECT_EQ(call({.method = "POST", .target = "/batches/" + id + "/cancel"}).body, canceled.body);
}

TEST_F(SailBatches, NeverExpireAndAreKeptForThirtyDaysAfterTheirEnd) {
    const std::string id = create(batch_of(1));
    clock.advance(24h * 365);
    EXPECT_EQ(map_word(id, "item-0"), R"("PENDING")");
    work(id, 1, said("Late, but fine."));
    const auto batch = store->batches().find(kTeam, *parse_batch_id(id));
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->expires_at, core::kNever);
    EXPECT_EQ(batch->purge_at, clock.now() + 24h * 30);
    EXPECT_TRUE(batch->model.empty());
}

TEST_F(SailBatches, AnswerNotModifiedWhileNoItemMoves) {
    const std::string id = create(batch_of(2));
    const Answered first = get("/batches/" + id);
    const std::string etag(first.headers.find("ETag").value_or(""));
    ASSERT_FALSE(etag.empty());
    http::Headers known;
    known.add("If-None-Match", "\"other\", W/" + etag);
    const Answered same = call({.target = "/batches/" + id, .headers = known});
    EXPECT_EQ(same.status, 304);
    EXPECT_EQ(same.headers.find("ETag"), etag);
    EXPECT_EQ(same.body, "");
    start_one(id);
    const Answered moved = call({.target = "/batches/" + id, .headers = known});
    EXPECT_EQ(moved.status, 200);
    EXPECT_NE(moved.headers.find("ETag"), etag);
    build();
    http::Headers of_an_earlier_process;
    of_an_earlier_process.add("If-None-Match", std::string(moved.headers.find("ETag").value_or("")));
    EXPECT_EQ(call({.target = "/batches/" + id, .headers = of_an_earlier_process}).status, 200);
}

TEST_F(SailBatches, HaveAtMostSoManyItems) {
    sail_limits.items_max = 3;
    build();
    EXPECT_EQ(post("/batches", batch_of(3)).status, 200);
    const Answered refused = post("/batches", batch_of(4));
    EXPECT_EQ(refused.status, 400);
    EXPECT_EQ(text(refused, "/error/param"), R"("requests")");
}

TEST_F(SailBatches, NameTheItemThatIsWrong) {
    std::string body = batch_of(3);
    body.replace(body.rfind("local"), 5, "gpt-9");
    EXPECT_EQ(text(post("/batches", body), "/error/message"),
              R"x("The model 'gpt-9' does not exist here. (custom_id: item-2)")x");
}

TEST_F(SailBatches, CountTheCharactersOfAUserAndNotItsBytes) {
    const auto with_user = [](int characters) {
        std::string user;
        for (int i = 0; i < characters; ++i) user += "\xc3\xa9";
        return batch_of(1, R"(,"user":")" + user + "\"");
    };
    EXPECT_EQ(post("/batches", with_user(256)).status, 200);
    const Answered refused = post("/batches", with_user(257));
    EXPECT_EQ(refused.status, 400);
    EXPECT_EQ(text(refused, "/error/param"), R"("requests[0].params.user")");
}

TEST_F(SailBatches, RefuseHostileBodiesAndKeepNothing) {
    sail_limits.body_bytes_max = 64 * 1024;
    build();
    const std::string deep(1000, '[');
    EXPECT_EQ(post("/batches", batch_of(1, R"(,"x":)" + deep + std::string(1000, ']'))).status, 400);
    EXPECT_EQ(post("/batches", deep).status, 400);
    EXPECT_EQ(post("/batches", R"({"requests":)" + std::string(20'000, '{')).status, 400);
    EXPECT_EQ(post("/batches", batch_of(1, ",\"x\xff\":1")).status, 400);
    EXPECT_EQ(post("/batches", batch_of(1, ",\"x\":\"\xc3\x28\"")).status, 400);
    EXPECT_EQ(post("/batches", std::string(1, '\0')).status, 400);
    const Answered large = post("/batches", batch_of(1) + std::string(70'000, ' '));
    EXPECT_EQ(large.status, 413);
    const std::string whole = batch_of(2);
    for (std::size_t end = 1; end < whole.size(); ++end) {
        const Asked cut{.method = "POST", .target = "/batches", .body = whole.substr(0, end), .piece = 1000};
        ASSERT_EQ(call(cut).status, 400) << end;
    }
    EXPECT_NE(call({.method = "POST", .target = "/batches", .body = whole, .body_fails_at = 50}).status, 200);
    EXPECT_EQ(stored(), 0U);
}

TEST_F(SailBatches, KeepIdempotencyKeysOfEachApiKeyApart) {
    http::Headers headers;
    headers.add("Idempotency-Key", std::string(255, 'k'));
    const Asked asked{.method = "POST", .target = "/batches", .body = batch_of(1), .headers = headers};
    const Answered first = call(asked);
    EXPECT_EQ(first.status, 200);
    EXPECT_EQ(call(asked).body, first.body);
    Asked by_another_key = asked;
    by_another_key.key = "Bearer " + new_key("team");
    EXPECT_NE(call(by_another_key).body, first.body);
    clock.advance(25h);
    EXPECT_NE(call(asked).body, first.body);
    Asked too_long = asked;
    too_long.headers = {};
    too_long.headers.add("Idempotency-Key", std::string(256, 'k'));
    EXPECT_EQ(call(too_long).status, 400);
}

TEST_F(SailBatches, AnswerTwoCallsUnderOneKeyAtOnceWithOneBatch) {
    const auto make = [this] {
        auto request = std::make_unique<http::Request>();
        request->method = "POST";
        request->path = request->target = "/sail/v1/batches";
        request->headers.add("authorization", key);
        request->headers.add("idempotency-key", "k");
        return request;
    };
    const auto first = make();
    const auto second = make();
    TextBody first_body(batch_of(1), 1000);
    TextBody second_body(batch_of(1), 1000);
    first->body = &first_body;
    second->body = &second_body;
    std::vector<http::Response> answers;
    const auto note = [&answers](const std::exception_ptr&, http::Response response) {
        answers.push_back(std::move(response));
    };
    boost::asio::co_spawn(io, router->match(*first)(*first), note);
    boost::asio::co_spawn(io, router->match(*second)(*second), note);
    turn_until([&] { return answers.size() == 2; });
    EXPECT_EQ(std::get<std::string>(answers[0].body), std::get<std::string>(answers[1].body));
    EXPECT_EQ(answers[0].status, 200);
    EXPECT_EQ(stored(), 2U);  // one batch, listed and unfinished
}

TEST_F(SailBatches, AreNotReadBeforeTheKeyIsKnown) {
    const Answered answered = call({.method = "POST", .target = "/batches", .body = "{", .key = "none"});
    EXPECT_EQ(answered.status, 401);
    EXPECT_FALSE(answered.body_was_read);
}

}  // namespace
}  // namespace sheaf::dialect::sail

#include <gtest/gtest.h>

#include "dialect/twelvelabs/testing_world.h"
#include "dialect/wire_case.h"
#include "jsonl/document.h"

namespace sheaf::dialect::twelvelabs {
namespace {

class Batches : public TwelveLabsWorld {
protected:
    std::string body_of(std::size_t items, const std::string& more = "") const {
        std::string requests;
        for (std::size_t i = 0; i < items; ++i) {
            requests += (i == 0 ? "" : ",") + std::string(R"({"video":{"type":"asset_id","asset_id":")") +
                        video + "\"}}";
        }
        return R"({"model_name":"pegasus1.5","analysis_mode":"general","defaults":{"prompt":{"input_text":"x"}})" +
               more + R"(,"requests":[)" + requests + "]}";
    }
    static std::string text(const Answered& answered, const std::string& pointer) {
        const auto document = jsonl::Document::parse(answered.body);
        std::string_view text;
        if (!document || document->root().at_pointer(pointer).get(text)) return "(absent)";
        return std::string(text);
    }
    std::string make_batch(std::size_t items) {
        return text(post("/analyze/batches", body_of(items)), "/batch_id");
    }
    std::string status(const std::string& id) { return text(get("/analyze/batches/" + id), "/status"); }

    std::string video = ready_asset("video");
};

std::vector<std::string> lines_of(const std::string& body) {
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < body.size();) {
        const auto end = body.find('\n', at);
        lines.push_back(body.substr(at, end - at));
        if (end == std::string::npos) break;
        at = end + 1;
    }
    return lines;
}

TEST_F(Batches, HaveOneLineAnItemInOrderWhateverTheStates) {
    const std::string id = make_batch(4);
    work(id, 1, core::Succeeded{{.text = "caf\xc3\xa9", .usage = {45, 150}}});
    work(id, 1, core::Failed{{"asset_unavailable", "The asset could not be read."}});
    ASSERT_TRUE(store->items().claim({.batch = *parse_batch_id(id), .count_max = 1, .now = clock.now()}));
    const Answered answered = get("/analyze/batches/" + id + "/results");
    EXPECT_EQ(answered.headers.find("Content-Type"), "application/jsonl");
    const std::string task = id.substr(0, id.size() - 1);
    const auto line = [&](int n, const std::string& rest) {
        return R"({"task_id":")" + task + std::to_string(n) + R"(","custom_id":null,"status":)" + rest +
               "}\n";
    };
    EXPECT_EQ(
        answered.body,
        line(
            1,
            R"("ready","data":{"generation_id":"gen_)" + task +
                R"(1","data":"caf\u00e9","finish_reason":"stop","usage":{"output_tokens":150,"input_tokens":45}})") +
            line(
                2,
                R"("failed","error":{"code":"asset_unavailable","message":"The asset could not be read."})") +
            line(3, R"("processing")") + line(4, R"("queued")"));
    EXPECT_EQ(status(id), "processing");
}

TEST_F(Batches, SendTheFinishedFileWhenItIsThere) {
    const std::string id = make_batch(2);
    work(id, 2, core::Succeeded{{.text = "ok"}});
    const std::string before = get("/analyze/batches/" + id + "/results").body;
    publish(id);
    EXPECT_EQ(get("/analyze/batches/" + id + "/results").body, before);
    EXPECT_EQ(status(id), "completed");
    EXPECT_EQ(text(call({.method = "POST", .target = "/analyze/batches/" + id + "/cancel"}), "/code"),
              "batch_completed");
    EXPECT_EQ(call({.method = "DELETE", .target = "/analyze/batches/" + id}).status, 204);
    EXPECT_EQ(get("/analyze/batches/" + id + "/results").status, 404);
}

TEST_F(Batches, StreamManyLinesInPagesAndCutWhenTheyGoAway) {
    const std::string id = make_batch(1000);
    const Answered whole = get("/analyze/batches/" + id + "/results");
    EXPECT_EQ(lines_of(whole.body).size(), 1000U);
    EXPECT_FALSE(whole.was_cut);
    EXPECT_TRUE(call({.target = "/analyze/batches/" + id + "/results", .gone_after = 1}).was_cut);
}

TEST_F(Batches, LetARunningItemEndAfterACancel) {
    const std::string id = make_batch(3);
    const auto claimed =
        store->items().claim({.batch = *parse_batch_id(id), .count_max = 1, .now = clock.now()});
    ASSERT_TRUE(claimed);
    const Answered canceled = call({.method = "POST", .target = "/analyze/batches/" + id + "/cancel"});
    EXPECT_EQ(canceled.status, 202);
    EXPECT_NE(
        canceled.body.find(R"("status":"canceling","total_items":3,"queued_items":0,"processing_items":1)"),
        std::string::npos);
    EXPECT_EQ(call({.method = "POST", .target = "/analyze/batches/" + id + "/cancel"}).status, 202);
    EXPECT_EQ(text(call({.method = "DELETE", .target = "/analyze/batches/" + id}), "/code"),
              "batch_not_terminal");
    const auto batch = store->batches().find(kTeam, *parse_batch_id(id));
    const store::ItemResult result{
        claimed->leases[0].item.id,
        claimed->leases[0].epoch,
        core::ItemState::succeeded,
        dialect->codec().line(*batch, claimed->leases[0].item, core::Succeeded{{.text = "k"}}),
        {},
        clock.now()};
    ASSERT_TRUE(store->items().finish({&result, 1}));
    EXPECT_EQ(status(id), "canceled");
    EXPECT_EQ(text(call({.method = "POST", .target = "/analyze/batches/" + id + "/cancel"}), "/code"),
              "batch_canceled");
}

TEST_F(Batches, ShowAsExpiredOnceTheirTimeIsUp) {
    const std::string id = make_batch(2);
    work(id, 1, core::Succeeded{{.text = "in time"}});
    clock.advance(24h);
    const Answered answered = get("/analyze/batches/" + id);
    EXPECT_EQ(text(answered, "/status"), "expired");
    EXPECT_EQ(text(answered, "/expired_at"), "2026-06-19T10:00:00.000Z");
    EXPECT_NE(answered.body.find(R"("ready_items":1,"failed_items":0,"canceled_items":1)"),
              std::string::npos);
    const auto lines = lines_of(get("/analyze/batches/" + id + "/results").body);
    ASSERT_EQ(lines.size(), 2U);
    EXPECT_NE(lines[0].find("in time"), std::string::npos);
    EXPECT_NE(lines[1].find(R"("status":"canceled"})"), std::string::npos);
    EXPECT_EQ(text(call({.method = "POST", .target = "/analyze/batches/" + id + "/cancel"}), "/code"),
              "batch_expired");
}

TEST_F(Batches, AreAtMostFiveAtATime) {
    for (int i = 0; i < 5; ++i) ASSERT_NE(make_batch(1), "(absent)");
    const Answered sixth = post("/analyze/batches", body_of(1));
    EXPECT_EQ(sixth.status, 429);
    EXPECT_EQ(text(sixth, "/code"), "active_batch_limit_exceeded");
    // Syntax and fields come first, assets afterwards.
    EXPECT_EQ(post("/analyze/batches", "{").status, 400);
    std::string unknown = body_of(1);
    unknown.replace(unknown.find(video), video.size(), "0123456789abcdef01234567");
    EXPECT_EQ(post("/analyze/batches", unknown).status, 429);
    EXPECT_NE(get("/analyze/batches").body.find(R"("total_results":5)"), std::string::npos);
}

TEST_F(Batches, HaveAtMostAThousandRequests) {
    EXPECT_EQ(post("/analyze/batches", body_of(1000)).status, 201);
    const Answered refused = post("/analyze/batches", body_of(1001));
    EXPECT_EQ(refused.status, 400);
    EXPECT_EQ(text(refused, "/error/details/field"), "requests");
}

TEST_F(Batches, HaveALimitedLength) {
    limits.batch_content_hours_max = 24.0 / 3600;  // two videos of twelve seconds
    build();
    EXPECT_EQ(post("/analyze/batches", body_of(2)).status, 201);
    const Answered refused = post("/analyze/batches", body_of(3));
    EXPECT_EQ(refused.status, 400);
    EXPECT_EQ(text(refused, "/code"), "parameter_invalid");
}

TEST_F(Batches, RefuseHostileBodiesAndKeepNothing) {
    limits.json_body_bytes_max = 64 * 1024;
    build();
    const std::string before = stored();
    const std::string deep(1000, '[');
    EXPECT_EQ(post("/analyze/batches", body_of(1, R"(,"x":)" + deep + std::string(1000, ']'))).status, 400);
    EXPECT_EQ(post("/analyze/batches", deep).status, 400);
    EXPECT_EQ(post("/analyze/batches", R"({"requests":)" + std::string(20'000, '{')).status, 400);
    EXPECT_EQ(post("/analyze/batches", body_of(1, ",\"model\xff_name\":1")).status, 400);
    std::string bad_utf8 = body_of(1);
    bad_utf8.replace(bad_utf8.find("\"x\""), 3, "\"\xc3\x28\"");
    EXPECT_EQ(post("/analyze/batches", bad_utf8).status, 400);
    const Answered large = post("/analyze/batches", body_of(1) + std::string(70'000, ' '));
    EXPECT_EQ(large.status, 413);
    EXPECT_EQ(text(large, "/code"), "payload_too_large");
    EXPECT_EQ(post("/analyze/batches", std::string(1, '\0')).status, 400);
    EXPECT_NE(call({.method = "POST", .target = "/analyze/batches", .body = body_of(2), .body_fails_at = 50})
                  .status,
              201);
    EXPECT_EQ(stored(), before);
    const std::string whole = body_of(2);
    for (std::size_t end = 1; end < whole.size(); ++end) {
        ASSERT_EQ(
            call(
                {.method = "POST", .target = "/analyze/batches", .body = whole.substr(0, end), .piece = 1000})
                .status,
            400)
            << end;
    }
    EXPECT_EQ(stored(), before);
}

TEST_F(Batches, RefuseDefaultsThatAreTooLarge) {
    const Answered refused = call(
        {.method = "POST",
         .target = "/analyze/batches",
         .body =
             R"({"model_name":"pegasus1.5","analysis_mode":"general","defaults":{"prompt":{"input_text":")" +
             std::string(9 << 20, 'a') + R"("}},"requests":[{}]})",
         .piece = 1 << 20});
    EXPECT_EQ(refused.status, 413);
    EXPECT_EQ(text(refused, "/error/details/field"), "defaults");
}

TEST_F(Batches, ShowTheirTasksWithResults) {
    const std::string id = make_batch(2);
    work(id, 1,
         core::Succeeded{
             {.text = "cut \xe2\x80\xa8", .finish = core::FinishReason::length, .usage = {9, 4096}}});
    work(id, 1, core::Failed{{"output_invalid", "No JSON."}});
    const std::string task = id.substr(0, id.size() - 1);
    const Answered ready = get("/analyze/tasks/" + task + "1");
    EXPECT_EQ(text(ready, "/status"), "ready");
    EXPECT_EQ(text(ready, "/result/data"), "cut \xe2\x80\xa8");
    EXPECT_EQ(text(ready, "/error/message"), "The output was cut: max_tokens was reached.");
    EXPECT_EQ(text(ready, "/completed_at"), "2026-06-18T10:00:00.000Z");
    const Answered failed = get("/analyze/tasks/" + task + "2");
    EXPECT_EQ(text(failed, "/error/message"), "No JSON.");
    EXPECT_NE(get("/analyze/tasks?status=failed").body.find("No JSON."), std::string::npos);
}

TEST_F(Batches, AreNotReadBeforeTheKeyIsKnown) {
    const Answered answered =
        call({.method = "POST", .target = "/analyze/batches", .body = "{", .key = "none"});
    EXPECT_EQ(answered.status, 401);
    EXPECT_FALSE(answered.body_was_read);
}

TEST_F(Batches, AcceptTheKeyAsABearerToken) {
    http::Headers headers;
    headers.add("Authorization", "Bearer " + key);
    EXPECT_EQ(call({.target = "/analyze/batches", .headers = headers, .key = "none"}).status, 200);
}

TEST_F(Batches, TellWhichMethodsAPathKnows) {
    const Answered refused = call({.method = "PUT", .target = "/analyze/batches"});
    const auto allow = refused.headers.find("Allow").value_or("");
    EXPECT_NE(allow.find("GET"), std::string_view::npos);
    EXPECT_NE(allow.find("POST"), std::string_view::npos);
}

TEST_F(Batches, CountAgainstTheRateWhenThereIsOne) {
    per_minute = 2;
    build();
    EXPECT_EQ(get("/analyze/batches").headers.find("X-RateLimit-Request-Remaining"), "1");
    EXPECT_EQ(get("/analyze/batches").status, 200);
    const Answered refused = get("/analyze/batches");
    EXPECT_EQ(refused.status, 429);
    EXPECT_EQ(text(refused, "/code"), "too_many_requests");
    EXPECT_EQ(refused.headers.find("Retry-After"), "60");
    EXPECT_EQ(refused.headers.find("X-RateLimit-Request-Remaining"), "0");
    EXPECT_EQ(call({.target = "/analyze/batches", .key = other_key}).status, 200);
    clock.advance(60s);
    EXPECT_EQ(get("/analyze/batches").status, 200);
}

}  // namespace
}  // namespace sheaf::dialect::twelvelabs

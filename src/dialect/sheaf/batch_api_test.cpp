#include "dialect/sheaf/testing_world.h"

namespace sheaf::dialect::native {
namespace {

TEST_F(SheafApi, ShowsABatchOfAnyDialectInOneForm) {
    const BatchId id = stored("sail", 2);
    EXPECT_EQ(
        get(path(id)).body,
        R"({"id":")" + to_string(id) +
            R"(","dialect":"sail","kind":"batch","model":null,"tag":null,"state":"accepted","end_reason":null,)"
            R"("counts":{"total":2,"queued":2,"running":0,"succeeded":0,"failed":0,"canceled":0,"expired":0},)"
            R"("usage":{"input_tokens":0,"output_tokens":0,"cached_tokens":0,"reasoning_tokens":0},)"
            R"("created_at":"2026-06-18T10:00:00.000Z","cancel_requested_at":null,"ended_at":null,"expires_at":null,)"
            R"("archived_at":null,"purge_at":null})");
    work(id, 2,
         core::Succeeded{{.reply = R"({"output":[]})", .usage = {.input_tokens = 5, .output_tokens = 1}}},
         *sail_codec);
    const std::string body = get(path(id)).body;
    EXPECT_NE(
        body.find(
            R"("state":"ended","end_reason":"completed","counts":{"total":2,"queued":0,"running":0,"succeeded":2)"),
        std::string::npos)
        << body;
    EXPECT_NE(body.find(R"("usage":{"input_tokens":10,"output_tokens":2)"), std::string::npos) << body;
    EXPECT_NE(body.find(R"("ended_at":"2026-06-18T10:00:00.000Z")"), std::string::npos) << body;
}

TEST_F(SheafApi, TakesIdsInTheirVendorsForms) {
    const BatchId id = stored("sail", 1);
    const std::string plain = get(path(id)).body;
    EXPECT_EQ(get("/sheaf/v1/batches/batch_" + to_string(id)).body, plain);
    EXPECT_EQ(get("/sheaf/v1/batches/other_" + to_string(id)).status, 404);
    EXPECT_EQ(get("/sheaf/v1/batches/nonsense").status, 404);
}

TEST_F(SheafApi, ListsBatchesOfAllDialectsNewestFirst) {
    const BatchId first = stored("sail", 1);
    clock.advance(1s);
    const BatchId second = stored("twelvelabs", 1, "pegasus1.5");
    const auto ids_of = [&](const std::string& query) {
        std::string ids;
        const std::string body = get("/sheaf/v1/batches" + query).body;
        if (body.contains(to_string(first))) ids += "first ";
        if (body.contains(to_string(second))) ids += "second ";
        return ids + body.substr(body.rfind(','));
    };
    EXPECT_EQ(ids_of(""), R"(first second ,"has_more":false})");
    EXPECT_EQ(ids_of("?limit=1"), R"(second ,"has_more":true})");
    EXPECT_EQ(ids_of("?limit=1&after=" + to_string(second)), R"(first ,"has_more":false})");
    EXPECT_EQ(ids_of("?after=batch_" + to_string(second)), R"(first ,"has_more":false})");
    EXPECT_EQ(ids_of("?dialect=sail"), R"(first ,"has_more":false})");
    const std::string body = get("/sheaf/v1/batches").body;
    EXPECT_LT(body.find(to_string(second)), body.find(to_string(first)));
    for (const char* const wrong :
         {"?limit=0", "?limit=101", "?limit=x", "?after=nonsense", "?after=0123456789abcdef01200000"})
        EXPECT_EQ(get(std::string("/sheaf/v1/batches") + wrong).status, 400) << wrong;
}

TEST_F(SheafApi, SendsLinesAsTheyAreAndLeavesOutWhatIsStillToCome) {
    const BatchId id = stored("sail", 4);
    work(id, 1, core::Succeeded{{.reply = R"({"output":[],"model":"m"})"}}, *sail_codec);
    work(id, 1, core::Failed{{"timed_out", "Slow."}}, *sail_codec);
    const Answered early = get(path(id, "/results"));
    EXPECT_EQ(early.headers.find("Content-Type"), "application/jsonl");
    EXPECT_EQ(count_lines(early.body), 2);
    EXPECT_NE(early.body.find(R"("custom_id":"c1")"), std::string::npos) << early.body;
    EXPECT_EQ(call({.method = "POST", .target = path(id, "/cancel")}).status, 200);
    const Answered canceled = get(path(id, "/results"));
    EXPECT_EQ(count_lines(canceled.body), 4);
    EXPECT_TRUE(canceled.body.starts_with(early.body));
    publish(id, *sail_codec);
    EXPECT_EQ(get(path(id, "/results")).body, canceled.body);
}

TEST_F(SheafApi, WritesTheLinesOfWhatExpiredInTheirDialect) {
    const BatchId id = stored("twelvelabs", 2, "pegasus1.5", clock.now() + 1h);
    clock.advance(1h);
    const std::string lines = get(path(id, "/results")).body;
    EXPECT_EQ(count_lines(lines), 2);
    EXPECT_NE(lines.find(R"("status":"canceled")"), std::string::npos) << lines;
}

TEST_F(SheafApi, StreamsLongResultsInPages) {
    const BatchId id = stored("sail", 1200);
    work(id, 1200, core::Failed{{"timed_out", "Slow."}}, *sail_codec);
    EXPECT_EQ(count_lines(get(path(id, "/results")).body), 1200);
    EXPECT_TRUE(call({.target = path(id, "/results"), .gone_after = 1}).was_cut);
}

TEST_F(SheafApi, CancelsOnceAndDeletesWhatHasEnded) {
    const BatchId id = stored("sail", 1);
    EXPECT_EQ(call({.method = "DELETE", .target = path(id)}).status, 409);
    const Answered canceled = call({.method = "POST", .target = path(id, "/cancel")});
    EXPECT_NE(canceled.body.find(R"("end_reason":"canceled")"), std::string::npos) << canceled.body;
    const Answered again = call({.method = "POST", .target = path(id, "/cancel")});
    EXPECT_EQ(again.status, 409);
    EXPECT_EQ(again.body, R"({"error":{"code":"conflict","message":"The batch has ended."}})");
    EXPECT_EQ(call({.method = "DELETE", .target = path(id)}).status, 204);
    const Answered gone = get(path(id));
    EXPECT_EQ(gone.status, 404);
    EXPECT_EQ(gone.body, R"({"error":{"code":"not_found","message":"There is no such batch."}})");
}

TEST_F(SheafApi, SaysThatResultsWereRemoved) {
    const BatchId id = stored("sail", 1);
    work(id, 1, core::Failed{{"timed_out", "Slow."}}, *sail_codec);
    publish(id, *sail_codec);
    ASSERT_TRUE(store->batches().archive(id, clock.now()));
    EXPECT_EQ(get(path(id, "/results")).status, 410);
    EXPECT_EQ(get(path(id)).status, 200);
}

TEST_F(SheafApi, TellsNobodyThatABatchIsAnothers) {
    const BatchId id = stored("sail", 1);
    const BatchId unknown = make_batch_id(clock.now());
    const std::vector<std::pair<std::string, std::string>> calls{
        {"GET", ""}, {"GET", "/results"}, {"GET", "/receipt"}, {"POST", "/cancel"}, {"DELETE", ""}};
    for (const auto& [method, below] : calls) {
        const Answered anothers = call({.method = method, .target = path(id, below), .key = other_key});
        const Answered nobodys = call({.method = method, .target = path(unknown, below)});
        EXPECT_EQ(anothers.status, 404) << method << below;
        EXPECT_EQ(anothers.body, nobodys.body) << method << below;
    }
    EXPECT_EQ(call({.target = "/sheaf/v1/batches", .key = other_key}).body,
              R"({"batches":[],"has_more":false})");
    EXPECT_EQ(call({.target = "/sheaf/v1/batches?after=" + to_string(id), .key = other_key}).status, 400);
}

TEST_F(SheafApi, AsksForAKeyFirst) {
    for (const char* const target : {"/sheaf/v1/batches", "/sheaf/v1/nothing", "/sheaf/v1/batches/x/results"})
        EXPECT_EQ(call({.target = target, .key = "none"}).status, 401) << target;
    EXPECT_EQ(get("/sheaf/v1/nothing").status, 404);
    const Answered method = call({.method = "PUT", .target = "/sheaf/v1/batches"});
    EXPECT_EQ(method.status, 405);
    EXPECT_EQ(method.headers.find("Allow"), "GET, HEAD");
}

}  // namespace
}  // namespace sheaf::dialect::native

#include <set>

#include <gtest/gtest.h>

#include "dialect/openai/testing_world.h"

namespace sheaf::dialect::openai {
namespace {

constexpr std::int64_t kNoonSeconds = 1'781'776'800;

core::Succeeded good(std::uint64_t input_tokens = 0, std::uint64_t output_tokens = 0) {
    return {{.reply = R"({"object":"chat.completion"})",
             .usage = {.input_tokens = input_tokens,
                       .output_tokens = output_tokens,
                       .cached_tokens = input_tokens / 2,
                       .reasoning_tokens = output_tokens / 2}}};
}

class OpenAiBatches : public OpenAiWorld {
protected:
    Answered create(std::string body, http::Headers headers = {}) {
        return call(
            {.method = "POST", .target = "/batches", .body = std::move(body), .headers = std::move(headers)});
    }
    Answered cancel(const std::string& id) { return post("/batches/" + id + "/cancel"); }
    std::vector<std::string> listed(const std::string& query = "") {
        const auto document = jsonl::Document::parse(get("/batches" + query).body);
        std::vector<std::string> ids;
        for (const auto row : document->root()["data"].get_array().value_unsafe())
            ids.emplace_back(row["id"].get_string().value_unsafe());
        return ids;
    }
    core::Lease claim_one(const std::string& id) {
        auto claimed =
            store->items().claim({.batch = *parse_batch_id(id), .count_max = 1, .now = clock.now()});
        EXPECT_TRUE(claimed);
        EXPECT_EQ(claimed->leases.size(), 1U);
        return claimed->leases.front();
    }
    void finish(const std::string& id, const core::Lease& lease, const core::Succeeded& ending) {
        const auto row = store->batches().find(kTeam, *parse_batch_id(id));
        const store::ItemResult result{lease.item.id,
                                       lease.epoch,
                                       core::ItemState::succeeded,
                                       dialect->codec().line(*row, lease.item, ending),
                                       ending.answer.usage,
                                       clock.now()};
        ASSERT_TRUE(store->items().finish({&result, 1}));
    }
};

TEST_F(OpenAiBatches, ShowEveryKeyInTheAnswerThatMadeThem) {
    const std::string file = add_file(chat_line("a"));
    const Answered answered = create(batch_body(file, R"(,"metadata":{"b":"1","a":"\u00e4"})"));
    const std::string id = text_at(answered.body, "/id");
    EXPECT_EQ(
        answered.body,
        fmt::format(
            R"({{"id":"{}","object":"batch","endpoint":"/v1/chat/completions","model":null,"errors":null,)"
            R"("input_file_id":"{}","completion_window":"24h","status":"validating","output_file_id":null,)"
            R"("error_file_id":null,"created_at":{},"in_progress_at":null,"expires_at":{},"finalizing_at":null,)"
            R"("completed_at":null,"failed_at":null,"expired_at":null,"cancelling_at":null,"cancelled_at":null,)"
            R"("request_counts":{{"total":0,"completed":0,"failed":0}},"usage":null,"metadata":{{"b":"1","a":"{}"}}}})",
            id, file, kNoonSeconds, kNoonSeconds + 86'400, "\xc3\xa4"));
}

TEST_F(OpenAiBatches, GoThroughTheirStatesWithTimesThatStay) {
    const std::string id = make_batch(3);
    EXPECT_EQ(status(id), "in_progress");
    EXPECT_EQ(text_at(batch(id), "/in_progress_at"), std::to_string(kNoonSeconds));
    EXPECT_EQ(text_at(batch(id), "/model"), "local");
    EXPECT_EQ(text_at(batch(id), "/metadata"), "null");
    clock.advance(10s);
    work(id, 1, good(10, 4));
    work(id, 1, core::Failed{{"timed_out", "It took too long."}});
    EXPECT_EQ(text_at(batch(id), "/request_counts"), R"({"total":3,"completed":1,"failed":1})");
    EXPECT_EQ(text_at(batch(id), "/usage"), "null");
    clock.advance(10s);
    work(id, 1, good(20, 6));

    const std::string finalizing = batch(id);
    EXPECT_EQ(text_at(finalizing, "/status"), "finalizing");
    EXPECT_EQ(text_at(finalizing, "/finalizing_at"), std::to_string(kNoonSeconds + 20));
    EXPECT_EQ(text_at(finalizing, "/completed_at"), "null");
    EXPECT_EQ(text_at(finalizing, "/output_file_id"), "null");
    EXPECT_EQ(text_at(finalizing, "/error_file_id"), "null");
    const Answered late = cancel(id);
    EXPECT_EQ(late.status, 409);
    EXPECT_EQ(late.headers.find("x-should-retry"), "false");
    EXPECT_EQ(text_at(late.body, "/error/message"), "Cannot cancel a batch with status 'finalizing'.");

    clock.advance(5s);
    publish(id);
    const std::string completed = batch(id);
    EXPECT_EQ(text_at(completed, "/status"), "completed");
    EXPECT_EQ(text_at(completed, "/finalizing_at"), std::to_string(kNoonSeconds + 20));
    EXPECT_EQ(text_at(completed, "/completed_at"), std::to_string(kNoonSeconds + 20));
    EXPECT_EQ(text_at(completed, "/request_counts"), R"({"total":3,"completed":2,"failed":1})");
    EXPECT_EQ(
        text_at(completed, "/usage"),
        R"({"input_tokens":30,"input_tokens_details":{"cached_tokens":15},"output_tokens":10,"output_tokens_details":{"reasoning_tokens":5},"total_tokens":40})");
    const auto output = lines_of(read_file(text_at(completed, "/output_file_id")));
    const auto errors = lines_of(read_file(text_at(completed, "/error_file_id")));
    ASSERT_EQ(output.size(), 2U);
    EXPECT_EQ(text_at(output[0], "/custom_id"), "a0");
    EXPECT_EQ(text_at(output[1], "/custom_id"), "a2");
    ASSERT_EQ(errors.size(), 1U);
    EXPECT_EQ(text_at(errors[0], "/custom_id"), "a1");
    EXPECT_EQ(text_at(errors[0], "/error/code"), "server_error");
    EXPECT_EQ(text_at(cancel(id).body, "/error/message"), "Cannot cancel a batch with status 'completed'.");
    EXPECT_EQ(batch(id), completed);
}

TEST_F(OpenAiBatches, AreCompletedAlsoWhenEveryLineFailed) {
    const std::string id = make_batch(2);
    work(id, 2, core::Failed{{"timed_out", "It took too long."}});
    publish(id);
    EXPECT_EQ(status(id), "completed");
    EXPECT_EQ(text_at(batch(id), "/output_file_id"), "null");
    EXPECT_EQ(lines_of(read_file(text_at(batch(id), "/error_file_id"))).size(), 2U);
}

TEST_F(OpenAiBatches, StayCancellingUntilTheirResultsAreThere) {
    const std::string id = make_batch(3);
    work(id, 1, good());
    const core::Lease running = claim_one(id);
    clock.advance(10s);
    const Answered canceled = cancel(id);
    EXPECT_EQ(canceled.status, 200);
    EXPECT_EQ(text_at(canceled.body, "/status"), "cancelling");
    EXPECT_EQ(text_at(canceled.body, "/cancelling_at"), std::to_string(kNoonSeconds + 10));
    clock.advance(10s);
    EXPECT_EQ(cancel(id).body, canceled.body);
    finish(id, running, good());
    EXPECT_EQ(status(id), "cancelling");
    EXPECT_EQ(cancel(id).status, 200);
    publish(id);
    const std::string cancelled = batch(id);
    EXPECT_EQ(text_at(cancelled, "/status"), "cancelled");
    EXPECT_EQ(text_at(cancelled, "/cancelling_at"), std::to_string(kNoonSeconds + 10));
    EXPECT_EQ(text_at(cancelled, "/cancelled_at"), std::to_string(kNoonSeconds + 20));
    EXPECT_EQ(text_at(cancelled, "/finalizing_at"), "null");
    EXPECT_EQ(text_at(cancelled, "/request_counts"), R"({"total":3,"completed":2,"failed":0})");
    EXPECT_EQ(lines_of(read_file(text_at(cancelled, "/output_file_id"))).size(), 2U);
    const auto errors = lines_of(read_file(text_at(cancelled, "/error_file_id")));
    ASSERT_EQ(errors.size(), 1U);
    EXPECT_EQ(text_at(errors[0], "/error/code"), "batch_cancelled");
    EXPECT_EQ(cancel(id).body, cancelled);
}

TEST_F(OpenAiBatches, ExpireWithWhatWasDoneInTime) {
    const std::string id = make_batch(3);
    work(id, 1, good());
    clock.advance(24h);
    EXPECT_EQ(status(id), "finalizing");
    publish(id);
    const std::string expired = batch(id);
    EXPECT_EQ(text_at(expired, "/status"), "expired");
    EXPECT_EQ(text_at(expired, "/expired_at"), std::to_string(kNoonSeconds + 86'400));
    EXPECT_EQ(text_at(expired, "/completed_at"), "null");
    EXPECT_EQ(text_at(expired, "/request_counts"), R"({"total":3,"completed":1,"failed":2})");
    const auto errors = lines_of(read_file(text_at(expired, "/error_file_id")));
    ASSERT_EQ(errors.size(), 2U);
    EXPECT_EQ(text_at(errors[0], "/error/code"), "batch_expired");
    EXPECT_EQ(cancel(id).status, 409);
}

TEST_F(OpenAiBatches, AreCancelledThoughTheirTimeRanOutMeanwhile) {
    const std::string id = make_batch(2);
    (void)claim_one(id);
    EXPECT_EQ(text_at(cancel(id).body, "/status"), "cancelling");
    clock.advance(24h);
    EXPECT_EQ(status(id), "cancelling");
    publish(id);
    EXPECT_EQ(status(id), "cancelled");
    EXPECT_EQ(text_at(batch(id), "/expired_at"), "null");
}

TEST_F(OpenAiBatches, FailWithEveryErrorOfTheirFileAndNothingElse) {
    const Answered created = create(batch_body(add_file("nonsense\n" + chat_line("a") + chat_line("a"))));
    EXPECT_EQ(created.status, 200);
    EXPECT_EQ(text_at(created.body, "/status"), "validating");
    const std::string failed = batch(text_at(created.body, "/id"));
    EXPECT_EQ(text_at(failed, "/status"), "failed");
    EXPECT_EQ(text_at(failed, "/errors/object"), "list");
    EXPECT_EQ(text_at(failed, "/errors/data/0/code"), "invalid_json_line");
    EXPECT_EQ(text_at(failed, "/errors/data/0/line"), "1");
    EXPECT_EQ(text_at(failed, "/errors/data/0/param"), "null");
    EXPECT_EQ(text_at(failed, "/errors/data/1/code"), "duplicate_custom_id");
    EXPECT_EQ(text_at(failed, "/errors/data/1/param"), "custom_id");
    EXPECT_EQ(text_at(failed, "/errors/data/2"), "(absent)");
    EXPECT_EQ(text_at(failed, "/failed_at"), std::to_string(kNoonSeconds));
    EXPECT_EQ(text_at(failed, "/in_progress_at"), "null");
    EXPECT_EQ(text_at(failed, "/model"), "null");
    EXPECT_EQ(text_at(failed, "/usage"), "null");
    EXPECT_EQ(text_at(failed, "/output_file_id"), "null");
    EXPECT_EQ(text_at(failed, "/error_file_id"), "null");
    EXPECT_EQ(text_at(failed, "/request_counts"), R"({"total":0,"completed":0,"failed":0})");
    EXPECT_EQ(cancel(text_at(created.body, "/id")).status, 409);
}

TEST_F(OpenAiBatches, FailWhenTheirFileIsNotThereOrNotForThem) {
    const auto error_of = [&](const std::string& file) {
        const std::string failed = batch(text_at(create(batch_body(file)).body, "/id"));
        EXPECT_EQ(text_at(failed, "/input_file_id"), file);
        EXPECT_EQ(text_at(failed, "/errors/data/0/line"), "null");
        return text_at(failed, "/errors/data/0/code") + " " + text_at(failed, "/errors/data/0/param");
    };
    EXPECT_EQ(error_of("input_file_id"), "invalid_request file_id");
    EXPECT_EQ(error_of(render_id(FileId{{1, 2, 0}})), "invalid_request file_id");
    EXPECT_EQ(error_of(add_file(chat_line("a"), "batch", "other")), "invalid_request file_id");
    EXPECT_EQ(error_of(add_file(chat_line("a"), "vision")), "invalid_request input_file_id");
    EXPECT_EQ(error_of(add_file("")), "empty_file null");
    dialect_limits.batch_file_bytes_max = 10;
    build();
    EXPECT_EQ(error_of(add_file(chat_line("a"))), "file_too_large null");
}

TEST_F(OpenAiBatches, KeepTheirInputWhenItsFileIsRemoved) {
    const std::string file = add_file(chat_line("a"));
    const std::string id = text_at(create(batch_body(file)).body, "/id");
    ASSERT_TRUE(run(files->remove(kTeam, *parse_file(file))));
    work(id, 1, good());
    publish(id);
    EXPECT_EQ(status(id), "completed");
}

TEST_F(OpenAiBatches, KeepTheIdsOfResultFilesThatWereRemoved) {
    const std::string id = make_batch(1);
    work(id, 1, good());
    publish(id);
    const std::string output = text_at(batch(id), "/output_file_id");
    ASSERT_TRUE(run(files->remove(kTeam, *parse_file(output))));
    EXPECT_EQ(text_at(batch(id), "/output_file_id"), output);
    EXPECT_EQ(read_file(output), "not_found");
}

TEST_F(OpenAiBatches, LoseTheirBytesWhenTheirFilesWereAskedToExpire) {
    const std::string id = make_batch(1, R"(,"output_expires_after":{"anchor":"created_at","seconds":3600})");
    work(id, 1, good());
    publish(id);
    const std::string output = text_at(batch(id), "/output_file_id");
    const auto row = store->batches().find(kTeam, *parse_batch_id(id));
    ASSERT_TRUE(row->archive_at);
    EXPECT_EQ(*row->archive_at, row->expires_at + 2h);
    clock.advance(3600s);
    EXPECT_EQ(read_file(output), "not_found");
    ASSERT_TRUE(store->batches().archive(*parse_batch_id(id), clock.now()));
    EXPECT_EQ(status(id), "completed");
    EXPECT_EQ(text_at(batch(id), "/output_file_id"), output);
}

TEST_F(OpenAiBatches, AreNobodyElsesAndNothingElse) {
    const std::string id = make_batch(1);
    for (const std::string& target : {"/batches/" + id, "/batches/" + id + "/cancel"}) {
        const Answered foreign =
            call({.method = target.ends_with("cancel") ? "POST" : "GET", .target = target, .key = other_key});
        EXPECT_EQ(foreign.status, 404);
        EXPECT_EQ(
            foreign.body,
            fmt::format(
                R"({{"error":{{"message":"No batch found with id '{}'.","type":"invalid_request_error","param":null,"code":null}}}})",
                id));
    }
    EXPECT_EQ(text_at(call({.target = "/batches", .key = other_key}).body, "/data"), "[]");
    EXPECT_EQ(get("/batches/batch_id").status, 404);
}

TEST_F(OpenAiBatches, AreListedNewestFirstInPagesThatSurviveRemovals) {
    std::vector<std::string> made;
    for (int i = 0; i < 7; ++i) {
        made.push_back(text_at(
            create(batch_body(add_file("x"), fmt::format(R"(,"metadata":{{"n":"{}"}})", i))).body, "/id"));
        if (i % 2 == 0) clock.advance(1s);
    }
    std::vector<std::string> newest_first(made.rbegin(), made.rend());
    EXPECT_EQ(listed(), newest_first);
    std::vector<std::string> paged;
    std::string query = "?limit=2";
    while (true) {
        const std::string page = get("/batches" + query).body;
        const auto ids = listed(query);
        if (!ids.empty()) {
            EXPECT_EQ(text_at(page, "/first_id"), ids.front());
            EXPECT_EQ(text_at(page, "/last_id"), ids.back());
        }
        paged.insert(paged.end(), ids.begin(), ids.end());
        if (text_at(page, "/has_more") == "false") break;
        query = "?limit=2&after=" + ids.back();
        for (const std::string& id : ids) ASSERT_TRUE(run(batches->remove(kTeam, *parse_batch_id(id))));
    }
    EXPECT_EQ(paged, newest_first);
    EXPECT_EQ(listed("?after=after"), std::vector<std::string>{});
    EXPECT_EQ(text_at(get("/batches?after=after").body, "/has_more"), "false");
    EXPECT_EQ(get("/batches?limit=0").status, 200);
}

TEST_F(OpenAiBatches, AreMadeOnceHoweverOftenAnSdkRetries) {
    const std::string body = batch_body(add_file(chat_line("a")));
    const auto retry = [](const char* count) {
        http::Headers headers;
        headers.add("x-stainless-retry-count", count);
        return headers;
    };
    const std::string first = create(body, retry("0")).body;
    EXPECT_EQ(create(body, retry("1")).body, first);
    EXPECT_EQ(create(body, retry("2")).body, first);
    EXPECT_EQ(listed().size(), 1U);
    // Who asks anew wants another one; what is retried then is the newer.
    const std::string second = create(body, retry("0")).body;
    EXPECT_NE(second, first);
    EXPECT_EQ(create(body, retry("1")).body, second);
    EXPECT_NE(create(batch_body(add_file(chat_line("a"))), retry("1")).body, second);
    EXPECT_EQ(listed().size(), 3U);
    clock.advance(15min);
    EXPECT_NE(text_at(create(body, retry("1")).body, "/id"), text_at(second, "/id"));
}

TEST_F(OpenAiBatches, AreMadeOnceUnderAKey) {
    const std::string body = batch_body(add_file(chat_line("a")));
    http::Headers keyed;
    keyed.add("Idempotency-Key", "k-1");
    const std::string first = create(body, keyed).body;
    EXPECT_EQ(create(body, keyed).body, first);
    const Answered other = create(body + " ", keyed);
    EXPECT_EQ(other.status, 409);
    EXPECT_EQ(other.headers.find("x-should-retry"), "false");
    EXPECT_EQ(listed().size(), 1U);
    EXPECT_EQ(create("{", keyed).status, 409);
    clock.advance(24h);
    EXPECT_NE(create(body, keyed).body, first);
    EXPECT_EQ(call({.method = "POST", .target = "/batches", .body = body, .headers = keyed, .key = other_key})
                  .status,
              200);
}

TEST_F(OpenAiBatches, DoNotBindTheirKeyWhenTheCallIsRefused) {
    http::Headers keyed;
    keyed.add("Idempotency-Key", "k-1");
    EXPECT_EQ(create("{", keyed).status, 400);
    EXPECT_EQ(create(batch_body(add_file(chat_line("a"))), keyed).status, 200);
}

TEST_F(OpenAiBatches, RefuseABodyThatIsTooLarge) {
    const std::string body = batch_body("f");
    EXPECT_EQ(call({.method = "POST",
                    .target = "/batches",
                    .body = body + std::string((1 << 20) + 1 - body.size(), ' '),
                    .piece = 1 << 16})
                  .status,
              413);
    EXPECT_EQ(listed().size(), 0U);
}

TEST_F(OpenAiBatches, ReadAFileOfManyLinesWhileOthersAreServed) {
    std::string lines;
    for (int i = 0; i < 5'000; ++i) lines += chat_line(fmt::format("request-{}", i));
    const std::string id = text_at(create(batch_body(add_file(lines))).body, "/id");
    EXPECT_EQ(text_at(batch(id), "/request_counts/total"), "5000");
}

}  // namespace
}  // namespace sheaf::dialect::openai

#include <gtest/gtest.h>

#include "dialect/anthropic/codec.h"
#include "dialect/anthropic/testing_world.h"

namespace sheaf::dialect::anthropic {
namespace {

constexpr std::string_view kAll = "/v1/messages/batches";

class MessageBatches : public AnthropicWorld {
protected:
    static std::string body_of(std::size_t items, const std::string& params = R"({"model":"local"})") {
        std::string body = R"({"requests":[)";
        for (std::size_t i = 0; i < items; ++i) {
            if (i > 0) body += ',';
            body += "{\"custom_id\":\"item-" + std::to_string(i) + "\",\"params\":" + params + "}";
        }
        return body + "]}";
    }
    static std::string good_params() {
        return R"({"model":"local","max_tokens":9,"messages":[{"role":"user","content":"x"}]})";
    }
    static std::string target(const std::string& id, const std::string& rest = "") {
        return std::string(kAll) + "/" + id + rest;
    }
    Answered create(std::string body, http::Headers headers = {}) {
        return call({.method = "POST",
                     .target = std::string(kAll),
                     .body = std::move(body),
                     .headers = std::move(headers),
                     .piece = 1 << 16});
    }
    std::string make_batch(std::size_t items) { return at(create(body_of(items, good_params())), "/id"); }
    Answered cancel(const std::string& id) {
        return call({.method = "POST", .target = target(id, "/cancel")});
    }
    std::string counts(const std::string& id) { return at(get(target(id)), "/request_counts"); }
    static http::Headers attempt(const std::string& number) {
        http::Headers headers;
        headers.add("x-stainless-retry-count", number);
        return headers;
    }
    std::string ids(const std::string& query) {
        const auto document = jsonl::Document::parse(get(std::string(kAll) + query).body);
        std::string text;
        for (const auto row : document->root()["data"].get_array().value_unsafe())
            text += std::string(row["id"].get_string().value_unsafe()) + " ";
        return text;
    }
};

TEST_F(MessageBatches, CountNothingBeforeTheyHaveEnded) {
    const std::string id = make_batch(3);
    work(id, 1, good_answer());
    work(id, 1, core::Failed{{.code = "invalid_request", .message = "Wrong."}});
    EXPECT_EQ(counts(id), R"({"processing":3,"succeeded":0,"errored":0,"canceled":0,"expired":0})");
    EXPECT_EQ(at(get(target(id)), "/processing_status"), "in_progress");
    work(id, 1, good_answer());
    EXPECT_EQ(counts(id), R"({"processing":0,"succeeded":2,"errored":1,"canceled":0,"expired":0})");
    const Answered ended = get(target(id));
    EXPECT_EQ(at(ended, "/processing_status"), "ended");
    EXPECT_EQ(at(ended, "/ended_at"), "2026-06-18T10:00:00.000000Z");
    EXPECT_EQ(at(ended, "/cancel_initiated_at"), "null");
    EXPECT_EQ(at(ended, "/results_url"), "http://sheaf.test:8080" + target(id, "/results"));
}

TEST_F(MessageBatches, GiveALineForEachItemBeforeAndAfterTheyAreLaidOut) {
    const std::string id = make_batch(3);
    work(id, 1, good_answer());
    work(id, 1, core::Failed{{.code = "model_not_found", .message = "No such model."}});
    EXPECT_EQ(get(target(id, "/results")).status, 400);
    EXPECT_EQ(cancel(id).status, 200);
    const Answered answered = get(target(id, "/results"));
    EXPECT_EQ(answered.headers.find("content-type"), "application/x-jsonl");
    const core::ItemHead item{.id = {}, .custom_id = "item-0"};
    EXPECT_EQ(
        answered.body,
        Codec().line({}, item, good_answer()) +
            R"({"custom_id":"item-1","result":{"type":"errored","error":{"type":"error","error":{"type":"not_found_error","message":"No such model."},"request_id":null}}})"
            "\n"
            R"({"custom_id":"item-2","result":{"type":"canceled"}})"
            "\n");
    publish(id);
    const Answered laid_out = get(target(id, "/results"));
    EXPECT_EQ(laid_out.body, answered.body);
    EXPECT_TRUE(laid_out.headers.find("request-id"));
    EXPECT_EQ(counts(id), R"({"processing":0,"succeeded":1,"errored":1,"canceled":1,"expired":0})");
}

TEST_F(MessageBatches, AreCutWhenTheirResultsGoAwayUnderAReader) {
    const std::string id = make_batch(1000);
    ASSERT_EQ(cancel(id).status, 200);
    EXPECT_FALSE(get(target(id, "/results")).was_cut);
    EXPECT_TRUE(call({.target = target(id, "/results"), .gone_after = 1}).was_cut);
}

TEST_F(MessageBatches, LetWhatRunsFinishAfterACancel) {
    const std::string id = make_batch(2);
    const auto claimed =
        store->items().claim({.batch = *parse_batch_id(id), .count_max = 1, .now = clock.now()});
    ASSERT_TRUE(claimed);
    EXPECT_EQ(at(cancel(id), "/processing_status"), "canceling");
    clock.advance(1s);
    const Answered again = cancel(id);
    EXPECT_EQ(at(again, "/processing_status"), "canceling");
    EXPECT_EQ(at(again, "/cancel_initiated_at"), "2026-06-18T10:00:00.000000Z");
    EXPECT_EQ(counts(id), R"({"processing":2,"succeeded":0,"errored":0,"canceled":0,"expired":0})");
    EXPECT_EQ(call({.method = "DELETE", .target = target(id)}).status, 400);
    const core::Lease& lease = claimed->leases[0];
    const store::ItemResult result{lease.item.id,
                                   lease.epoch,
                                   core::ItemState::succeeded,
                                   dialect->codec().line({}, lease.item, good_answer()),
                                   {},
                                   clock.now()};
    ASSERT_TRUE(store->items().finish({&result, 1}));
    EXPECT_EQ(at(get(target(id)), "/processing_status"), "ended");
    EXPECT_EQ(counts(id), R"({"processing":0,"succeeded":1,"errored":0,"canceled":1,"expired":0})");
}

TEST_F(MessageBatches, CannotBeCanceledOnceTheyEndedByThemselves) {
    const std::string id = make_batch(1);
    work(id, 1, good_answer());
    const Answered refused = cancel(id);
    EXPECT_EQ(refused.status, 400);
    EXPECT_EQ(at(refused, "/error/type"), "invalid_request_error");
}

TEST_F(MessageBatches, ExpireAfterADay) {
    const std::string id = make_batch(2);
    work(id, 1, good_answer());
    clock.advance(24h);
    const Answered ended = get(target(id));
    EXPECT_EQ(at(ended, "/processing_status"), "ended");
    EXPECT_EQ(at(ended, "/cancel_initiated_at"), "null");
    EXPECT_EQ(counts(id), R"({"processing":0,"succeeded":1,"errored":0,"canceled":0,"expired":1})");
    EXPECT_TRUE(get(target(id, "/results"))
                    .body.ends_with("{\"custom_id\":\"item-1\",\"result\":{\"type\":\"expired\"}}\n"));
}

TEST_F(MessageBatches, KeepTheirNameWhenTheirResultsAreGone) {
    const std::string id = make_batch(1);
    work(id, 1, good_answer());
    const auto batch = store->batches().find(kTeam, *parse_batch_id(id));
    EXPECT_EQ(batch->archive_at, batch->created_at + 29 * 24h);
    EXPECT_EQ(batch->purge_at, batch->created_at + 365 * 24h);
    clock.advance(29 * 24h);
    ASSERT_TRUE(store->batches().archive(batch->id, clock.now()));
    const Answered archived = get(target(id));
    EXPECT_EQ(at(archived, "/processing_status"), "ended");
    EXPECT_EQ(at(archived, "/archived_at"), "2026-07-17T10:00:00.000000Z");
    EXPECT_EQ(at(archived, "/results_url"), "null");
    const Answered gone = get(target(id, "/results"));
    EXPECT_EQ(gone.status, 404);
    EXPECT_EQ(at(gone, "/error/type"), "not_found_error");
    EXPECT_NE(ids(""), "");
    EXPECT_EQ(call({.method = "DELETE", .target = target(id)}).status, 200);
    EXPECT_EQ(ids(""), "");
}

TEST_F(MessageBatches, ArePagedBothWaysFromTheCursor) {
    std::vector<std::string> made;
    for (int i = 0; i < 5; ++i) {
        made.push_back(make_batch(1));
        clock.advance(1s);
    }
    const auto row = [&](std::size_t age) { return made[4 - age] + " "; };
    EXPECT_EQ(ids("?limit=2"), row(0) + row(1));
    EXPECT_EQ(ids("?limit=2&after_id=" + made[3]), row(2) + row(3));
    EXPECT_EQ(ids("?limit=2&after_id=" + made[1]), row(4));
    EXPECT_EQ(ids("?limit=2&before_id=" + made[0]), row(2) + row(3));
    EXPECT_EQ(ids("?limit=2&before_id=" + made[3]), row(0));
    EXPECT_EQ(ids("?after_id=" + made[4] + "&before_id=" + made[0]), row(1) + row(2) + row(3));
    EXPECT_EQ(ids("?after_id=" + made[3] + "&before_id=" + made[0] + "&limit=1"), row(2));
    EXPECT_EQ(ids("?after_id=" + made[0] + "&before_id=" + made[4]), "");
    EXPECT_EQ(at(get(std::string(kAll) + "?limit=2&before_id=" + made[0]), "/has_more"), "true");
    EXPECT_EQ(at(get(std::string(kAll) + "?limit=2&before_id=" + made[2]), "/has_more"), "false");
    EXPECT_EQ(at(get(std::string(kAll) + "?limit=2&after_id=" + made[2]), "/has_more"), "false");
    const Answered page = get(std::string(kAll) + "?limit=2&after_id=" + made[4]);
    EXPECT_EQ(at(page, "/first_id"), made[3]);
    EXPECT_EQ(at(page, "/last_id"), made[2]);
    EXPECT_EQ(at(page, "/has_more"), "true");
}

TEST_F(MessageBatches, AreStillPagedFromACursorThatWasDeleted) {
    const std::string older = make_batch(1);
    clock.advance(1s);
    const std::string deleted = make_batch(1);
    ASSERT_EQ(cancel(deleted).status, 200);
    ASSERT_EQ(call({.method = "DELETE", .target = target(deleted)}).status, 200);
    EXPECT_EQ(ids("?after_id=" + deleted), older + " ");
}

TEST_F(MessageBatches, MadeByACallThatIsRepeatedAreMadeOnce) {
    const std::string id = at(create(body_of(2), attempt("0")), "/id");
    const Answered repeated = create(body_of(2), attempt("1"));
    EXPECT_EQ(repeated.status, 200);
    EXPECT_EQ(at(repeated, "/id"), id);
    EXPECT_EQ(at(create(body_of(2), attempt("2")), "/id"), id);
    EXPECT_EQ(ids(""), id + " ");
    // Without the header the call is another one, and so is one with another body, version or key.
    const std::string second = at(create(body_of(2)), "/id");
    EXPECT_NE(second, id);
    EXPECT_EQ(at(create(body_of(2), attempt("1")), "/id"), second);
    EXPECT_NE(at(create(body_of(3), attempt("1")), "/id"), second);
    http::Headers newer = attempt("1");
    newer.add("anthropic-version", "2026-10-21");
    EXPECT_NE(at(create(body_of(2), newer), "/id"), second);
    const std::string same_account = new_key("team");
    EXPECT_NE(at(call({.method = "POST",
                       .target = std::string(kAll),
                       .body = body_of(2),
                       .headers = attempt("1"),
                       .key = same_account}),
                 "/id"),
              second);
}

TEST_F(MessageBatches, AreMadeAnewWhenTheFirstIsLongAgoOrDeleted) {
    const std::string first = at(create(body_of(1)), "/id");
    clock.advance(15min);
    const std::string second = at(create(body_of(1), attempt("1")), "/id");
    EXPECT_NE(second, first);
    ASSERT_EQ(cancel(second).status, 200);
    ASSERT_EQ(call({.method = "DELETE", .target = target(second)}).status, 200);
    const Answered third = create(body_of(1), attempt("1"));
    EXPECT_EQ(third.status, 200);
    EXPECT_NE(at(third, "/id"), second);
}

TEST_F(MessageBatches, HaveAtMostAHundredThousandRequests) {
    const Answered full = create(body_of(100'000, "{}"));
    EXPECT_EQ(at(full, "/request_counts/processing"), "100000");
    const std::string before = stored();
    const Answered refused = create(body_of(100'001, "{}"));
    EXPECT_EQ(refused.status, 400);
    EXPECT_EQ(at(refused, "/error/message"), "requests: Array should have at most 100000 items");
    EXPECT_EQ(stored(), before);
}

TEST_F(MessageBatches, AreLimitedToTheByte) {
    const std::string body = body_of(3);
    offered.batch_bytes_max = body.size();
    build();
    EXPECT_EQ(create(body).status, 200);
    const std::string before = stored();
    const Answered refused = create(body + " ");
    EXPECT_EQ(refused.status, 413);
    EXPECT_EQ(at(refused, "/error/type"), "request_too_large");
    EXPECT_EQ(stored(), before);
}

TEST_F(MessageBatches, LeaveNothingWhenTheirClientGoesAway) {
    const std::string before = stored();
    EXPECT_NE(
        call({.method = "POST", .target = std::string(kAll), .body = body_of(2), .body_fails_at = 50}).status,
        200);
    EXPECT_EQ(stored(), before);
}

TEST_F(MessageBatches, RefuseEveryTruncationAndKeepNothing) {
    const std::string before = stored();
    const std::string whole = body_of(2, R"({"a":[1,{"b":"\""}]})");
    for (std::size_t end = 1; end < whole.size(); ++end)
        ASSERT_EQ(create(whole.substr(0, end)).status, 400) << end;
    EXPECT_EQ(create(whole + "x").status, 400);
    EXPECT_EQ(create(std::string(100'000, '[')).status, 400);
    EXPECT_EQ(create(R"({"requests":[{"custom_id":"a","params":{"b":")"
                     "\xc3\x28"
                     R"("}}]})")
                  .status,
              400);
    EXPECT_EQ(stored(), before);
}

TEST_F(MessageBatches, TakeItemsThatAreWrongAndGiveEachItsLine) {
    const Answered created = create(
        R"({"requests":[{"custom_id":"good","params":)" + good_params() +
        R"(},{"custom_id":"zero","params":{"model":"local","max_tokens":0,"messages":[{"role":"user","content":"x"}]}},{"custom_id":"deep","params":{"a":)" +
        std::string(500, '[') + std::string(500, ']') + "}}]}");
    ASSERT_EQ(created.status, 200) << created.body;
    const auto claimed = store->items().claim(
        {.batch = *parse_batch_id(at(created, "/id")), .count_max = 3, .now = clock.now()});
    ASSERT_TRUE(claimed);
    const auto batch = store->batches().find(kTeam, *parse_batch_id(at(created, "/id")));
    EXPECT_TRUE(dialect->codec().decode(*batch, claimed->leases[0].body));
    EXPECT_EQ(claimed->leases[0].body, good_params());
    const auto zero = dialect->codec().decode(*batch, claimed->leases[1].body);
    ASSERT_FALSE(zero);
    EXPECT_EQ(zero.error().field, "max_tokens");
    EXPECT_FALSE(dialect->codec().decode(*batch, claimed->leases[2].body));
}

TEST_F(MessageBatches, KeepTheVersionTheyWereMadeWith) {
    refuses_sampling = true;
    build();
    http::Headers newer;
    newer.add("anthropic-version", "2026-10-21");
    const auto id = parse_batch_id(at(create(body_of(1), newer), "/id"));
    const MessageRules rules = read_shared(store->batches().find(kTeam, *id)->shared);
    EXPECT_EQ(rules.version, Version::v2026_10_21);
    EXPECT_TRUE(rules.refuses_sampling);
    EXPECT_TRUE(rules.is_in_batch);
}

TEST_F(MessageBatches, NameTheAddressThatTheOperatorSet) {
    public_url = "https://sheaf.example/anthropic/";
    build();
    const std::string id = make_batch(1);
    work(id, 1, good_answer());
    EXPECT_EQ(at(get(target(id)), "/results_url"),
              "https://sheaf.example/anthropic" + target(id, "/results"));
}

TEST_F(MessageBatches, AreNotReadBeforeTheKeyIsKnown) {
    const Answered answered =
        call({.method = "POST", .target = std::string(kAll), .body = "{", .key = "none"});
    EXPECT_EQ(answered.status, 401);
    EXPECT_FALSE(answered.body_was_read);
}

TEST_F(MessageBatches, TakeTheKeyAsABearerTokenUnlessThereIsAnother) {
    http::Headers bearer;
    bearer.add("Authorization", "Bearer " + key);
    EXPECT_EQ(call({.target = std::string(kAll), .headers = bearer, .key = "none"}).status, 200);
    EXPECT_EQ(call({.target = std::string(kAll), .headers = bearer, .key = "sheaf_wrong"}).status, 401);
}

TEST_F(MessageBatches, CountAgainstTheRateWhenThereIsOne) {
    per_minute = 2;
    build();
    const Answered first = get(std::string(kAll));
    EXPECT_EQ(first.headers.find("anthropic-ratelimit-requests-limit"), "2");
    EXPECT_EQ(first.headers.find("anthropic-ratelimit-requests-remaining"), "1");
    EXPECT_EQ(first.headers.find("anthropic-ratelimit-requests-reset"), "2026-06-18T10:01:00.000000Z");
    EXPECT_EQ(get(std::string(kAll)).status, 200);
    const Answered refused = get(std::string(kAll));
    EXPECT_EQ(refused.status, 429);
    EXPECT_EQ(at(refused, "/error/type"), "rate_limit_error");
    EXPECT_EQ(refused.headers.find("retry-after"), "60");
    EXPECT_TRUE(refused.headers.find("request-id"));
    EXPECT_EQ(call({.target = std::string(kAll), .key = other_key}).status, 200);
    clock.advance(60s);
    EXPECT_EQ(get(std::string(kAll)).status, 200);
}

}  // namespace
}  // namespace sheaf::dialect::anthropic

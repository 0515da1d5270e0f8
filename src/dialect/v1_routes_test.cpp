#include "dialect/v1_routes.h"

#include <gtest/gtest.h>

#include "dialect/dialect_world.h"
#include "dialect/sail/sail.h"

namespace sheaf::dialect {
namespace {

async::Task<http::Response> say(std::string text) {
    co_return json_response(200, "\"" + text + "\"");
}

// Handlers that say who was asked for what.
http::Handler says(std::string text) {
    return [text = std::move(text)](http::Request&) { return say(text); };
}

SharedHandlers handlers_of(const std::string& name) {
    return {
        .create_batch = [name](http::Request&, service::Spool) { return say(name + " create"); },
        .list_batches = says(name + " list"),
        .retrieve_batch = says(name + " retrieve"),
        .cancel_batch = says(name + " cancel"),
        .retrieve_item = {},
        .list_models = says(name + " models"),
        .retrieve_model = says(name + " model"),
        .under_v1 = {.not_found = says(name + " not found"), .method_not_allowed = says(name + " method")}};
}

class V1RoutesTest : public DialectWorld {
protected:
    V1RoutesTest() { build(); }
    ~V1RoutesTest() override { run(sail_dialect->stop()); }

    void build() {
        if (sail_dialect) run(sail_dialect->stop());
        build_batches();
        sail_dialect = make_sail_dialect({io.get_executor(), *accounts, *batches, live});
        SharedHandlers sail = only_sail_is_real ? sail_dialect->shared() : handlers_of("sail");
        if (!sail.retrieve_item) sail.retrieve_item = says("sail item");
        routes.emplace(V1Routes::Parts{.accounts = &*accounts,
                                       .batches = &*batches,
                                       .openai = handlers_of("openai"),
                                       .sail = std::move(sail),
                                       .anthropic = handlers_of("anthropic"),
                                       .batch_ids = {sail::parse_batch_id},
                                       .create_bytes_max = bytes_max,
                                       .list = list});
        router.emplace();
        routes->add_to(*router);
    }

    std::string stored_batch(const std::string& dialect) {
        store::BatchDraft draft;
        draft.batch.id = make_batch_id(clock.now());
        draft.batch.account = kTeam;
        draft.batch.dialect = dialect;
        draft.items_named = true;
        draft.items.push_back({.custom_id = "a"});
        auto body = store->batches().new_body();
        EXPECT_TRUE(body);
        const auto created = store->batches().create(std::move(draft), std::move(*body));
        EXPECT_TRUE(created);
        return to_string(created->id);
    }

    std::string who(const Asked& asked) { return call(asked).body; }
    std::string who_posts(const std::string& body) { return post("/v1/batches", body).body; }
    static Asked with(std::string target, const std::string& name, const std::string& value) {
        Asked asked{.target = std::move(target)};
        asked.headers.add(name, value);
        return asked;
    }

    bool only_sail_is_real = false;
    std::uint64_t bytes_max = 1000;
    SharedList list = SharedList::openai;
    std::unique_ptr<Dialect> sail_dialect;
    std::optional<V1Routes> routes;
};

TEST_F(V1RoutesTest, ABodyIsWhoseMembersItHas) {
    EXPECT_EQ(who_posts(R"({"endpoint":"/v1/responses","requests":[]})"), R"("sail create")");
    EXPECT_EQ(who_posts(R"({"label":{"input_file_id":1},"requests":[]})"), R"("sail create")");
    EXPECT_EQ(who_posts(R"({"input_file_id":"file-1","endpoint":"/v1/responses"})"), R"("openai create")");
    EXPECT_EQ(who_posts(R"({"endpoint":"/v1/responses"})"), R"("openai create")");
    EXPECT_EQ(who_posts("nonsense"), R"("openai create")");
    EXPECT_EQ(who_posts(""), R"("openai create")");
    EXPECT_EQ(who_posts(R"({"requests":[)"), R"("openai create")");
    EXPECT_EQ(who_posts(R"({"requests":[],)"), R"("sail create")");
    const Answered both = post("/v1/batches", R"({"input_file_id":"f","requests":[]})");
    EXPECT_EQ(both.status, 400);
    EXPECT_EQ(
        both.body,
        R"({"error":{"message":"A batch has requests or an input_file_id, not both.","type":"invalid_request_error","param":"requests","code":null}})");
}

TEST_F(V1RoutesTest, AStrangersBodyIsNotRead) {
    for (const std::string& bad : {std::string("none"), std::string("sheaf_nonsense")}) {
        const Answered refused =
            call({.method = "POST", .target = "/v1/batches", .body = R"({"requests":[]})", .key = bad});
        EXPECT_EQ(refused.status, 401);
        EXPECT_NE(refused.body.find("invalid_api_key"), std::string::npos);
        EXPECT_FALSE(refused.body_was_read);
    }
}

TEST_F(V1RoutesTest, ABodyIsRefusedWhereItPassesTheLimit) {
    const Answered refused = post("/v1/batches", R"({"requests":[]})" + std::string(1000, ' '));
    EXPECT_EQ(refused.status, 413);
    EXPECT_NE(refused.body.find(R"("error":{"message")"), std::string::npos) << refused.body;
}

TEST_F(V1RoutesTest, TheListIsWhoseClientAsks) {
    EXPECT_EQ(who({.target = "/v1/batches"}), R"("openai list")");
    EXPECT_EQ(who({.target = "/v1/batches?after_id=x"}), R"("sail list")");
    EXPECT_EQ(who({.target = "/v1/batches?limit=1&before_id=x"}), R"("sail list")");
    list = SharedList::sail;
    build();
    EXPECT_EQ(who({.target = "/v1/batches?limit=1"}), R"("sail list")");
    EXPECT_EQ(who({.target = "/v1/batches?after=x"}), R"("openai list")");
    EXPECT_EQ(who(with("/v1/batches", "X-Stainless-Lang", "js")), R"("openai list")");
    EXPECT_EQ(who(with("/v1/batches", "User-Agent", "OpenAI/Python 1.0")), R"("openai list")");
    EXPECT_EQ(who(with("/v1/batches", "User-Agent", "AsyncOpenAI/Python 1.0")), R"("openai list")");
    EXPECT_EQ(who(with("/v1/batches", "User-Agent", "curl/8 OpenAI/")), R"("sail list")");
}

TEST_F(V1RoutesTest, ABatchIsWhoseItCameInBy) {
    const std::string sails = stored_batch("sail");
    const std::string openais = stored_batch("openai");
    const std::string twelvelabs = stored_batch("twelvelabs");
    EXPECT_EQ(who({.target = "/v1/batches/batch_" + sails}), R"("sail retrieve")");
    EXPECT_EQ(who({.method = "POST", .target = "/v1/batches/batch_" + sails + "/cancel"}),
              R"("sail cancel")");
    EXPECT_EQ(who({.target = "/v1/batches/batch_" + sails + "/a"}), R"("sail item")");
    EXPECT_EQ(who({.target = "/v1/batches/batch_" + sails + "/cancel"}), R"("sail item")");
    for (const std::string& other : {openais, twelvelabs, std::string("0123456789abcdef01200000")}) {
        EXPECT_EQ(who({.target = "/v1/batches/batch_" + other}), R"("openai retrieve")");
        EXPECT_EQ(who({.method = "POST", .target = "/v1/batches/batch_" + other + "/cancel"}),
                  R"("openai cancel")");
        EXPECT_EQ(who({.target = "/v1/batches/batch_" + other + "/a"}), R"("openai not found")");
    }
    EXPECT_EQ(who({.target = "/v1/batches/nonsense"}), R"("openai retrieve")");
    EXPECT_EQ(who({.target = "/v1/batches/batch_" + sails, .key = other_key}), R"("openai retrieve")");
    EXPECT_EQ(who({.target = "/v1/batches/batch_" + sails, .key = "none"}), R"("openai retrieve")");
}

TEST_F(V1RoutesTest, ModelsAndWhatIsNotThereAreAnthropicsForItsClients) {
    EXPECT_EQ(who({.target = "/v1/models"}), R"("openai models")");
    EXPECT_EQ(who({.target = "/v1/models/m"}), R"("openai model")");
    EXPECT_EQ(who({.target = "/v1/nothing"}), R"("openai not found")");
    EXPECT_EQ(who({.method = "DELETE", .target = "/v1/batches/x"}), R"("openai method")");
    EXPECT_EQ(who(with("/v1/models", "anthropic-version", "2023-06-01")), R"("anthropic models")");
    EXPECT_EQ(who(with("/v1/models/m", "anthropic-version", "2023-06-01")), R"("anthropic model")");
    EXPECT_EQ(who(with("/v1/nothing", "anthropic-version", "2023-06-01")), R"("anthropic not found")");
    Asked put = with("/v1/models", "anthropic-version", "2023-06-01");
    put.method = "PUT";
    EXPECT_EQ(who(put), R"("anthropic method")");
}

TEST_F(V1RoutesTest, ABatchOfSailsLivesHereAsUnderItsOwnPrefix) {
    only_sail_is_real = true;
    build();
    const Answered created = post(
        "/v1/batches",
        R"({"requests":[{"custom_id":"a","params":{"model":"local","input":"x"}}],"endpoint":"/v1/responses"})");
    ASSERT_EQ(created.status, 200) << created.body;
    const std::string id = created.body.substr(created.body.find("batch_"), 30);
    EXPECT_NE(get("/v1/batches/" + id).body.find(R"("request_status":{"a":{"status":"PENDING"}})"),
              std::string::npos);
    EXPECT_NE(get("/v1/batches/" + id + "/a").body.find(R"("status":"pending")"), std::string::npos);
    EXPECT_NE(get("/v1/batches?after_id=" + id).body.find("[]"), std::string::npos);
    EXPECT_NE(call({.method = "POST", .target = "/v1/batches/" + id + "/cancel"}).body.find("CANCELLED"),
              std::string::npos);
}

}  // namespace
}  // namespace sheaf::dialect

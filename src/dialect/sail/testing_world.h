#pragma once

#include "dialect/dialect_world.h"
#include "dialect/sail/sail.h"

// What the tests of this dialect share: its routes over real services, whose store is in memory.
namespace sheaf::dialect::sail {

class SailWorld : public DialectWorld {
protected:
    SailWorld() {
        key_header = "authorization";
        key.insert(0, "Bearer ");
        other_key.insert(0, "Bearer ");
        build();
    }
    ~SailWorld() override {
        live.held = false;
        turn_until([&] { return live.running == 0; });
        run(dialect->stop());
    }

    // Again, with the limits as they are now.
    void build() {
        if (dialect) run(dialect->stop());
        build_batches();
        dialect = make_sail_dialect({io.get_executor(), *accounts, *batches, live, sail_limits});
        router.emplace();
        dialect->add_routes(*router);
    }

    // Targets are below /sail/v1.
    Answered call(Asked asked) {
        asked.target.insert(0, "/sail/v1");
        return DialectWorld::call(std::move(asked));
    }
    Answered get(std::string target) { return call({.target = std::move(target)}); }
    Answered post(std::string target, std::string body) {
        return call({.method = "POST", .target = std::move(target), .body = std::move(body)});
    }

    // A batch of items item-0, item-1 …
    static std::string batch_of(std::size_t items, std::string_view more_params = "") {
        std::string requests;
        for (std::size_t i = 0; i < items; ++i)
            requests +=
                fmt::format(R"({}{{"custom_id":"item-{}","params":{{"model":"local","input":"Say {}."{}}}}})",
                            i == 0 ? "" : ",", i, i, more_params);
        return R"({"endpoint":"/v1/responses","requests":[)" + requests + "]}";
    }
    std::string create(const std::string& body) {
        const Answered answered =
            call({.method = "POST", .target = "/batches", .body = body, .piece = std::size_t{1} << 16});
        EXPECT_EQ(answered.status, 200) << answered.body;
        const auto at = answered.body.find("batch_");
        return at == std::string::npos ? "" : answered.body.substr(at, answered.body.find('"', at) - at);
    }

    // What a model server that speaks Responses answers.
    static core::Succeeded said(std::string_view text, std::string_view more = "") {
        core::Answer answer{
            .usage = {.input_tokens = 9, .output_tokens = 3, .cached_tokens = 2, .reasoning_tokens = 1}};
        answer.reply = fmt::format(
            R"({{"id":"resp_5f","object":"response","created_at":1781776800,"status":"completed","model":"local-2",)"
            R"("output":[{{"type":"message","id":"msg_1","role":"assistant","status":"completed","content":)"
            R"([{{"type":"output_text","text":"{}","annotations":[],"logprobs":[]}}]}}],"metadata":{{}},"temperature":1.0{}}})",
            text, more);
        return {answer};
    }

    // What the account has, to tell whether a refused call left anything.
    std::size_t stored() {
        return store->batches().list_beside({.account = kTeam, .count = 1000})->rows.size() +
               store->batches().unfinished()->size();
    }

    void work(const std::string& batch_id, std::uint32_t count, const core::Ending& ending) {
        DialectWorld::work(*parse_batch_id(batch_id), count, ending, dialect->codec());
    }
    void publish(const std::string& batch_id) {
        DialectWorld::publish(*parse_batch_id(batch_id), dialect->codec());
    }

    Limits sail_limits;
    std::unique_ptr<Dialect> dialect;
};

}  // namespace sheaf::dialect::sail

#pragma once

#include <deque>

#include <fcntl.h>

#include "dialect/twelvelabs/twelvelabs.h"
#include "http/router.h"
#include "service/accounts.h"
#include "service/assets_world.h"
#include "service/batches.h"

// What the tests of this dialect share: its routes over real services, whose ports are in memory, and calls
// without a socket.
namespace sheaf::dialect::twelvelabs {

using namespace std::chrono_literals;

// A body that comes in pieces of one size.
class TextBody final : public http::BodyReader {
public:
    TextBody(std::string text, std::size_t piece) : text_(std::move(text)), piece_(piece) {}
    async::Task<Result<std::size_t>> read(std::span<char> into) override {
        was_read = true;
        if (at_ == fails_at) co_return fail(ErrorCode::canceled, "the client went away");
        const std::size_t count = std::min({into.size(), piece_, text_.size() - at_, fails_at - at_});
        std::copy_n(text_.data() + at_, count, into.data());
        at_ += count;
        if (at_ > limit_) co_return fail(ErrorCode::too_large, "The body is too large.");
        co_return count;
    }
    void set_limit(std::uint64_t bytes_max) override { limit_ = bytes_max; }
    std::optional<std::uint64_t> announced_bytes() const override { return std::nullopt; }

    bool was_read = false;
    std::size_t fails_at = std::string::npos;

private:
    std::string text_;
    std::size_t piece_;
    std::size_t at_ = 0;
    std::uint64_t limit_ = 1U << 20;
};

class TextWriter final : public http::BodyWriter {
public:
    async::Task<Result<>> write(std::string_view bytes) override {
        if (gone) co_return fail(ErrorCode::canceled, "the client went away");
        text += bytes;
        ++writes;
        if (writes == gone_after) gone = true;
        co_return Result<>{};
    }
    bool client_gone() override { return gone; }

    std::string text;
    int writes = 0;
    int gone_after = -1;
    bool gone = false;
};

// Answers as it is told, in the order given.
class ScriptedLive final : public service::LiveRunner {
public:
    async::Task<core::Ending> run_live(AccountId, core::Inference inference,
                                       std::function<void(std::string_view)> on_text) override {
        asked.push_back(std::move(inference));
        ++running;
        struct Left {
            int& running;
            ~Left() { --running; }
        } const left{running};
        for (const std::string& piece : pieces) {
            if (pause.count() > 0) co_await async::sleep_for(pause);
            on_text(piece);
        }
        while (held) co_await async::sleep_for(1ms);
        co_return ending;
    }
    bool knows_model(std::string_view model) const override {
        return model == "pegasus1.5" || model == "local";
    }

    std::deque<core::Inference> asked;
    std::vector<std::string> pieces;
    core::Ending ending =
        core::Succeeded{{.text = "A fine video.", .usage = {.input_tokens = 9, .output_tokens = 3}}};
    std::chrono::milliseconds pause{0};
    bool held = false;
    int running = 0;
};

struct Answered {
    int status = 0;
    http::Headers headers;
    std::string body;
    bool was_cut = false;        // the connection was aborted
    bool body_was_read = false;  // the request's
};

struct Asked {
    std::string method = "GET";
    std::string target;  // below /v1.3, with its query
    std::string body = {};
    http::Headers headers = {};
    std::string content_type = "application/json";  // when there is a body
    std::string key = {};                           // empty: the account's own
    std::size_t piece = 7;                          // how many bytes the body comes in at a time
    int gone_after = -1;                            // the client leaves after so many writes
    std::size_t body_fails_at = std::string::npos;
};

class TwelveLabsWorld : public service::AssetsWorld {
protected:
    TwelveLabsWorld() : key(new_key("team")), other_key(new_key("other")) { build(); }
    ~TwelveLabsWorld() override {
        live.held = false;
        turn_until([&] { return live.running == 0; });
        run(dialect->stop());
    }

    // Again, with the limits as they are now.
    void build() {
        if (dialect) run(dialect->stop());
        render = render_details;
        restart();
        batches.emplace(async::Blocking<store::Batches>(store->batches(), store_lane), lane, clock, limits,
                        [] {});
        dialect = make_twelvelabs_dialect(
            {io.get_executor(), *accounts, *batches, *assets, live, public_url, "pegasus1.5", per_minute});
        router.emplace();
        dialect->add_routes(*router);
    }

    std::string new_key(const std::string& account) {
        const service::NewKey made = service::make_key({account}, clock.now());
        EXPECT_TRUE(store->keys().insert(made.stored));
        return made.key.reveal();
    }

    Answered call(Asked asked) {
        http::Request request;
        request.method = asked.method;
        const auto question = asked.target.find('?');
        request.path = "/v1.3" + http::percent_decode(asked.target.substr(0, question), false);
        if (question != std::string::npos)
            request.query = http::parse_query(asked.target.substr(question + 1));
        request.headers = asked.headers;
        request.headers.add("host", "sheaf.test:8080");
        if (asked.key != "none") request.headers.add("x-api-key", asked.key.empty() ? key : asked.key);
        if (!asked.body.empty()) request.headers.add("content-type", asked.content_type);
        TextBody body(std::move(asked.body), asked.piece);
        body.fails_at = asked.body_fails_at;
        request.body = &body;
        http::Response response = run(router->match(request)(request));
        Answered answered{response.status, response.headers, {}, false, body.was_read};
        if (auto* const text = std::get_if<std::string>(&response.body)) answered.body = std::move(*text);
        if (auto* const file = std::get_if<http::FileBody>(&response.body)) {
            answered.body.resize(file->bytes);
            EXPECT_EQ(::pread(file->file->fd(), answered.body.data(), file->bytes, 0),
                      static_cast<ssize_t>(file->bytes));
        }
        if (auto* const stream = std::get_if<http::StreamBody>(&response.body)) {
            TextWriter writer;
            writer.gone_after = asked.gone_after;
            answered.was_cut = !run((*stream)(writer));
            answered.body = writer.text;
        }
        return answered;
    }
    Answered get(std::string target) { return call({.target = std::move(target)}); }
    Answered post(std::string target, std::string body) {
        return call({.method = "POST", .target = std::move(target), .body = std::move(body)});
    }

    // An asset of the account that is ready; `bytes` begins with the word that says what it is.
    std::string ready_asset(std::string_view bytes) {
        const auto asset = create(bytes);
        EXPECT_TRUE(asset);
        turn_until([&] { return find(asset->id)->state != core::AssetState::processing; });
        return to_string(asset->id);
    }

    // What the lists show, to tell whether a refused call left anything.
    std::string stored() {
        std::string text;
        for (const char* const list :
             {"/analyze/batches", "/analyze/tasks", "/assets", "/assets/multipart-uploads"}) {
            const std::string body = get(list).body;
            text += body.substr(body.rfind("\"total_results\""));
        }
        return text;
    }

    // Runs up to `count` items of a batch to the ending that `ending` gives each.
    void work(const std::string& batch_id, std::uint32_t count, const core::Ending& ending) {
        const BatchId id = *parse_batch_id(batch_id);
        const auto claimed = store->items().claim({.batch = id, .count_max = count, .now = clock.now()});
        ASSERT_TRUE(claimed);
        const auto batch = store->batches().find(kTeam, id);
        ASSERT_TRUE(batch);
        for (const core::Lease& lease : claimed->leases) {
            ASSERT_TRUE(dialect->codec().decode(*batch, lease.body));
            const bool good = std::holds_alternative<core::Succeeded>(ending);
            const store::ItemResult result{lease.item.id,
                                           lease.epoch,
                                           good ? core::ItemState::succeeded : core::ItemState::failed,
                                           dialect->codec().line(*batch, lease.item, ending),
                                           {},
                                           clock.now()};
            ASSERT_TRUE(store->items().finish({&result, 1}));
        }
    }
    void publish(const std::string& batch_id) {
        const auto render = [&](const core::Batch& batch, const core::ItemHead& item) {
            return dialect->codec().line(batch, item, core::Canceled{});
        };
        ASSERT_TRUE(store->batches().publish(*parse_batch_id(batch_id), {.render = render}));
    }

    std::string public_url;
    std::uint32_t per_minute = 0;
    std::string key;
    std::string other_key;
    std::optional<service::Accounts> accounts{std::in_place,
                                              async::Blocking<store::Keys>(store->keys(), store_lane), clock};
    std::optional<service::Batches> batches;
    ScriptedLive live;
    std::unique_ptr<Dialect> dialect;
    std::optional<http::Router> router;
};

}  // namespace sheaf::dialect::twelvelabs

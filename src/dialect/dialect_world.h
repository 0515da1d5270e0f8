#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <unistd.h>

#include "core/item_codec.h"
#include "http/router.h"
#include "service/accounts.h"
#include "service/assets_world.h"
#include "service/batches.h"
#include "service/files.h"
#include "service/followers.h"
#include "service/live.h"
#include "service/webhooks.h"

// What the tests of dialects share: accounts and batches whose store is in memory, a model that answers as it
// is told, and calls of routes without a socket.
namespace sheaf::dialect {

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

    std::size_t bytes_read() const { return at_; }

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
            if (on_text) on_text(piece);
        }
        while (held) co_await async::sleep_for(1ms);
        co_return ending;
    }
    bool knows_model(std::string_view model) const override {
        return std::ranges::find(known, model) != known.end();
    }
    std::vector<std::string> models() const override { return known; }

    std::vector<std::string> known{"local", "pegasus1.5"};

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
    std::size_t body_bytes_read = 0;
};

struct Asked {
    std::string method = "GET";
    std::string target;  // with its query
    std::string body = {};
    http::Headers headers = {};
    std::string content_type = "application/json";  // when there is a body
    std::string key = {};                           // empty: the account's own
    std::size_t piece = 7;                          // how many bytes the body comes in at a time
    int gone_after = -1;                            // the client leaves after so many writes
    std::size_t body_fails_at = std::string::npos;
};

// Derived from by each dialect's world, which adds the routes.
class DialectWorld : public service::AssetsWorld {
protected:
    DialectWorld() : key(new_key("team")), other_key(new_key("other")) {}
    ~DialectWorld() override { live.held = false; }

    // Again, with the limits as they are now.
    void build_batches() {
        batches.emplace(async::Blocking<store::Batches>(store->batches(), store_lane), lane, clock, limits,
                        core::Codecs{}, [] {});
    }
    void build_files() {
        files.emplace(service::Files::Parts{.store = {store->files(), store_lane},
                                            .batches = {store->batches(), store_lane},
                                            .blobs = {blobs, lane},
                                            .lane = &lane,
                                            .clock = &clock,
                                            .limits = limits});
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
        request.path = http::percent_decode(asked.target.substr(0, question), false);
        request.target = asked.target;
        if (question != std::string::npos)
            request.query = http::parse_query(asked.target.substr(question + 1));
        request.headers = asked.headers;
        request.headers.add("host", "sheaf.test:8080");
        if (asked.key != "none") request.headers.add(key_header, asked.key.empty() ? key : asked.key);
        if (!asked.body.empty()) request.headers.add("content-type", asked.content_type);
        TextBody body(std::move(asked.body), asked.piece);
        body.fails_at = asked.body_fails_at;
        request.body = &body;
        http::Response response = run(router->match(request)(request));
        Answered answered{response.status, response.headers, {}, false, body.was_read, body.bytes_read()};
        if (auto* const text = std::get_if<std::string>(&response.body)) answered.body = std::move(*text);
        if (auto* const file = std::get_if<http::FileBody>(&response.body)) {
            answered.body.resize(file->bytes);
            EXPECT_EQ(::pread(file->file->fd(), answered.body.data(), file->bytes,
                              static_cast<off_t>(file->offset)),
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

    // Runs up to `count` items of a batch to the ending that `ending` gives each.
    void work(const BatchId& id, std::uint32_t count, const core::Ending& ending,
              const core::ItemCodec& codec) {
        const auto claimed = store->items().claim({.batch = id, .count_max = count, .now = clock.now()});
        ASSERT_TRUE(claimed);
        const auto batch = store->batches().find(kTeam, id);
        ASSERT_TRUE(batch);
        for (const core::Lease& lease : claimed->leases) {
            ASSERT_TRUE(codec.decode(*batch, lease.body));
            const auto* const good = std::get_if<core::Succeeded>(&ending);
            const store::ItemResult result{lease.item.id,
                                           lease.epoch,
                                           good ? core::ItemState::succeeded : core::ItemState::failed,
                                           codec.line(*batch, lease.item, ending),
                                           good ? good->answer.usage : core::Usage{},
                                           clock.now()};
            ASSERT_TRUE(store->items().finish({&result, 1}));
        }
    }
    // As the publisher does.
    void publish(const BatchId& id, const core::ItemCodec& codec) {
        store::Batches::Layout layout;
        layout.order = codec.results_order();
        layout.render = [&](const core::Batch& batch, const core::ItemHead& item) {
            const bool expired = item.state == core::ItemState::expired;
            return codec.line(batch, item,
                              expired ? core::Ending(core::Expired{}) : core::Ending(core::Canceled{}));
        };
        layout.files = [&](const core::Batch& batch, std::uint64_t succeeded, std::uint64_t total) {
            return codec.result_files(batch, succeeded, total, clock.now());
        };
        ASSERT_TRUE(store->batches().publish(id, layout));
    }

    std::string key_header = "x-api-key";
    std::string key;
    std::string other_key;
    std::optional<service::Accounts> accounts{std::in_place,
                                              async::Blocking<store::Keys>(store->keys(), store_lane), clock};
    service::Followers followers{io.get_executor(), 10s};
    std::optional<service::Batches> batches;
    std::optional<service::Files> files;
    service::Webhooks webhooks{async::Blocking<store::Outbox>(store->outbox(), store_lane)};
    ScriptedLive live;
    std::optional<http::Router> router;
};

}  // namespace sheaf::dialect

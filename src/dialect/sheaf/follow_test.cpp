#include "dialect/sheaf/follow.h"

#include "dialect/sheaf/testing_world.h"

namespace sheaf::dialect::native {
namespace {

// Takes what is written when the test lets it.
class HeldWriter final : public http::BodyWriter {
public:
    async::Task<Result<>> write(std::string_view bytes) override {
        ++writes;
        while (held) co_await async::sleep_for(1ms);
        text += bytes;
        co_return Result<>{};
    }
    bool client_gone() override { return false; }

    std::string text;
    int writes = 0;
    bool held = false;
};

class Following : public SheafApi {
protected:
    // One who follows, on a connection that stays open until `end`.
    struct Reader {
        http::StreamBody stream;
        HeldWriter writer;
        std::optional<Result<>> end;
    };
    std::unique_ptr<Reader> follow(const BatchId& id, const std::string& query = "") {
        http::Request request;
        request.method = "GET";
        request.path = path(id, "/results");
        request.query = http::parse_query("follow=true" + query);
        request.headers.add(key_header, key);
        TextBody body("", 1);
        request.body = &body;
        http::Response response = run(router->match(request)(request));
        EXPECT_EQ(response.status, 200);
        EXPECT_EQ(response.headers.find("Content-Type"), "application/jsonl");
        auto reader = std::make_unique<Reader>();
        reader->stream = std::get<http::StreamBody>(std::move(response.body));
        boost::asio::co_spawn(io, read(*reader), boost::asio::detached);
        return reader;
    }
    static async::Task<void> read(Reader& reader) { reader.end = co_await reader.stream(reader.writer); }
    void wait_for_lines(const Reader& reader, long count) {
        turn_until([&] { return count_lines(reader.writer.text) >= count; });
        EXPECT_EQ(count_lines(reader.writer.text), count);
    }
    void wait_for_the_end(const Reader& reader) {
        turn_until([&] { return reader.end.has_value(); });
    }
    void finish_one(const BatchId& id) {
        work(id, 1, core::Succeeded{{.reply = R"({"output":[]})"}}, *sail_codec);
        const store::ItemResult result{.item = id.item(0), .state = core::ItemState::succeeded};
        followers.told({&result, 1});
    }
};

TEST_F(Following, GivesEachLineWhenItIsDurableAndEndsWithTheBatch) {
    const BatchId id = stored("sail", 3);
    const auto reader = follow(id);
    finish_one(id);
    wait_for_lines(*reader, 1);
    finish_one(id);
    wait_for_lines(*reader, 2);
    EXPECT_FALSE(reader->end);
    finish_one(id);
    wait_for_the_end(*reader);
    EXPECT_TRUE(*reader->end);
    publish(id, *sail_codec);
    EXPECT_EQ(reader->writer.text, get(path(id, "/results")).body) << "the same bytes as in the file";
}

TEST_F(Following, GoesOnBehindTheLinesThatTheReaderHas) {
    const BatchId id = stored("sail", 4);
    finish_one(id);
    const auto first = follow(id);
    finish_one(id);
    wait_for_lines(*first, 2);
    const auto second = follow(id, "&after=2");
    const auto third = follow(id, "&after=1");
    finish_one(id);
    finish_one(id);
    for (const auto* const reader : {&first, &second, &third}) wait_for_the_end(**reader);
    const std::string& all = first->writer.text;
    EXPECT_EQ(count_lines(all), 4);
    EXPECT_EQ(count_lines(second->writer.text), 2);
    EXPECT_EQ(count_lines(third->writer.text), 3);
    EXPECT_TRUE(all.ends_with(second->writer.text));
    EXPECT_TRUE(all.ends_with(third->writer.text));
    EXPECT_EQ(get(path(id, "/results?follow=true&after=4")).body, "");
    EXPECT_EQ(get(path(id, "/results?follow=true&after=3")).body,
              all.substr(all.rfind('\n', all.size() - 2) + 1));
}

TEST_F(Following, TellsOfWhatNeverRanWhenTheBatchHasEnded) {
    const BatchId id = stored("sail", 3);
    const auto claimed = store->items().claim({.batch = id, .count_max = 1, .now = clock.now()});
    const auto reader = follow(id);
    EXPECT_EQ(call({.method = "POST", .target = path(id, "/cancel")}).status, 200);
    followers.told_of_all();
    const core::Lease& lease = claimed->leases.at(0);
    const store::ItemResult result{lease.item.id, lease.epoch, core::ItemState::failed,
                                   "{}\n",        {},          clock.now()};
    ASSERT_TRUE(store->items().finish({&result, 1}));
    followers.told({&result, 1});
    wait_for_the_end(*reader);
    EXPECT_TRUE(*reader->end);
    EXPECT_TRUE(reader->writer.text.starts_with("{}\n")) << "what still ran came first";
    EXPECT_EQ(count_lines(reader->writer.text), 3);
    EXPECT_NE(reader->writer.text.find(R"("custom_id":"c2")"), std::string::npos);
    publish(id, *sail_codec);
    EXPECT_EQ(get(path(id, "/results?follow=true")).body, reader->writer.text);
}

TEST_F(Following, HoldsOnePageForASlowReader) {
    const BatchId id = stored("sail", 2000);
    work(id, 1200, core::Failed{{"timed_out", "Slow."}}, *sail_codec);
    const auto reader = follow(id);
    reader->writer.held = true;
    turn_until([&] { return reader->writer.writes > 0; });
    work(id, 800, core::Failed{{"timed_out", "Slow."}}, *sail_codec);
    followers.told_of_all();
    io.restart();
    io.run_for(20ms);
    EXPECT_EQ(reader->writer.writes, 1);
    reader->writer.held = false;
    wait_for_the_end(*reader);
    EXPECT_EQ(count_lines(reader->writer.text), 2000);
    EXPECT_GE(reader->writer.writes, 4);
}

TEST_F(Following, SendsAnEmptyLineWhereTheReaderAsksForSignsOfLife) {
    const BatchId id = stored("sail", 1);
    const auto reader = follow(id, "&heartbeat=1");
    turn_until([&] { return reader->writer.text == "\n"; });
    finish_one(id);
    wait_for_the_end(*reader);
    EXPECT_TRUE(reader->writer.text.starts_with("\n{"));
}

TEST_F(Following, IsCutWhenTheServerStops) {
    const BatchId id = stored("sail", 1);
    const auto reader = follow(id);
    io.restart();
    io.run_for(5ms);
    followers.stop();
    wait_for_the_end(*reader);
    EXPECT_FALSE(*reader->end);
    EXPECT_TRUE(call({.target = path(id, "/results?follow=true")}).was_cut);
}

TEST_F(Following, RefusesWhatMakesNoSense) {
    const BatchId id = stored("sail", 2);
    finish_one(id);
    for (const char* const query : {"?follow=yes", "?after=1", "?heartbeat=5", "?follow=false&after=0",
                                    "?follow=true&after=-1", "?follow=true&after=2", "?follow=true&after=x",
                                    "?follow=true&heartbeat=0", "?follow=true&heartbeat=3601"})
        EXPECT_EQ(get(path(id, "/results") + query).status, 400) << query;
    const Answered beyond = get(path(id, "/results?follow=true&after=2"));
    EXPECT_EQ(
        beyond.body,
        R"({"error":{"code":"invalid","message":"after must be at most 1, the number of lines there are.","field":"after"}})");
    EXPECT_EQ(count_lines(get(path(id, "/results?follow=false")).body), 1);
    EXPECT_EQ(call({.target = path(id, "/results?follow=true"), .key = other_key}).status, 404);
    EXPECT_EQ(call({.method = "POST", .target = path(id, "/cancel")}).status, 200);
    publish(id, *sail_codec);
    ASSERT_TRUE(store->batches().archive(id, clock.now()));
    EXPECT_EQ(get(path(id, "/results?follow=true")).status, 410);
}

}  // namespace
}  // namespace sheaf::dialect::native

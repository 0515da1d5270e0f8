#pragma once

#include <functional>
#include <map>

#include <gtest/gtest.h>

#include "blob/blobs.h"
#include "scheduler/dispatcher.h"
#include "scheduler/publisher.h"
#include "scheduler/reaper.h"
#include "store/stores.h"

namespace sheaf::scheduler {
using namespace std::chrono_literals;

inline const AccountId kAnna{"anna"};

// A file that is whatever it is said to be.
class FakeVideo final : public media::Video {
public:
    explicit FakeVideo(media::MediaInfo info) : info_(std::move(info)) {}
    const media::MediaInfo& info() const override { return info_; }
    async::Task<Result<std::shared_ptr<const media::FrameSet>>> frames(media::FrameRequest) override {
        co_return std::make_shared<const media::FrameSet>();
    }
    async::Task<Result<media::Loudness>> loudness() override { co_return media::Loudness{}; }

private:
    media::MediaInfo info_;
};

class FakeMedia final : public media::Media {
public:
    async::Task<Result<media::MediaInfo>> probe(std::shared_ptr<const blob::BlobFile>) override {
        media::MediaInfo info;
        info.type = core::MediaType::video;
        info.duration_s = 60;
        info.video.push_back({.width = 640, .height = 360});
        co_return info;
    }
    std::shared_ptr<media::Video> open(std::string, std::shared_ptr<const blob::BlobFile>,
                                       media::MediaInfo info) override {
        return std::make_shared<FakeVideo>(std::move(info));
    }
    media::MediaStats stats() const override { return {}; }
};

class NoFetcher final : public fetch::Fetcher {
public:
    Result<fetch::Fetched> get(const std::string&, std::uint64_t, const Sink&) override {
        return fail(ErrorCode::unavailable, "There is no network here.");
    }
};

// The body is the prompt; the line is the ending in a word.
class PlainCodec final : public core::ItemCodec {
public:
    explicit PlainCodec(AssetId asset) : asset_(asset) {}
    Result<core::Inference> decode(const core::Batch& batch, std::string_view body) const override {
        const auto named = models.find(std::string(body));
        return core::VideoAnalysis{.model = named == models.end() ? batch.model : named->second,
                                   .video = core::FromAsset{asset_},
                                   .prompt = {.text = std::string(body)}};
    }
    std::string line(const core::Batch&, const core::ItemHead&, const core::Ending& ending) const override {
        if (const auto* succeeded = std::get_if<core::Succeeded>(&ending))
            return "ok " + succeeded->answer.text + "\n";
        if (const auto* failed = std::get_if<core::Failed>(&ending))
            return "failed " + failed->failure.code + "\n";
        return std::holds_alternative<core::Canceled>(ending) ? "canceled\n" : "expired\n";
    }

    bool finishes_running_items() const override { return finishes_running; }

    bool finishes_running = false;
    // By prompt, of batches that name no model.
    std::map<std::string, std::string> models;

private:
    AssetId asset_;
};

// What a prompt is answered with, and how many run at once.
class FakeBackend final : public backend::Backend {
public:
    std::function<core::Outcome(const std::string& prompt, std::uint32_t attempt)> answer;
    std::chrono::milliseconds delay{0};
    std::function<std::chrono::milliseconds(const std::string& prompt)> delay_of;  // instead, if there
    bool is_reading = false;
    bool is_remote = true;
    int running = 0;
    int most_running = 0;
    std::vector<std::string> seen;
    std::optional<std::uint32_t> limit;
    std::function<void()> told;
    bool out = false;
    std::vector<Try> tries;

    std::optional<std::uint32_t> window() const override { return limit; }
    void on_wider_window(std::function<void()> listener) override { told = std::move(listener); }
    bool is_out() const override { return out; }
    async::Task<void> ready_for(Try attempt) override {
        tries.push_back(attempt);
        while (out) co_await async::sleep_for(1ms);
    }

    bool may_be_late() const override { return is_remote; }
    bool keeps_prefixes() const override { return is_reading; }
    async::Task<core::Outcome> run(backend::Job job) override {
        const std::string prompt = std::get<core::VideoAnalysis>(job.inference).prompt.text;
        struct Count {
            int& count;
            ~Count() { --count; }
        };
        const Count count{++running};
        most_running = std::max(most_running, running);
        seen.push_back(prompt);
        co_await async::sleep_for(delay_of ? delay_of(prompt) : delay);
        co_return answer ? answer(prompt, job.attempt) : core::Answer{.text = prompt};
    }
};

class DispatcherTest : public testing::Test {
protected:
    DispatcherTest() {
        const core::Asset asset{.id = asset_id,
                                .account = kAnna,
                                .state = core::AssetState::ready,
                                .blob_key = "assets/a",
                                .bytes = 5,
                                .type = core::MediaType::video,
                                .created_at = clock.now()};
        EXPECT_TRUE(store->assets().insert(asset));
        auto writer = blobs->create("assets/a");
        EXPECT_TRUE(writer && (*writer)->append("bytes") && (*writer)->commit());

        fake = add_model("m", 4);
    }

    FakeBackend* add_model(const std::string& name, std::uint32_t slots) {
        auto made = std::make_unique<FakeBackend>();
        FakeBackend* const backend = made.get();
        models.try_emplace(name, Model{.name = name,
                                       .backend = std::move(made),
                                       .slots = slots,
                                       .live_slots = 1,
                                       .retry = {.attempts_max = 3, .first_wait = 1ms, .wait_max = 2ms}});
        return backend;
    }

    void make_dispatcher() {
        const core::Codecs codecs{{"plain", &codec}};
        inputs = std::make_unique<Inputs>(Inputs::Parts{.assets = {store->assets(), lane},
                                                        .blobs = {*blobs, lane},
                                                        .fetch_lane = &lane,
                                                        .fetcher = &fetcher,
                                                        .media = &media,
                                                        .clock = &clock});
        runner = std::make_unique<Runner>(*inputs, 1);
        dispatcher =
            std::make_unique<Dispatcher>(Dispatcher::Parts{.executor = context.get_executor(),
                                                           .batches = {store->batches(), lane},
                                                           .queue = {store->items(), lane},
                                                           .models = &models,
                                                           .runner = runner.get(),
                                                           .codecs = codecs,
                                                           .clock = &clock,
                                                           .lease_for = 60s,
                                                           .leases_max = 3,
                                                           .on_ended = [this] { publisher->wake(); }});
        publisher = std::make_unique<Publisher>(
            context.get_executor(), async::Blocking<store::Batches>(store->batches(), lane), codecs, clock);
        reaper = std::make_unique<Reaper>(async::Blocking<store::Batches>(store->batches(), lane),
                                          *dispatcher, clock);
    }

    BatchId submit(const std::vector<std::string>& prompts, const AccountId& account = kAnna,
                   const std::string& model = "m", std::vector<core::Planned> plan = {}) {
        store::BatchDraft draft;
        draft.plan = std::move(plan);
        draft.batch.id = make_batch_id(clock.now());
        draft.batch.account = account;
        draft.batch.dialect = "plain";
        draft.batch.model = model;
        draft.batch.created_at = clock.now();
        draft.batch.expires_at = clock.now() + 24h;
        draft.batch.purge_at = clock.now() + 720h;
        auto body = store->batches().new_body();
        std::uint64_t offset = 0;
        for (const std::string& prompt : prompts) {
            draft.items.push_back({.body_offset = offset, .body_bytes = prompt.size()});
            offset += prompt.size();
            EXPECT_TRUE((*body)->append(prompt));
        }
        const BatchId id = draft.batch.id;
        auto created = store->batches().create(std::move(draft), std::move(*body));
        EXPECT_TRUE(created) << created.error().message;
        return id;
    }

    core::Batch find(BatchId id) { return *store->batches().find(kAnna, id); }

    std::vector<std::string> lines(BatchId id) {
        std::vector<std::string> found;
        for (const auto& line : *store->batches().read_lines(id, 0, 10'000, 1 << 30))
            found.push_back(line.line.value_or("-"));
        return found;
    }

    async::Task<void> until_ended(BatchId id) {
        while (find(id).state != core::BatchState::ended) co_await async::sleep_for(1ms);
    }

    // Two items, which wait for the server.
    async::Task<BatchId> submit_to_a_server_that_is_out() {
        fake->out = true;
        const BatchId id = submit({"a", "b"});
        dispatcher->wake();
        while (fake->tries.size() < 2) co_await async::sleep_for(1ms);
        co_return id;
    }

    // Runs everything until `script` is over, then stops in order.
    void run(std::function<async::Task<void>()> script) {
        make_dispatcher();
        async::TaskGroup behind(context.get_executor());
        async::TaskGroup front(context.get_executor());
        auto all = [&]() -> async::Task<void> {
            co_await script();
            co_await dispatcher->stop(grace);
            behind.stop();
            co_await behind.wait_until_empty();
        };
        behind.spawn(dispatcher->run());
        behind.spawn(publisher->run());
        behind.spawn(reaper->run());
        front.spawn(all());
        context.run_for(20s);
        ASSERT_EQ(front.size(), 0U) << "it did not end in time";
        context.restart();
    }

    boost::asio::io_context context;
    async::Lane lane{2};
    ManualClock clock{Timestamp{std::chrono::milliseconds{1'781'776'800'000}}};
    std::unique_ptr<store::Store> store = store::make_memory_store();
    std::unique_ptr<blob::BlobStore> blobs = blob::make_memory_blobs();
    NoFetcher fetcher;
    FakeMedia media;
    AssetId asset_id = AssetId::make(clock.now());
    PlainCodec codec{asset_id};
    Models models;
    FakeBackend* fake = nullptr;
    std::chrono::milliseconds grace{5'000};
    std::unique_ptr<Inputs> inputs;
    std::unique_ptr<Runner> runner;
    std::unique_ptr<Dispatcher> dispatcher;
    std::unique_ptr<Publisher> publisher;
    std::unique_ptr<Reaper> reaper;
};

}  // namespace sheaf::scheduler

#include "scheduler/dispatcher.h"

#include <functional>
#include <map>

#include <gtest/gtest.h>

#include "blob/blobs.h"
#include "scheduler/publisher.h"
#include "scheduler/reaper.h"
#include "store/stores.h"

namespace sheaf::scheduler {
namespace {

using namespace std::chrono_literals;

const AccountId kAnna{"anna"};

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
    bool is_reading = false;
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
        co_await async::sleep_for(delay);
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

TEST_F(DispatcherTest, EveryItemIsRunOnceAndItsLineStandsInOrder) {
    std::vector<std::string> prompts;
    std::vector<std::string> expected;
    for (int i = 0; i < 100; ++i) {
        prompts.push_back("p" + std::to_string(i));
        expected.push_back("ok p" + std::to_string(i) + "\n");
    }
    BatchId id;
    run([&]() -> async::Task<void> {
        id = submit(prompts);
        dispatcher->wake();
        co_await until_ended(id);
    });
    EXPECT_EQ(find(id).counts, (core::Counts{.succeeded = 100}));
    EXPECT_EQ(find(id).end_reason, core::EndReason::completed);
    EXPECT_EQ(lines(id), expected);
    EXPECT_EQ(fake->seen.size(), 100U);
}

TEST_F(DispatcherTest, NoMoreRunAtOnceThanThereAreSlots) {
    fake->delay = 5ms;
    run([&]() -> async::Task<void> {
        const BatchId id = submit(std::vector<std::string>(40, "x"));
        dispatcher->wake();
        co_await until_ended(id);
    });
    EXPECT_EQ(fake->most_running, 4);
}

TEST_F(DispatcherTest, NoMoreRunAtOnceThanTheBackendsWindowWhichMayWiden) {
    fake->delay = 1h;
    fake->limit = 2;
    grace = 10ms;
    run([&]() -> async::Task<void> {
        submit(std::vector<std::string>(40, "x"));
        dispatcher->wake();
        co_await async::sleep_for(50ms);
        EXPECT_EQ(fake->running, 2);
        fake->limit = 3;
        fake->told();
        co_await async::sleep_for(50ms);
        EXPECT_EQ(fake->running, 3);
        fake->limit = 100;
        fake->told();
        co_await async::sleep_for(50ms);
        EXPECT_EQ(fake->running, 4) << "the model's own slots";
    });
}

TEST_F(DispatcherTest, LiveCallsTakeTheirPartOfTheWindowFirst) {
    Model model{.name = "m", .backend = std::make_unique<FakeBackend>(), .slots = 100};
    auto& window = static_cast<FakeBackend&>(*model.backend).limit;
    const auto now = clock.now();
    EXPECT_EQ(slots_of(model, now), 100U) << "no window";
    window = 40;
    EXPECT_EQ(slots_of(model, now), 40U);
    model.live_at = now;
    EXPECT_EQ(slots_of(model, now + 59s), 36U) << "a tenth is kept for the next";
    EXPECT_EQ(slots_of(model, now + 60s), 40U) << "none came for a minute";
    model.live_running = 3;
    EXPECT_EQ(slots_of(model, now), 36U) << "the live calls use what is kept";
    model.live_running = 10;
    EXPECT_EQ(slots_of(model, now), 30U);
    model.live_running = 50;
    EXPECT_EQ(slots_of(model, now), 0U);
    model.live_running = 0;
    window = 2;
    EXPECT_EQ(slots_of(model, now), 1U);
    window = 1;
    EXPECT_EQ(slots_of(model, now), 1U) << "or nothing would run at all";
}

TEST_F(DispatcherTest, WhileNoServerAnswersItemsWaitAndLiveCallsDoNot) {
    fake->out = true;
    BatchId id;
    run([&]() -> async::Task<void> {
        id = submit({"a", "b"});
        dispatcher->wake();
        while (fake->tries.size() < 2) co_await async::sleep_for(1ms);
        co_await async::sleep_for(20ms);
        EXPECT_TRUE(fake->seen.empty());
        const core::Ending ending = co_await dispatcher->run_live(
            kAnna,
            core::VideoAnalysis{.model = "m", .video = core::FromAsset{asset_id}, .prompt = {.text = "live"}},
            {});
        EXPECT_TRUE(std::holds_alternative<core::Succeeded>(ending));
        EXPECT_EQ(fake->seen, std::vector<std::string>{"live"});
        fake->out = false;
        co_await until_ended(id);
    });
    EXPECT_EQ(find(id).counts, (core::Counts{.succeeded = 2}));
}

TEST_F(DispatcherTest, WhatBreaksWhileNoServerAnswersCountsAsNoAttemptForLong) {
    std::map<std::string, int> breaks;
    fake->answer = [&](const std::string& prompt, std::uint32_t) -> core::Outcome {
        const int times = prompt == "unlucky" ? 10 : 1'000;
        if (++breaks[prompt] > times) return core::Answer{.text = prompt};
        fake->out = true;
        return core::Broken{{"analysis_failed", "no connection"}};
    };
    BatchId id;
    run([&]() -> async::Task<void> {
        id = submit({"unlucky", "poison"});
        dispatcher->wake();
        while (find(id).state != core::BatchState::ended) {
            co_await async::sleep_for(2ms);
            fake->out = false;
        }
    });
    EXPECT_EQ(lines(id), (std::vector<std::string>{"ok unlucky\n", "failed analysis_failed\n"}));
    EXPECT_EQ(breaks["poison"], 16 + 3);
}

TEST_F(DispatcherTest, RepeatsOfBrokenAttemptsAreSaidToBeSuch) {
    fake->answer = [](const std::string& prompt, std::uint32_t attempt) -> core::Outcome {
        if (attempt == 1) return core::Broken{{"analysis_failed", "500"}};
        return core::Answer{.text = prompt};
    };
    run([&]() -> async::Task<void> {
        const BatchId id = submit({"a"});
        dispatcher->wake();
        co_await until_ended(id);
    });
    using enum backend::Backend::Try;
    EXPECT_EQ(fake->tries, (std::vector{first, after_break}));
}

TEST_F(DispatcherTest, TheFirstOfARunGoesAloneAndOthersTakeItsNeighboursSlots) {
    fake->delay = 200ms;
    fake->is_reading = true;
    run([&]() -> async::Task<void> {
        // Long enough that its reading takes longer than the answer.
        const std::string tail(40'000, 'x');
        const BatchId id = submit({"a1" + tail, "a2" + tail, "a3" + tail, "b1" + tail, "b2" + tail, "alone"},
                                  kAnna, "m", {{0, 7}, {1, 7}, {2, 7}, {3, 8}, {4, 8}, {5, 0}});
        dispatcher->wake();
        while (fake->running < 3) co_await async::sleep_for(1ms);
        co_await async::sleep_for(5ms);
        EXPECT_EQ(fake->running, 3) << "four slots, and one is left free rather than read a beginning twice";
        co_await until_ended(id);
    });
    ASSERT_EQ(fake->seen.size(), 6U);
    // Which of them has its video first is chance.
    std::ranges::sort(fake->seen.begin(), fake->seen.begin() + 3);
    EXPECT_TRUE(fake->seen[0].starts_with("a1"));
    EXPECT_EQ(fake->seen[1], "alone");
    EXPECT_TRUE(fake->seen[2].starts_with("b1"));
    EXPECT_EQ(fake->most_running, 3);
}

TEST_F(DispatcherTest, AnItemThatWaitsForItsNextTryLeavesItsSlot) {
    models.at("m").retry.first_wait = 10s;
    models.at("m").retry.wait_max = 10s;
    models.at("m").slots = 1;
    fake->answer = [](const std::string& prompt, std::uint32_t attempt) -> core::Outcome {
        if (prompt == "shaky" && attempt == 1) return core::Broken{{"analysis_failed", "500"}};
        return core::Answer{.text = prompt};
    };
    grace = 0ms;
    run([&]() -> async::Task<void> {
        const BatchId id = submit({"shaky", "b", "c"});
        dispatcher->wake();
        while (find(id).counts.succeeded < 2) co_await async::sleep_for(1ms);
    });
    EXPECT_EQ(fake->seen, (std::vector<std::string>{"shaky", "b", "c"}));
}

TEST_F(DispatcherTest, ASlowModelHasNothingLeasedThatDoesNotRun) {
    fake->delay = 20ms;
    run([&]() -> async::Task<void> {
        const BatchId id = submit(std::vector<std::string>(60, "x"));
        dispatcher->wake();
        for (int look = 0; look < 10; ++look) {
            co_await async::sleep_for(10ms);
            EXPECT_LE(find(id).counts.running, 4U + 10U)
                << "what ends within a twentieth of a second is leased";
        }
        co_await until_ended(id);
    });
}

TEST_F(DispatcherTest, ABrokenAttemptIsRepeatedAndARefusalIsNot) {
    fake->answer = [](const std::string& prompt, std::uint32_t attempt) -> core::Outcome {
        if (prompt == "refused") return core::Refused{{"output_invalid", "no"}};
        if (prompt == "hopeless") return core::Broken{{"analysis_failed", "500"}};
        if (prompt == "shaky" && attempt < 3) return core::Broken{{"analysis_failed", "500"}};
        return core::Answer{.text = prompt};
    };
    BatchId id;
    run([&]() -> async::Task<void> {
        id = submit({"good", "refused", "hopeless", "shaky"});
        dispatcher->wake();
        co_await until_ended(id);
    });
    EXPECT_EQ(lines(id), (std::vector<std::string>{"ok good\n", "failed output_invalid\n",
                                                   "failed analysis_failed\n", "ok shaky\n"}));
    EXPECT_EQ(std::ranges::count(fake->seen, "refused"), 1);
    EXPECT_EQ(std::ranges::count(fake->seen, "hopeless"), 3);
    EXPECT_EQ(find(id).counts, (core::Counts{.succeeded = 2, .failed = 2}));
}

TEST_F(DispatcherTest, ACancelLetsWhatRunsFinish) {
    fake->delay = 50ms;
    BatchId id;
    run([&]() -> async::Task<void> {
        id = submit(std::vector<std::string>(10, "x"));
        dispatcher->wake();
        while (fake->running < 4) co_await async::sleep_for(1ms);
        EXPECT_TRUE(store->batches().apply(id, core::BatchEvent::cancel_requested, clock.now()));
        dispatcher->wake();
        co_await until_ended(id);
    });
    EXPECT_EQ(find(id).counts, (core::Counts{.succeeded = 4, .canceled = 6}));
    EXPECT_EQ(find(id).end_reason, core::EndReason::canceled);
    EXPECT_EQ(fake->seen.size(), 4U);
}

TEST_F(DispatcherTest, AnExpiredBatchFreesItsSlots) {
    fake->delay = 1h;
    BatchId id;
    run([&]() -> async::Task<void> {
        id = submit(std::vector<std::string>(10, "x"));
        dispatcher->wake();
        while (fake->running < 4) co_await async::sleep_for(1ms);
        clock.advance(24h);
        co_await until_ended(id);
        while (fake->running > 0) co_await async::sleep_for(1ms);
    });
    EXPECT_EQ(find(id).counts, (core::Counts{.expired = 10}));
    EXPECT_EQ(find(id).end_reason, core::EndReason::expired);
}

TEST_F(DispatcherTest, AnEndedBatchIsLaidOutAndPurgedWhenItsTimeComes) {
    BatchId id;
    run([&]() -> async::Task<void> {
        id = submit({"a", "b"});
        dispatcher->wake();
        while (!find(id).results_bytes) co_await async::sleep_for(1ms);
        EXPECT_EQ(*find(id).results_bytes, 10U);
        clock.advance(721h);
        while (store->batches().find(kAnna, id)) co_await async::sleep_for(1ms);
    });
}

TEST_F(DispatcherTest, WhatItRunsItselfIsNotLeasedAgainAfterAJumpOfTheClock) {
    fake->delay = 30ms;
    BatchId id;
    run([&]() -> async::Task<void> {
        id = submit(std::vector<std::string>(12, "x"));
        dispatcher->wake();
        while (fake->running < 4) co_await async::sleep_for(1ms);
        clock.advance(61s);
        co_await until_ended(id);
    });
    EXPECT_EQ(find(id).counts, (core::Counts{.succeeded = 12}));
    EXPECT_EQ(fake->seen.size(), 12U) << "each ran once";
}

TEST_F(DispatcherTest, StoppingGivesBackWhatDidNotFinishInTime) {
    grace = 20ms;
    fake->delay = 1h;
    const BatchId id = submit({"slow"});
    run([&]() -> async::Task<void> {
        dispatcher->wake();
        while (fake->running < 1) co_await async::sleep_for(1ms);
    });
    EXPECT_EQ(find(id).counts, (core::Counts{.running = 1})) << "states never move backwards";
    fake->delay = 0ms;
    run([&]() -> async::Task<void> { co_await until_ended(id); });
    EXPECT_EQ(lines(id), (std::vector<std::string>{"ok slow\n"}));
}

TEST_F(DispatcherTest, AnItemThatOutlivesNoLeaseRunsOut) {
    const BatchId id = submit({"poison"});
    for (int crash = 0; crash < 3; ++crash) {
        auto claimed = store->items().claim({.batch = id, .now = clock.now(), .lease_for = 1ms});
        ASSERT_EQ(claimed->leases.size(), 1U);
        clock.advance(1s);
    }
    run([&]() -> async::Task<void> { co_await until_ended(id); });
    EXPECT_EQ(lines(id), (std::vector<std::string>{"failed analysis_failed\n"}));
    EXPECT_TRUE(fake->seen.empty());
}

TEST_F(DispatcherTest, ADeletedAssetFailsItsItemsAlone) {
    const BatchId id = submit({"a", "b"});
    EXPECT_TRUE(store->assets().remove(kAnna, asset_id, {.force = true}));
    run([&]() -> async::Task<void> { co_await until_ended(id); });
    EXPECT_EQ(lines(id), (std::vector<std::string>(2, "failed asset_unavailable\n")));
    EXPECT_EQ(find(id).end_reason, core::EndReason::completed) << "a batch never fails";
}

TEST_F(DispatcherTest, ALiveCallDoesNotWaitForBatchWork) {
    fake->delay = 20ms;
    std::string text;
    run([&]() -> async::Task<void> {
        const BatchId id = submit(std::vector<std::string>(100, "x"));
        dispatcher->wake();
        while (fake->running < 4) co_await async::sleep_for(1ms);
        const core::Ending ending = co_await dispatcher->run_live(
            kAnna,
            core::VideoAnalysis{.model = "m", .video = core::FromAsset{asset_id}, .prompt = {.text = "live"}},
            {});
        text = std::get<core::Succeeded>(ending).answer.text;
        EXPECT_LT(find(id).counts.succeeded, 20U);
    });
    EXPECT_EQ(text, "live");
}

TEST_F(DispatcherTest, AFailedFetchFailsTheLiveCallPlainly) {
    run([&]() -> async::Task<void> {
        const core::Ending ending = co_await dispatcher->run_live(
            kAnna, core::VideoAnalysis{.model = "m", .video = core::FromUrl{"https://example.org/a.mp4"}},
            {});
        EXPECT_EQ(std::get<core::Failed>(ending).failure.code, "asset_unavailable");
    });
}

TEST_F(DispatcherTest, ItemsOfAMixedBatchGoEachToItsModelAndAFullOneHoldsUpNoOther) {
    add_model("slow", 1)->delay = 100ms;
    codec.models = {{"s1", "slow"}, {"s2", "slow"}, {"f1", "m"}, {"f2", "m"}, {"u", "unknown"}};
    const BatchId id = submit({"s1", "s2", "f1", "u", "f2"}, kAnna, "");
    run([&]() -> async::Task<void> { co_await until_ended(id); });
    EXPECT_EQ(lines(id), (std::vector<std::string>{"ok s1\n", "ok s2\n", "ok f1\n",
                                                   "failed model_not_found\n", "ok f2\n"}));
    std::ranges::sort(fake->seen);
    EXPECT_EQ(fake->seen, (std::vector<std::string>{"f1", "f2"}));
}

TEST_F(DispatcherTest, AMixedBatchTakesNoMoreSlotsThanAModelHas) {
    std::vector<std::string> prompts;
    for (int n = 0; n < 600; ++n) {
        prompts.push_back(std::to_string(n));
        codec.models[prompts.back()] = "m";
    }
    fake->delay = 1ms;
    const BatchId id = submit(prompts, kAnna, "");
    run([&]() -> async::Task<void> { co_await until_ended(id); });
    EXPECT_EQ(fake->most_running, static_cast<int>(models.at("m").slots));
    EXPECT_EQ(find(id).counts.succeeded, 600U);
}

}  // namespace
}  // namespace sheaf::scheduler

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include "async/task_group.h"
#include "async/timer.h"
#include "backend/backends.h"

namespace sheaf::backend {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// A video of plain stripes whose place tells the shot: a new shot every `shot_s` seconds.
class StripedVideo final : public media::Video {
public:
    struct Make {
        double length = 12;
        double fps = 10;
        double shot_s = 4;
        bool has_sound = false;
        bool has_duration = true;
    };
    explicit StripedVideo(Make make) : make_(make) {
        info_.type = core::MediaType::video;
        if (make.has_duration) info_.duration_s = make.length;
        info_.video.push_back(
            {.codec = "h264", .width = 640, .height = 360, .fps = make.fps, .avg_fps = make.fps});
        if (make.has_sound) info_.audio.push_back({.codec = "aac"});
    }

    const media::MediaInfo& info() const override { return info_; }
    media::MediaInfo& info() { return info_; }

    async::Task<Result<std::shared_ptr<const media::FrameSet>>> frames(media::FrameRequest request) override {
        requests.push_back(request);
        if (frames_error) co_return std::unexpected(*frames_error);
        if (request.start.value_or(0) >= error_from || request.end.value_or(0) > error_from + 60) {
            co_return fail(ErrorCode::invalid, "nothing to decode");
        }
        if (is_slow) co_await async::sleep_for(std::chrono::hours(1));
        auto set = std::make_shared<media::FrameSet>();
        const int width = std::min(request.long_edge_max, 640);
        const int height = width * 9 / 16;
        const double step = request.frames_per_second > 0 ? 1 / request.frames_per_second : 0;
        double next = 0;
        for (int i = 0; i < static_cast<int>(std::lround(make_.length * make_.fps)); ++i) {
            const double time = i / make_.fps;
            if (time < request.start.value_or(0) || time >= request.end.value_or(1e9) || time < next)
                continue;
            next = time + step - 1e-9;
            set->frames.push_back({time, width, height, draw(request.format, width, height, time)});
        }
        set->frames_decoded = set->frames.size();
        most_bytes =
            std::max(most_bytes, set->frames.empty() ? 0 : set->frames.size() * set->frames[0].bytes.size());
        co_return set;
    }

    async::Task<Result<media::Loudness>> loudness() override {
        if (loudness_error) co_return std::unexpected(*loudness_error);
        media::Loudness loudness;
        for (double time = 0; time < make_.length - 1e-9; time += 0.1) {
            loudness.dbfs.push_back(time >= 2 && time < 3 ? -80.0F : -20.0F);
        }
        co_return loudness;
    }

    std::vector<media::FrameRequest> requests;
    std::size_t most_bytes = 0;
    std::optional<Error> frames_error;
    std::optional<Error> loudness_error;
    double error_from = 1e9;  // seconds: what begins later, or reaches far beyond, cannot be decoded
    bool is_slow = false;

private:
    std::string draw(media::PixelFormat format, int width, int height, double time) const {
        const int shot = static_cast<int>(time / make_.shot_s + 1e-9);
        const std::size_t bytes = format == media::PixelFormat::rgb24 ? 3 : 1;
        std::string row;
        for (int x = 0; x < width; ++x) {
            const double wave = std::sin((x * 64.0 / width) * (0.1 + 0.13 * (shot % 5)) + shot * 2.0);
            row.append(bytes, static_cast<char>(static_cast<int>(60 + shot * 67 % 140 + 50 * wave)));
        }
        std::string pixels;
        for (int y = 0; y < height; ++y) pixels += row;
        return pixels;
    }

    Make make_;
    media::MediaInfo info_;
};

struct Analysed {
    core::Outcome outcome;
    std::vector<std::string> fragments;
};

Analysed analyse(const std::shared_ptr<StripedVideo>& video, core::Inference analysis,
                 SceneOptions options = {}) {
    boost::asio::io_context home;
    async::Lane lane(1);
    const auto backend = make_scene_backend(lane, options);
    async::TaskGroup group(home.get_executor());
    Analysed analysed{.outcome = core::Broken{{"", "did not end"}}};
    auto task = [&]() -> async::Task<void> {
        Job job{.inference = std::move(analysis), .video = video};
        job.on_text = [&](std::string_view fragment) { analysed.fragments.emplace_back(fragment); };
        analysed.outcome = co_await backend->run(std::move(job));
    };
    group.spawn(task());
    home.run();
    return analysed;
}

core::VideoAnalysis a_question() {
    return {.prompt = {.text = "What is shown?"}};
}

core::VideoAnalysis segments_of(core::SegmentsOutput output) {
    return {.output = std::move(output), .max_tokens = 32'768};
}

TEST(SceneBackend, TheReportSaysThatNoModelWasInvolvedAndTellsTheShots) {
    const auto video = std::make_shared<StripedVideo>(StripedVideo::Make{.has_sound = true});
    const Analysed analysed = analyse(video, a_question());
    const auto& answer = std::get<core::Answer>(analysed.outcome);
    EXPECT_THAT(answer.text, StartsWith("Signal analysis without a language model"));
    EXPECT_THAT(answer.text, HasSubstr("The question itself was not interpreted."));
    EXPECT_THAT(answer.text, HasSubstr("- Shots: 3\n"));
    EXPECT_THAT(answer.text, HasSubstr("2. 00:00:04.000 - 00:00:08.000 (4.00 s): motion none"));
    EXPECT_THAT(answer.text, HasSubstr("- 00:00:02.000 - 00:00:03.000 (1.0 s)\n"));
    EXPECT_EQ(answer.finish, core::FinishReason::stop);
    EXPECT_GE(answer.usage.input_tokens, 120U);
    EXPECT_EQ(answer.usage.output_tokens, (answer.text.size() + 3) / 4);
}

TEST(SceneBackend, ItsPiecesAreTheWholeText) {
    const auto video = std::make_shared<StripedVideo>(StripedVideo::Make{});
    for (const std::uint32_t tokens : {4096U, 60U}) {
        core::VideoAnalysis analysis = a_question();
        analysis.max_tokens = tokens;
        const Analysed analysed = analyse(video, analysis);
        std::string together;
        for (const std::string& fragment : analysed.fragments) together += fragment;
        EXPECT_GT(analysed.fragments.size(), tokens > 100 ? 3U : 0U);
        EXPECT_EQ(together, std::get<core::Answer>(analysed.outcome).text);
    }
}

TEST(SceneBackend, ALongReportIsCutAtMaxTokens) {
    core::VideoAnalysis analysis = a_question();
    analysis.max_tokens = 50;
    const Analysed analysed = analyse(std::make_shared<StripedVideo>(StripedVideo::Make{}), analysis);
    const auto& answer = std::get<core::Answer>(analysed.outcome);
    EXPECT_EQ(answer.text.size(), 200U);
    EXPECT_EQ(answer.finish, core::FinishReason::length);
    EXPECT_FALSE(answer.truncation.empty());
}

TEST(SceneBackend, ImagesOfThePromptAreSaidToBeIgnored) {
    core::VideoAnalysis analysis = a_question();
    analysis.prompt.images.push_back(
        {.name = "logo", .source = core::FromUrl{"http://example.com/logo.png"}});
    const Analysed analysed = analyse(std::make_shared<StripedVideo>(StripedVideo::Make{}), analysis);
    EXPECT_THAT(std::get<core::Answer>(analysed.outcome).text,
                HasSubstr("The image given with the prompt was ignored."));
}

TEST(SceneBackend, AFreeSchemaIsRefusedWithoutLookingAtTheVideo) {
    const auto video = std::make_shared<StripedVideo>(StripedVideo::Make{});
    core::VideoAnalysis analysis = a_question();
    analysis.output = core::JsonOutput{R"({"type":"object"})"};
    const Analysed analysed = analyse(video, analysis);
    const auto& refused = std::get<core::Refused>(analysed.outcome);
    EXPECT_EQ(refused.failure.code, "unsupported_output");
    EXPECT_THAT(refused.failure.message, HasSubstr("[[model]]"));
    EXPECT_TRUE(video->requests.empty());
}

TEST(SceneBackend, ModelRequestsAreRefused) {
    const Analysed analysed =
        analyse(nullptr, core::ModelRequest{.model = "pegasus", .body = R"({"messages":[]})"});
    const auto& refused = std::get<core::Refused>(analysed.outcome);
    EXPECT_EQ(refused.failure.code, "invalid_request");
    EXPECT_EQ(refused.failure.message, "The model \"pegasus\" analyses videos only.");
}

TEST(SceneBackend, SegmentsAreTheShotsWithWhatWasMeasured) {
    core::SegmentDefinition shots{.id = "shots", .description = "every shot"};
    shots.fields = {{.name = "Motion", .type = core::FieldType::string, .allowed = {"Low", "High"}},
                    {.name = "shot_number", .type = core::FieldType::integer},
                    {.name = "mood", .type = core::FieldType::string}};
    const Analysed analysed =
        analyse(std::make_shared<StripedVideo>(StripedVideo::Make{}), segments_of({.definitions = {shots}}));
    EXPECT_EQ(
        std::get<core::Answer>(analysed.outcome).text,
        R"({"shots":[{"start_time":0.0,"end_time":4.0,"metadata":{"Motion":"Low","shot_number":1,"mood":null}},)"
        R"({"start_time":4.0,"end_time":8.0,"metadata":{"Motion":"Low","shot_number":2,"mood":null}},)"
        R"({"start_time":8.0,"end_time":12.0,"metadata":{"Motion":"Low","shot_number":3,"mood":null}}]})");
}

TEST(SceneBackend, RangesAndDurationRulesAreKept) {
    core::SegmentDefinition part{.id = "part", .description = "a part", .ranges = {{2, 6}, {9, 11}}};
    const auto video = std::make_shared<StripedVideo>(StripedVideo::Make{});
    EXPECT_EQ(
        std::get<core::Answer>(analyse(video, segments_of({.definitions = {part}})).outcome).text,
        R"({"part":[{"start_time":2.0,"end_time":4.0,"metadata":{}},{"start_time":4.0,"end_time":6.0,"metadata":{}},)"
        R"({"start_time":9.0,"end_time":11.0,"metadata":{}}]})");
    // Nothing outside of the ranges was decoded.
    for (const media::FrameRequest& request : video->requests) {
        EXPECT_GE(request.start.value(), 2 - 0.01);
        EXPECT_LE(request.end.value(), 11 + 0.01);
    }
    core::SegmentDefinition all{.id = "all", .description = "all"};
    EXPECT_EQ(
        std::get<core::Answer>(
            analyse(video, segments_of({.definitions = {all}, .min_duration = 5, .max_duration = 7})).outcome)
            .text,
        R"({"all":[{"start_time":0.0,"end_time":6.0,"metadata":{}},{"start_time":6.0,"end_time":12.0,"metadata":{}}]})");
}

TEST(SceneBackend, SegmentsThatDoNotFitAreRefusedAndNotCut) {
    core::VideoAnalysis analysis =
        segments_of({.definitions = {core::SegmentDefinition{.id = "all", .description = "all"}}});
    analysis.max_tokens = 10;
    const Analysed analysed = analyse(std::make_shared<StripedVideo>(StripedVideo::Make{}), analysis);
    EXPECT_EQ(std::get<core::Refused>(analysed.outcome).failure.code, "analysis_failed");
}

TEST(SceneBackend, AWindowOutsideOfTheVideoIsRefused) {
    core::VideoAnalysis analysis = a_question();
    analysis.start_time = 20;
    analysis.end_time = 30;
    const Analysed analysed = analyse(std::make_shared<StripedVideo>(StripedVideo::Make{}), analysis);
    EXPECT_EQ(std::get<core::Refused>(analysed.outcome).failure.code, "analysis_failed");
}

TEST(SceneBackend, AVideoOfUnknownLengthIsReadToItsEnd) {
    const auto video =
        std::make_shared<StripedVideo>(StripedVideo::Make{.length = 90, .shot_s = 30, .has_duration = false});
    const Analysed analysed = analyse(video, a_question());
    EXPECT_THAT(std::get<core::Answer>(analysed.outcome).text, HasSubstr("- Shots: 3\n"));
}

TEST(SceneBackend, AVideoShorterThanItSaysIsAnalysedAsFarAsItGoes) {
    for (const bool fails : {false, true}) {
        const auto video = std::make_shared<StripedVideo>(StripedVideo::Make{});
        video->info().duration_s = 200;
        if (fails) video->error_from = 12;
        const Analysed analysed = analyse(video, a_question());
        EXPECT_THAT(std::get<core::Answer>(analysed.outcome).text,
                    HasSubstr("- Analysed: 00:00:00.000 - 00:00:12.000\n"));
    }
}

TEST(SceneBackend, ALongVideoIsReadInStretches) {
    const auto video =
        std::make_shared<StripedVideo>(StripedVideo::Make{.length = 600, .fps = 2, .shot_s = 50});
    const Analysed analysed = analyse(video, a_question(), {.ocr_frames_max = 4});
    const auto& answer = std::get<core::Answer>(analysed.outcome);
    EXPECT_THAT(answer.text, HasSubstr("- Shots: 12\n"));
    EXPECT_THAT(answer.text, HasSubstr("were left out, for the limit on them"));
    EXPECT_LE(video->most_bytes, 16'000'000U);
}

TEST(SceneBackend, MediaErrorsBecomeOutcomes) {
    struct Case {
        ErrorCode code;
        bool is_refused;
        std::string word;
    };
    for (const Case& one : {Case{ErrorCode::invalid, true, "video_file_broken"},
                            Case{ErrorCode::timed_out, true, "analysis_failed"},
                            Case{ErrorCode::too_large, true, "analysis_failed"},
                            Case{ErrorCode::unavailable, false, "analysis_failed"},
                            Case{ErrorCode::internal, false, "analysis_failed"}}) {
        const auto video = std::make_shared<StripedVideo>(StripedVideo::Make{});
        video->frames_error = Error{.code = one.code, .message = "the reason"};
        const core::Outcome outcome = analyse(video, a_question()).outcome;
        const core::Failure failure = one.is_refused ? std::get<core::Refused>(outcome).failure
                                                     : std::get<core::Broken>(outcome).failure;
        EXPECT_EQ(failure.code, one.word);
        EXPECT_EQ(failure.message, "the reason");
    }
}

TEST(SceneBackend, ABrokenSoundTrackIsToldAndTheRestIsReported) {
    const auto video = std::make_shared<StripedVideo>(StripedVideo::Make{.has_sound = true});
    video->loudness_error = Error{.code = ErrorCode::invalid, .message = "garbage in the sound"};
    const Analysed analysed = analyse(video, a_question());
    EXPECT_THAT(std::get<core::Answer>(analysed.outcome).text,
                HasSubstr("could not be measured (garbage in the sound)"));
}

TEST(SceneBackend, AFileWithoutAPictureIsRefused) {
    const auto video = std::make_shared<StripedVideo>(StripedVideo::Make{});
    video->info().video.clear();
    const Analysed analysed = analyse(video, a_question());
    EXPECT_EQ(std::get<core::Refused>(analysed.outcome).failure.code, "video_file_broken");
}

TEST(SceneBackend, AStretchWithoutFramesIsABrokenFile) {
    const auto video = std::make_shared<StripedVideo>(StripedVideo::Make{.length = 0});
    video->info().duration_s = 10;
    const Analysed analysed = analyse(video, a_question());
    EXPECT_EQ(std::get<core::Refused>(analysed.outcome).failure.code, "video_file_broken");
}

TEST(SceneBackend, CancelingStopsIt) {
    const auto video = std::make_shared<StripedVideo>(StripedVideo::Make{});
    video->is_slow = true;
    boost::asio::io_context home;
    async::Lane lane(1);
    const auto backend = make_scene_backend(lane, {});
    async::TaskGroup group(home.get_executor());
    bool ended = false;
    auto task = [&]() -> async::Task<void> {
        Job job{.inference = a_question(), .video = video};
        co_await backend->run(std::move(job));
        ended = true;
    };
    auto stopper = [&]() -> async::Task<void> {
        co_await async::sleep_for(std::chrono::milliseconds(20));
        group.stop();
    };
    group.spawn(task());
    async::TaskGroup other(home.get_executor());
    other.spawn(stopper());
    home.run();
    EXPECT_FALSE(ended);
    EXPECT_EQ(group.size(), 0U);
}

}  // namespace
}  // namespace sheaf::backend

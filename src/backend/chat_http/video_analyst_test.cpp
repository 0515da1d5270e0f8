#include <chrono>
#include <cstdlib>
#include <filesystem>

#include <boost/json.hpp>
#include <fcntl.h>
#include <gtest/gtest.h>

#include "backend/backend_conformance.h"
#include "backend/backends.h"
#include "backend/chat_http/shown_video_test.h"
#include "backend/json_text.h"
#include "backend/model_stand_in_test.h"
#include "http/client.h"
#include "media/decoders.h"

namespace sheaf::backend {
namespace {

using namespace std::chrono_literals;

constexpr const char* kSchema =
    R"({"type":"object","properties":{"title":{"type":"string"},"n":{"type":"integer"}},"required":["title","n"]})";

Job a_job(std::string prompt, core::OutputFormat output = core::TextOutput{}) {
    core::VideoAnalysis analysis;
    analysis.prompt.text = std::move(prompt);
    analysis.output = std::move(output);
    Job job;
    job.inference = std::move(analysis);
    job.video = std::make_shared<ShownVideo>();
    return job;
}

core::SegmentsOutput scenes(std::string description) {
    core::SegmentsOutput output;
    output.definitions.push_back(
        {.id = "scene", .description = std::move(description), .fields = {}, .images = {}, .ranges = {}});
    return output;
}

class ChatSubject final : public BackendSubject {
public:
    ChatSubject(async::Executor executor, std::vector<core::Protocol> protocols)
        : backend_(*make_relay_backend(
              executor,
              {.urls = {shared_stand_in().url()}, .model = "stand-in", .protocols = std::move(protocols)})) {}
    Backend& backend() override { return *backend_; }
    Job job(core::OutputFormat output) override { return a_job("What is shown?", std::move(output)); }
    Job slow_job() override { return a_job("stand-in: hang"); }
    std::string slow_words() override { return "stand-in: hang"; }

private:
    std::unique_ptr<Backend> backend_;
};

BackendCase chat_case(std::string name, std::vector<core::Protocol> protocols) {
    return {std::move(name), [protocols](async::Executor executor) -> std::unique_ptr<BackendSubject> {
                return std::make_unique<ChatSubject>(executor, protocols);
            }};
}

using enum core::Protocol;
INSTANTIATE_TEST_SUITE_P(ChatHttp, BackendConformance,
                         testing::Values(chat_case("chat", {chat_completions}),
                                         chat_case("everything",
                                                   {chat_completions, messages, responses, embeddings})));

class VideoAnalystTest : public testing::Test {
protected:
    void SetUp() override {
        ASSERT_FALSE(shared_stand_in().origin().empty())
            << "build model_stand_in, or name it in SHEAF_MODEL_STAND_IN";
        use({});
    }

    // The default stand-in, unless the options say otherwise.
    void use(RelayOptions options) {
        if (options.urls.empty()) options.urls = {shared_stand_in().url()};
        options.model = "stand-in";
        auto made = make_relay_backend(context_.get_executor(), std::move(options));
        ASSERT_TRUE(made) << made.error().message;
        backend_ = *std::move(made);
    }

    std::vector<core::Outcome> run_all(std::vector<Job> jobs) {
        std::vector<core::Outcome> outcomes(jobs.size(), core::Broken{{"none", "no outcome"}});
        std::size_t left = jobs.size();
        for (std::size_t i = 0; i < jobs.size(); ++i)
            boost::asio::co_spawn(context_, backend_->run(std::move(jobs[i])),
                                  [&, i](std::exception_ptr fault, core::Outcome outcome) {
                                      if (!fault) outcomes[i] = std::move(outcome);
                                      if (--left == 0) context_.stop();
                                  });
        context_.restart();
        context_.run_for(30s);
        return outcomes;
    }
    core::Outcome run(Job job) {
        std::vector<Job> jobs;
        jobs.push_back(std::move(job));
        return run_all(std::move(jobs)).front();
    }

    static std::string told(const core::Outcome& outcome) {
        if (const auto* answer = std::get_if<core::Answer>(&outcome))
            return (answer->finish == core::FinishReason::length ? "cut: " : "") + answer->text;
        if (const auto* refused = std::get_if<core::Refused>(&outcome))
            return "refused " + refused->failure.code + ": " + refused->failure.message;
        if (const auto* broken = std::get_if<core::Broken>(&outcome))
            return "broken: " + broken->failure.message;
        const auto& overloaded = std::get<core::Overloaded>(outcome);
        return "overloaded " +
               (overloaded.retry_after ? std::to_string(overloaded.retry_after->count()) : "");
    }
    std::string ask(std::string prompt) { return told(run(a_job(std::move(prompt)))); }
    std::string ask_json(std::string prompt) {
        return told(run(a_job(std::move(prompt), core::JsonOutput{kSchema})));
    }

    // What the stand-in remembers.
    boost::json::value ledger() {
        auto client = http::Client::make(context_.get_executor(), shared_stand_in().origin(), {});
        EXPECT_TRUE(client);
        http::ClientRequest request;
        request.method = "GET";
        request.target = "/stand-in/ledger";
        std::string body;
        boost::asio::co_spawn(context_, (*client)->send(std::move(request)),
                              [&](std::exception_ptr, Result<http::ClientResponse> response) {
                                  if (response) body = response->body;
                                  context_.stop();
                              });
        context_.restart();
        context_.run_for(10s);
        return parse_json(body).value_or(boost::json::value(nullptr));
    }
    boost::json::object last_entry() {
        const auto all = ledger();
        return all.at("entries").as_array().back().as_object();
    }

    boost::asio::io_context context_{1};
    std::unique_ptr<Backend> backend_;
};

TEST_F(VideoAnalystTest, AsksAndAnswers) {
    const auto outcome = run(a_job("What is shown?"));
    EXPECT_EQ(told(outcome), "The stand-in saw 3 pictures.");
    EXPECT_GT(std::get<core::Answer>(outcome).usage.input_tokens, 300U);
    EXPECT_EQ(std::get<core::Answer>(outcome).usage.output_tokens, 8U);
}

TEST_F(VideoAnalystTest, SamplesAsConfiguredInTheWindow) {
    use({.sampling = {.frames_per_second = 0.5, .frames_max = 7, .long_edge_max = 320}});
    auto job = a_job("What is shown?");
    const auto video = std::make_shared<ShownVideo>();
    job.video = video;
    std::get<core::VideoAnalysis>(job.inference).start_time = 2;
    run(std::move(job));
    EXPECT_EQ(video->asked.start, 2);
    EXPECT_EQ(video->asked.end, std::nullopt);
    EXPECT_EQ(video->asked.frames_per_second, 0.5);
    EXPECT_EQ(video->asked.count_max, 7U);
    EXPECT_EQ(video->asked.long_edge_max, 320);
}

TEST_F(VideoAnalystTest, StreamsTextAsItComes) {
    for (const std::string prompt :
         {"stand-in: say text=one two three", "stand-in: slow-drip", "stand-in: whole"}) {
        std::vector<std::string> fragments;
        auto job = a_job(prompt);
        job.on_text = [&](std::string_view fragment) { fragments.emplace_back(fragment); };
        const auto outcome = run(std::move(job));
        std::string heard;
        for (const auto& fragment : fragments) heard += fragment;
        EXPECT_EQ(told(outcome), heard) << prompt;
        EXPECT_EQ(fragments.size() > 1, prompt != "stand-in: whole") << prompt;
        ASSERT_TRUE(std::holds_alternative<core::Answer>(outcome)) << told(outcome);
        EXPECT_GT(std::get<core::Answer>(outcome).usage.input_tokens, 300U);
    }
}

TEST_F(VideoAnalystTest, TellsAStreamThatBreaksOffFromAWholeOne) {
    for (const std::string prompt : {"stand-in: half", "stand-in: half-stream"}) {
        auto job = a_job(prompt);
        std::string heard;
        job.on_text = [&](std::string_view fragment) { heard += fragment; };
        EXPECT_TRUE(told(run(std::move(job))).starts_with("broken: ")) << prompt;
        EXPECT_EQ(heard, "The ");
    }
}

TEST_F(VideoAnalystTest, TakesFaultsOfTheServerForWhatMayPass) {
    for (const std::string fault :
         {"500", "502", "409", "half", "garbage", "html", "empty", "no-choices", "error-200"})
        EXPECT_TRUE(ask("stand-in: " + fault).starts_with("broken: ")) << fault << ask("stand-in: " + fault);
    EXPECT_EQ(ask("stand-in: error-200"), "broken: the model server reported: out of memory");
}

TEST_F(VideoAnalystTest, HearsWhenItIsToldToSlowDown) {
    EXPECT_EQ(ask("stand-in: 429 retry-after=1"), "overloaded 1000");
    EXPECT_EQ(ask("stand-in: 503 retry-after=2"), "overloaded 2000");
    EXPECT_EQ(ask("stand-in: 429"), "overloaded ");
    EXPECT_EQ(ask("stand-in: 408"), "overloaded ");
}

TEST_F(VideoAnalystTest, TakesAWrongRequestForTheItemsFault) {
    EXPECT_EQ(ask("stand-in: 404 text=no such model"),
              "refused analysis_failed: the model server answered 404: no such model");
    EXPECT_TRUE(ask("stand-in: context").starts_with("refused token_limit_exceeded: "));
    EXPECT_TRUE(ask("stand-in: refusal").starts_with("refused analysis_failed: the model refused"));
    EXPECT_TRUE(ask("stand-in: filter").starts_with("refused analysis_failed: "));
}

TEST_F(VideoAnalystTest, GivesUpOnAServerThatHangs) {
    use({.answer_time = 300ms});
    EXPECT_EQ(ask("stand-in: hang"), "broken: the model server did not answer within 0.3 s");
}

TEST_F(VideoAnalystTest, TakesASlowAnswer) {
    EXPECT_EQ(ask("stand-in: slow-drip"), "The stand-in saw 3 pictures.");
}

TEST_F(VideoAnalystTest, TellsThatNobodyListens) {
    use({.urls = {"http://127.0.0.1:1/v1"}});
    EXPECT_TRUE(ask("What is shown?").starts_with("broken: "));
}

TEST_F(VideoAnalystTest, SendsTheKeyAndNeverShowsIt) {
    const ModelStandIn strict({"--key", "sk-right"});
    use({.urls = {strict.url()}, .key = Secret("sk-right")});
    EXPECT_EQ(ask("What is shown?"), "The stand-in saw 3 pictures.");
    const auto echoed = ask("stand-in: echo-key");
    EXPECT_EQ(echoed, "broken: the model server answered 500: the key Bearer *** is odd");
    use({.urls = {strict.url()}, .key = Secret("sk-wrong")});
    const auto denied = ask("What is shown?");
    EXPECT_TRUE(denied.starts_with("broken: the model server refused our key (401)")) << denied;
    EXPECT_EQ(denied.find("sk-wrong"), std::string::npos);
}

TEST_F(VideoAnalystTest, ChecksJsonAndTakesItFromAFence) {
    EXPECT_EQ(ask_json("What is shown?"), R"({"title":"","n":0})");
    EXPECT_EQ(ask_json("stand-in: fence"), R"({"title":"","n":0})");
    EXPECT_EQ(ask_json(R"(stand-in: say text={"n":2.0,"title":"x","more":1})"), R"({"title":"x","n":2})");
}

TEST_F(VideoAnalystTest, AsksOnceMoreWhenTheAnswerDoesNotFollowTheSchema) {
    auto outcome = run(a_job("stand-in: wrong-schema once, the first time", core::JsonOutput{kSchema}));
    // The comma belongs to the word, so this one is wrong every time.
    EXPECT_TRUE(told(outcome).starts_with("refused output_invalid: "));
    outcome = run(a_job("stand-in: wrong-schema once", core::JsonOutput{kSchema}));
    EXPECT_EQ(told(outcome), R"({"title":"","n":0})");
    EXPECT_EQ(last_entry().at("turns").to_number<int>(), 1);
    // Both calls count.
    EXPECT_GT(std::get<core::Answer>(outcome).usage.input_tokens, 600U);
}

TEST_F(VideoAnalystTest, RefusesAnAnswerThatIsWrongTwice) {
    EXPECT_EQ(
        ask_json("stand-in: wrong-schema"),
        R"(refused output_invalid: the model's answer does not follow the asked format: the document: the member "title" is missing)");
    EXPECT_TRUE(ask_json("stand-in: not-json").starts_with("refused output_invalid: "));
}

TEST_F(VideoAnalystTest, GivesCutJsonAsItIsAndNoCutSegments) {
    EXPECT_EQ(ask_json("stand-in: length"), R"(cut: {"title":)");
    EXPECT_TRUE(told(run(a_job("", scenes("\nstand-in: length\n")))).starts_with("refused output_invalid: "));
    EXPECT_EQ(ask("stand-in: length"), "cut: The stand-in s");
}

TEST_F(VideoAnalystTest, FindsSegments) {
    EXPECT_EQ(told(run(a_job("", scenes("A scene.")))),
              R"({"scene":[{"start_time":0.0,"end_time":8.0,"metadata":{}}]})");
    EXPECT_TRUE(
        told(run(a_job("", scenes("\nstand-in: wrong-schema\n")))).starts_with("refused output_invalid: "));
}

TEST_F(VideoAnalystTest, ShowsImagesOfThePrompt) {
    auto job = a_job("Find <@logo>.");
    std::get<core::VideoAnalysis>(job.inference).prompt.images = {
        {.name = "logo", .source = core::FromUrl{}}};
    job.images.push_back({.name = "logo", .mime_type = "image/jpeg", .bytes = a_jpeg()});
    EXPECT_EQ(told(run(std::move(job))), "The stand-in saw 4 pictures.");
}

TEST_F(VideoAnalystTest, RefusesAWindowOutsideTheVideo) {
    auto job = a_job("What is shown?");
    std::get<core::VideoAnalysis>(job.inference).start_time = 12;
    EXPECT_EQ(told(run(std::move(job))),
              "refused analysis_failed: start_time 12 lies at or after the end of the video (12.000 s)");
}

TEST_F(VideoAnalystTest, SortsFaultsOfTheVideo) {
    const auto with_error = [&](ErrorCode code) {
        auto job = a_job("What is shown?");
        const auto video = std::make_shared<ShownVideo>();
        video->error = Error{code, "why", {}};
        job.video = video;
        return told(run(std::move(job)));
    };
    EXPECT_EQ(with_error(ErrorCode::invalid), "refused video_file_broken: why");
    EXPECT_EQ(with_error(ErrorCode::timed_out), "refused analysis_failed: why");
    EXPECT_EQ(with_error(ErrorCode::unavailable), "broken: why");
}

TEST_F(VideoAnalystTest, KeepsToAKnownContext) {
    use({.sampling = {.context_tokens = 100}});
    EXPECT_TRUE(ask("What is shown?").starts_with("refused token_limit_exceeded: "));
    use({.sampling = {.context_tokens = 2000}});
    EXPECT_EQ(ask("What is shown?"), "The stand-in saw 3 pictures.");
}

TEST_F(VideoAnalystTest, NeverSentARequestThatTheServerFoundWrong) {
    for (const auto& entry : ledger().at("entries").as_array())
        EXPECT_EQ(entry.at("violation").as_string(), "") << json_text(entry);
}

// A video of our own making, or nothing when there is no ffmpeg program.
std::optional<std::filesystem::path> make_clip(const std::filesystem::path& directory) {
    const auto path = directory / "clip.mp4";
    const auto command =
        "ffmpeg -v error -nostdin -y -f lavfi -i testsrc2=s=320x240:r=10:d=10 -pix_fmt yuv420p " +
        path.string() + " > /dev/null 2>&1";
    if (std::system(command.c_str()) != 0) return std::nullopt;
    return path;
}

TEST_F(VideoAnalystTest, DecodesOnceForTwentyQuestionsAndShowsThemTheSamePrefix) {
    std::string pattern = (std::filesystem::temp_directory_path() / "sheaf-chat-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    const std::filesystem::path directory(pattern);
    const auto clip = make_clip(directory);
    if (!clip) {
        std::filesystem::remove_all(directory);
        GTEST_SKIP() << "there is no ffmpeg program to make a video with";
    }
    const auto bytes = std::filesystem::file_size(*clip);
    const auto file =
        std::make_shared<const blob::BlobFile>(::open(clip->c_str(), O_RDONLY | O_CLOEXEC), bytes);
    const auto media = media::make_ffmpeg_media({.worker_command = {"/proc/self/exe", "media-worker"}});
    std::optional<media::MediaInfo> info;
    boost::asio::co_spawn(context_, media->probe(file),
                          [&](std::exception_ptr, Result<media::MediaInfo> found) {
                              if (found) info = *std::move(found);
                              context_.stop();
                          });
    context_.restart();
    context_.run_for(30s);
    ASSERT_TRUE(info);
    const auto video = media->open("clip", file, *info);

    const auto before = ledger();
    std::vector<Job> jobs;
    for (int i = 0; i < 20; ++i) {
        auto job = i % 4 == 3 ? a_job("Question " + std::to_string(i), core::JsonOutput{kSchema})
                              : a_job("Question " + std::to_string(i));
        job.video = video;
        jobs.push_back(std::move(job));
    }
    for (const auto& outcome : run_all(std::move(jobs)))
        EXPECT_TRUE(std::holds_alternative<core::Answer>(outcome)) << told(outcome);
    EXPECT_EQ(media->stats().decodes, 1U);
    const auto after = ledger();
    const auto gained = [&](const char* name) {
        return after.at(name).to_number<int>() - before.at(name).to_number<int>();
    };
    EXPECT_EQ(gained("requests"), 20);
    EXPECT_EQ(gained("frame_sets"), 1);
    EXPECT_EQ(gained("prefix_repeated"), 19);
    EXPECT_EQ(gained("violations"), 0);
    EXPECT_GE(gained("images_decoded"), 20 * 5);
    std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace sheaf::backend

#include <gtest/gtest.h>

#include "backend/backend_conformance.h"
#include "backend/backends.h"
#include "backend/scripted/script.h"

namespace sheaf::backend {
namespace {

using std::chrono::milliseconds;

// A minute of video that nobody looks at.
class UnseenVideo final : public media::Video {
public:
    UnseenVideo() { info_.duration_s = 60; }
    const media::MediaInfo& info() const override { return info_; }
    async::Task<Result<std::shared_ptr<const media::FrameSet>>> frames(media::FrameRequest) override {
        co_return fail(ErrorCode::internal, "nobody looks");
    }
    async::Task<Result<media::Loudness>> loudness() override {
        co_return fail(ErrorCode::internal, "nobody listens");
    }

private:
    media::MediaInfo info_;
};

Job a_job(std::string prompt, core::OutputFormat output = core::TextOutput{}) {
    core::VideoAnalysis analysis;
    analysis.prompt.text = std::move(prompt);
    analysis.output = std::move(output);
    Job job;
    job.inference = std::move(analysis);
    job.video = std::make_shared<UnseenVideo>();
    job.custom_id = "item-1";
    return job;
}

class ScriptedSubject final : public BackendSubject {
public:
    Backend& backend() override { return *backend_; }
    Job job(core::OutputFormat output) override { return a_job("What is shown?", std::move(output)); }
    Job slow_job() override { return a_job("sheaf:delay 60000"); }
    std::string slow_words() override { return "sheaf:delay 60000"; }

private:
    std::unique_ptr<Backend> backend_ = make_scripted_backend({});
};

INSTANTIATE_TEST_SUITE_P(Scripted, BackendConformance,
                         testing::Values(BackendCase{"scripted",
                                                     [](async::Executor) -> std::unique_ptr<BackendSubject> {
                                                         return std::make_unique<ScriptedSubject>();
                                                     }}));

core::Outcome run(Backend& backend, Job job) {
    boost::asio::io_context context{1};
    std::optional<core::Outcome> result;
    boost::asio::co_spawn(context, backend.run(std::move(job)),
                          [&](std::exception_ptr fault, core::Outcome outcome) {
                              if (!fault) result = std::move(outcome);
                          });
    context.run_for(std::chrono::seconds{20});
    return result.value_or(core::Broken{{"none", "no outcome"}});
}

std::string told(const core::Outcome& outcome) {
    if (const auto* answer = std::get_if<core::Answer>(&outcome))
        return (answer->finish == core::FinishReason::length ? "cut: " : "") + answer->text;
    if (const auto* refused = std::get_if<core::Refused>(&outcome)) return "refused " + refused->failure.code;
    if (std::holds_alternative<core::Overloaded>(outcome)) return "overloaded";
    return "broken";
}

std::string run_text(Backend& backend, std::string prompt, std::uint32_t attempt = 1) {
    auto job = a_job(std::move(prompt));
    job.attempt = attempt;
    return told(run(backend, std::move(job)));
}

TEST(Script, ReadsDirectivesFromLinesOfTheirOwn) {
    const auto script = parse_script(
        "Describe it.\n  sheaf:broken 2\r\nsheaf:overload\nsheaf:delay 250\nsheaf:answer two words "
        "\nsheaf:length");
    EXPECT_EQ(script.broken, 2U);
    EXPECT_EQ(script.overloads, 1U);
    EXPECT_EQ(script.delay, milliseconds{250});
    EXPECT_EQ(script.answer, "two words");
    EXPECT_TRUE(script.is_cut);
    EXPECT_FALSE(script.fails);
}

TEST(Script, IgnoresWhatIsNoDirective) {
    const auto script =
        parse_script("please sheaf:fail\nsheaf:broken many\nsheaf:nothing\nsheaf:delay -4\n\n");
    EXPECT_FALSE(script.fails);
    EXPECT_EQ(script.broken, 0U);
    EXPECT_FALSE(script.delay);
}

TEST(ScriptedBackend, FillsTheConfiguredAnswer) {
    const auto backend = make_scripted_backend({.answer = "{custom_id} said {prompt} at {attempt}"});
    EXPECT_EQ(run_text(*backend, "hello", 3), "item-1 said hello at 3");
}

TEST(ScriptedBackend, FollowsTheDirectivesOfAnItem) {
    const auto backend = make_scripted_backend({});
    EXPECT_EQ(run_text(*backend, "sheaf:fail"), "refused analysis_failed");
    EXPECT_EQ(run_text(*backend, "sheaf:broken 2", 2), "broken");
    EXPECT_EQ(run_text(*backend, "sheaf:broken 2", 3), "scripted answer for item-1");
    EXPECT_EQ(run_text(*backend, "sheaf:answer yes"), "yes");
    EXPECT_EQ(run_text(*backend, "sheaf:answer h\u00e9h\u00e9\nsheaf:length"), "cut: h\u00e9");
}

TEST(ScriptedBackend, CountsOverloadsThoughAttemptsDoNot) {
    const auto backend = make_scripted_backend({});
    EXPECT_EQ(run_text(*backend, "sheaf:overload 2"), "overloaded");
    EXPECT_EQ(run_text(*backend, "sheaf:overload 2"), "overloaded");
    EXPECT_EQ(run_text(*backend, "sheaf:overload 2"), "scripted answer for item-1");
}

TEST(ScriptedBackend, ChecksAScriptedJsonAnswer) {
    const auto backend = make_scripted_backend({});
    const core::JsonOutput output{
        R"({"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]})"};
    EXPECT_EQ(told(run(*backend, a_job("sheaf:answer {\"n\":4.0}", output))), R"({"n":4})");
    EXPECT_EQ(told(run(*backend, a_job("sheaf:answer {\"n\":\"x\"}", output))), "refused output_invalid");
    EXPECT_EQ(told(run(*backend, a_job("", output))), R"({"n":0})");
    EXPECT_EQ(told(run(*backend, a_job("sheaf:length", output))), R"(cut: {"n)");
}

TEST(ScriptedBackend, RefusesCutSegments) {
    const auto backend = make_scripted_backend({});
    core::SegmentsOutput output;
    output.definitions.push_back(
        {.id = "a", .description = "sheaf:length", .fields = {}, .images = {}, .ranges = {}});
    EXPECT_EQ(told(run(*backend, a_job("", output))), "refused output_invalid");
    output.definitions[0].description = "";
    EXPECT_EQ(told(run(*backend, a_job("", output))),
              R"({"a":[{"start_time":0.0,"end_time":60.0,"metadata":{}}]})");
}

TEST(ScriptedBackend, DrawsTheSameFaultsForTheSameSeed) {
    const auto endings = [](std::uint64_t seed) {
        const auto backend =
            make_scripted_backend({.fail_rate = 0.3, .broken_rate = 0.3, .overload_rate = 0.3, .seed = seed});
        std::string all;
        for (int i = 0; i < 40; ++i) all += run_text(*backend, "item " + std::to_string(i)).substr(0, 1);
        return all;
    };
    EXPECT_EQ(endings(1), endings(1));
    EXPECT_NE(endings(1), endings(2));
    for (const char ending : {'o', 'b', 'r', 's'})
        EXPECT_NE(endings(1).find(ending), std::string::npos) << ending;
}

TEST(ScriptedBackend, AnswersEveryItemInTheEndAtAnOverloadRateBelowOne) {
    const auto backend = make_scripted_backend({.overload_rate = 0.5});
    for (int item = 0; item < 20; ++item) {
        int calls = 0;
        while (run_text(*backend, "item " + std::to_string(item)) == "overloaded") ASSERT_LT(++calls, 60);
    }
}

}  // namespace
}  // namespace sheaf::backend

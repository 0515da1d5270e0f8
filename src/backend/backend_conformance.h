#pragma once

#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "async/task_group.h"
#include "async/timer.h"
#include "backend/backend.h"

// What every backend keeps. An implementation's test instantiates the suite with a case that builds it:
//
//   INSTANTIATE_TEST_SUITE_P(Scripted, BackendConformance, testing::Values(BackendCase{"scripted",
//   make_subject}));
namespace sheaf::backend {

// One backend with all that it needs to run. Built and destroyed while the executor does not run.
class BackendSubject {
public:
    virtual ~BackendSubject() = default;
    virtual Backend& backend() = 0;
    // A job that is answered, about a video of at least 4 s.
    virtual Job job(core::OutputFormat output) = 0;
    // A job that would take 10 s or more.
    virtual Job slow_job() = 0;
};

struct BackendCase {
    std::string name;
    std::function<std::unique_ptr<BackendSubject>(async::Executor)> make;
};

inline void PrintTo(const BackendCase& subject, std::ostream* out) {
    *out << subject.name;
}

class BackendConformance : public testing::TestWithParam<BackendCase> {
protected:
    BackendConformance() : subject_(GetParam().make(context_.get_executor())) {}

    // Runs jobs side by side; an outcome for each, or nullopt where the run was canceled.
    std::vector<std::optional<core::Outcome>> run_all(std::vector<Job> jobs) {
        std::vector<std::optional<core::Outcome>> outcomes(jobs.size());
        for (std::size_t i = 0; i < jobs.size(); ++i)
            boost::asio::co_spawn(context_, subject_->backend().run(std::move(jobs[i])),
                                  [&outcomes, i](std::exception_ptr fault, core::Outcome outcome) {
                                      if (!fault) outcomes[i] = std::move(outcome);
                                  });
        context_.restart();
        context_.run_for(std::chrono::seconds{60});
        return outcomes;
    }

    std::optional<core::Answer> answer(Job job) {
        std::vector<Job> jobs;
        jobs.push_back(std::move(job));
        const auto outcome = run_all(std::move(jobs)).front();
        if (!outcome) return std::nullopt;
        if (const auto* refused = std::get_if<core::Refused>(&*outcome))
            ADD_FAILURE() << refused->failure.code << ": " << refused->failure.message;
        if (const auto* broken = std::get_if<core::Broken>(&*outcome))
            ADD_FAILURE() << broken->failure.message;
        const auto* good = std::get_if<core::Answer>(&*outcome);
        return good == nullptr ? std::nullopt : std::optional(*good);
    }

    static core::JsonOutput a_json_output() {
        return {R"({"type":"object","properties":{"title":{"type":"string"},"count":{"type":"integer"},)"
                R"("when":{"type":"timestamp","format":"hh:mm:ss"}},"required":["title","count","when"]})"};
    }

    static core::SegmentsOutput a_segments_output() {
        core::SegmentsOutput output;
        core::SegmentDefinition definition;
        definition.id = "scene";
        definition.description = "Every scene.";
        core::SegmentField field;
        field.name = "title";
        field.description = "A title.";
        definition.fields = {field};
        output.definitions.push_back(definition);
        definition.id = "second";
        definition.fields.clear();
        output.definitions.push_back(definition);
        return output;
    }

    boost::asio::io_context context_{1};
    std::unique_ptr<BackendSubject> subject_;
};

TEST_P(BackendConformance, AnswersInText) {
    const auto good = answer(subject_->job(core::TextOutput{}));
    ASSERT_TRUE(good);
    EXPECT_FALSE(good->text.empty());
    EXPECT_GT(good->usage.output_tokens, 0U);
}

TEST_P(BackendConformance, AnswersJsonThatFollowsTheSchemaInItsOrder) {
    const auto good = answer(subject_->job(a_json_output()));
    ASSERT_TRUE(good);
    boost::system::error_code error;
    const auto document = boost::json::parse(good->text, error);
    ASSERT_FALSE(error) << good->text;
    const auto& members = document.as_object();
    ASSERT_EQ(members.size(), 3U) << good->text;
    EXPECT_EQ(members.begin()[0].key(), "title");
    EXPECT_TRUE(members.begin()[0].value().is_string());
    EXPECT_EQ(members.begin()[1].key(), "count");
    EXPECT_TRUE(members.begin()[1].value().is_int64() || members.begin()[1].value().is_uint64());
    EXPECT_EQ(members.begin()[2].key(), "when");
    ASSERT_TRUE(members.begin()[2].value().is_string());
    EXPECT_EQ(members.begin()[2].value().get_string().size(), 8U) << good->text;
}

TEST_P(BackendConformance, AnswersSegmentsThatFollowTheRules) {
    const auto good = answer(subject_->job(a_segments_output()));
    ASSERT_TRUE(good);
    boost::system::error_code error;
    const auto document = boost::json::parse(good->text, error);
    ASSERT_FALSE(error) << good->text;
    const auto& groups = document.as_object();
    ASSERT_EQ(groups.size(), 2U) << good->text;
    EXPECT_EQ(groups.begin()[0].key(), "scene");
    EXPECT_EQ(groups.begin()[1].key(), "second");
    for (const auto& group : groups) {
        double last_end = -1;
        for (const auto& segment : group.value().as_array()) {
            const auto start = segment.at("start_time").to_number<double>();
            const auto end = segment.at("end_time").to_number<double>();
            EXPECT_LT(start, end);
            EXPECT_GE(start, last_end);
            last_end = end;
            EXPECT_EQ(segment.at("metadata").as_object().size(), group.key() == "scene" ? 1U : 0U);
        }
    }
}

TEST_P(BackendConformance, HandsOverTextThatAddsUpToTheAnswer) {
    for (const core::OutputFormat& output :
         {core::OutputFormat(core::TextOutput{}), core::OutputFormat(a_json_output())}) {
        std::string heard;
        auto job = subject_->job(output);
        job.on_text = [&](std::string_view fragment) { heard += fragment; };
        const auto good = answer(std::move(job));
        ASSERT_TRUE(good);
        EXPECT_EQ(heard, good->text);
    }
}

TEST_P(BackendConformance, RunsSeveralAtOnce) {
    std::vector<Job> jobs;
    for (int i = 0; i < 8; ++i) jobs.push_back(subject_->job(core::TextOutput{}));
    for (const auto& outcome : run_all(std::move(jobs))) {
        ASSERT_TRUE(outcome);
        EXPECT_TRUE(std::holds_alternative<core::Answer>(*outcome));
    }
}

TEST_P(BackendConformance, StopsSoonWhenItIsCanceled) {
    async::TaskGroup group(context_.get_executor());
    bool ended_by_itself = false;
    const auto run = [this, &ended_by_itself](Job job) -> async::Task<void> {
        co_await subject_->backend().run(std::move(job));
        ended_by_itself = true;
    };
    group.spawn(run(subject_->slow_job()));
    context_.restart();
    context_.run_for(std::chrono::milliseconds{300});
    ASSERT_EQ(group.size(), 1U) << "the slow job is not slow";
    const auto stopped_at = std::chrono::steady_clock::now();
    group.stop();
    context_.restart();
    context_.run_for(std::chrono::seconds{20});
    EXPECT_EQ(group.size(), 0U);
    EXPECT_FALSE(ended_by_itself);
    EXPECT_LT(std::chrono::steady_clock::now() - stopped_at, std::chrono::seconds{3});
}

TEST_P(BackendConformance, RefusesAWindowOutsideTheVideo) {
    auto job = subject_->job(a_segments_output());
    std::get<core::VideoAnalysis>(job.inference).start_time = 1e6;
    std::vector<Job> jobs;
    jobs.push_back(std::move(job));
    const auto outcome = run_all(std::move(jobs)).front();
    ASSERT_TRUE(outcome);
    EXPECT_TRUE(std::holds_alternative<core::Refused>(*outcome));
}

}  // namespace sheaf::backend

#include "backend/backend_conformance.h"

#include <chrono>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include <boost/json.hpp>

#include "async/task_group.h"

namespace sheaf::backend {

void BackendConformance::expect_that_canceling_stops(Job slow) {
    async::TaskGroup group(context_.get_executor());
    bool ended_by_itself = false;
    const auto run = [this, &ended_by_itself](Job job) -> async::Task<void> {
        co_await subject_->backend().run(std::move(job));
        ended_by_itself = true;
    };
    group.spawn(run(std::move(slow)));
    context_.restart();
    context_.run_for(std::chrono::milliseconds{300});
    ASSERT_EQ(group.size(), 1U) << "the slow job is not slow";
    const auto stopped_at = std::chrono::steady_clock::now();
    group.stop();
    boost::asio::co_spawn(context_, group.wait_until_empty(), [&](std::exception_ptr) { context_.stop(); });
    context_.restart();
    context_.run_for(std::chrono::seconds{20});
    EXPECT_EQ(group.size(), 0U);
    EXPECT_FALSE(ended_by_itself);
    EXPECT_LT(std::chrono::steady_clock::now() - stopped_at, std::chrono::seconds{3});
}

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
    expect_that_canceling_stops(subject_->slow_job());
}

TEST_P(BackendConformance, RefusesAWindowOutsideTheVideo) {
    auto job = subject_->job(a_segments_output());
    std::get<core::VideoAnalysis>(job.inference).start_time = 1e6;
    const auto outcome = outcome_of(std::move(job));
    ASSERT_TRUE(outcome);
    EXPECT_TRUE(std::holds_alternative<core::Refused>(*outcome));
}

}  // namespace sheaf::backend

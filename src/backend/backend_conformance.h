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
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "backend/backend.h"

// What every backend keeps; backend_conformance_test.cpp says it. An implementation's test instantiates the
// suite with a case that builds it:
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
    // What a model request says to take as long.
    virtual std::string slow_words() = 0;
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
        std::size_t left = jobs.size();
        for (std::size_t i = 0; i < jobs.size(); ++i)
            boost::asio::co_spawn(context_, subject_->backend().run(std::move(jobs[i])),
                                  [&, i](std::exception_ptr fault, core::Outcome outcome) {
                                      if (!fault) outcomes[i] = std::move(outcome);
                                      // Idle connections go on without it.
                                      if (--left == 0) context_.stop();
                                  });
        context_.restart();
        context_.run_for(std::chrono::seconds{60});
        return outcomes;
    }

    std::optional<core::Answer> answer(Job job) {
        const auto outcome = outcome_of(std::move(job));
        if (!outcome) return std::nullopt;
        if (const auto* refused = std::get_if<core::Refused>(&*outcome))
            ADD_FAILURE() << refused->failure.code << ": " << refused->failure.message;
        if (const auto* broken = std::get_if<core::Broken>(&*outcome))
            ADD_FAILURE() << broken->failure.message;
        const auto* good = std::get_if<core::Answer>(&*outcome);
        return good == nullptr ? std::nullopt : std::optional(*good);
    }

    std::optional<core::Outcome> outcome_of(Job job) {
        std::vector<Job> jobs;
        jobs.push_back(std::move(job));
        return run_all(std::move(jobs)).front();
    }

    // Whether the job is still under way after a moment, and ends soon and without an outcome when canceled.
    void expect_that_canceling_stops(Job job);

    static Job a_model_job(core::Protocol protocol, std::string_view words) {
        Job job;
        job.inference = core::ModelRequest{
            .protocol = protocol, .model = "the-model", .body = a_request(protocol, words)};
        return job;
    }

    // `words` need no escaping.
    static std::string a_request(core::Protocol protocol, std::string_view words) {
        switch (protocol) {
            case core::Protocol::chat_completions:
                return fmt::format(R"({{"model":"the-model","messages":[{{"role":"user","content":"{}"}}]}})",
                                   words);
            case core::Protocol::messages:
                return fmt::format(
                    R"({{"model":"the-model","max_tokens":99,"messages":[{{"role":"user","content":"{}"}}]}})",
                    words);
            case core::Protocol::responses:
            case core::Protocol::embeddings:
                return fmt::format(R"({{"model":"the-model","input":"{}"}})", words);
        }
        return "";
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

}  // namespace sheaf::backend

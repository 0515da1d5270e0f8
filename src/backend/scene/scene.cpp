#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "async/blocking.h"
#include "backend/backends.h"
#include "backend/scene/fields.h"
#include "backend/scene/findings.h"
#include "backend/scene/looks.h"
#include "backend/scene/report.h"
#include "backend/scene/text_reader.h"
#include "backend/segments.h"
#include "backend/window.h"
#include "base/log.h"

namespace sheaf::backend {
namespace {

using scene::Findings;
using scene::Look;
using scene::Span;

constexpr int kSketchEdge = 64;  // pixels of the longer side
constexpr int kReadEdge = 1280;
constexpr double kStretchBytes = 12e6;  // of frames asked for at once
constexpr double kStretchMin = 4;       // seconds
constexpr double kStretchMax = 60;
constexpr double kFrameTolerance = 0.002;

core::Outcome outcome_of(const Error& error) {
    switch (error.code) {
        case ErrorCode::invalid:
        case ErrorCode::corrupt:
            return core::Refused{{"video_file_broken", error.message}};
        case ErrorCode::timed_out:
        case ErrorCode::too_large:
            return core::Refused{{"analysis_failed", error.message}};
        case ErrorCode::not_found:
        case ErrorCode::conflict:
        case ErrorCode::exhausted:
        case ErrorCode::denied:
        case ErrorCode::no_space:
        case ErrorCode::unavailable:
        case ErrorCode::canceled:
        case ErrorCode::internal:
            return core::Broken{{"analysis_failed", error.message}};
    }
    return core::Broken{{"analysis_failed", error.message}};
}

// The end is infinite when neither the file nor the request tells it.
Result<Span> window_of(const core::VideoAnalysis& analysis, const media::MediaInfo& info) {
    if (!info.duration_s && !analysis.end_time) {
        return Span{std::max(analysis.start_time.value_or(info.start_s), info.start_s),
                    std::numeric_limits<double>::infinity()};
    }
    const Result<Bounds> bounds = analysis_window(analysis, info);
    if (!bounds) return std::unexpected(bounds.error());
    return Span{bounds->start, bounds->end};
}

// What of `window` the definitions speak of.
Span narrowed(Span window, const core::OutputFormat& output) {
    const auto* segments = std::get_if<core::SegmentsOutput>(&output);
    if (segments == nullptr) return window;
    Span hull{window.end, window.start};
    for (const core::SegmentDefinition& definition : segments->definitions) {
        if (definition.ranges.empty()) return window;
        for (const core::TimeRange& range : definition.ranges) {
            hull.start = std::min(hull.start, range.start);
            hull.end = std::max(hull.end, range.end);
        }
    }
    const Span inside{std::max(hull.start, window.start), std::min(hull.end, window.end)};
    return inside.length() > 0 ? inside : window;
}

double first_stretch(const media::MediaInfo& info) {
    double fps = 30;
    if (!info.video.empty()) {
        const media::VideoStream& video = info.video.front();
        if (video.avg_fps > 0)
            fps = video.avg_fps;
        else if (video.fps > 0)
            fps = video.fps;
    }
    const double frame_bytes = kSketchEdge * kSketchEdge * 3;
    return std::clamp(kStretchBytes / (frame_bytes * fps), kStretchMin, kStretchMax);
}

// Turns frames into steps and moments, as they come.
class Watcher {
public:
    void watch(const media::FrameSet& set) {
        for (const media::Frame& frame : set.frames) {
            const auto pixels =
                static_cast<std::size_t>(frame.width) * static_cast<std::size_t>(frame.height);
            if (pixels == 0 || frame.bytes.size() != pixels * 3) continue;
            if (!maker_.steps().empty() && frame.time <= maker_.steps().back().time) continue;
            scene::Sketch sketch = scene::make_sketch(frame.time, frame.width, frame.height, frame.bytes);
            if (moments_.empty() || frame.time >= moments_.back().time + scene::kMomentEvery - 0.005) {
                moments_.push_back(
                    {frame.time, scene::count_colours(frame.bytes), scene::make_thumb(sketch)});
            }
            maker_.push(std::move(sketch));
        }
    }

    void conclude(Findings& findings) {
        const auto steps = maker_.steps();
        findings.steps.assign(steps.begin(), steps.end());
        findings.moments = std::move(moments_);
        findings.boundaries = scene::find_boundaries(findings.steps);
    }

    std::uint64_t frames() const { return maker_.steps().size(); }
    double last_time() const { return maker_.steps().back().time; }

private:
    scene::StepMaker maker_;
    std::vector<scene::Moment> moments_;
};

media::FrameRequest request_at(double time) {
    return {.start = time - kFrameTolerance,
            .end = time + kFrameTolerance,
            .frames_per_second = 0,
            .long_edge_max = kReadEdge,
            .format = media::PixelFormat::gray8,
            .mode = media::DecodeMode::all};
}

const media::Frame* frame_for(const media::FrameSet& set, const Look& look, Span shot) {
    const media::Frame* nearest = nullptr;
    for (const media::Frame& frame : set.frames) {
        if (!shot.contains(frame.time)) continue;
        if (nearest == nullptr || std::abs(frame.time - look.time) < std::abs(nearest->time - look.time)) {
            nearest = &frame;
        }
    }
    return nearest;
}

class SceneBackend final : public Backend {
public:
    SceneBackend(async::Lane& lane, SceneOptions options) : lane_(&lane), options_(options) {}

    async::Task<core::Outcome> run(Job job) override {
        const auto* analysis = std::get_if<core::VideoAnalysis>(&job.inference);
        if (analysis == nullptr) {
            co_return core::Refused{{"invalid_request", fmt::format("The model \"{}\" analyses videos only.",
                                                                    core::model_of(job.inference))}};
        }
        if (job.video == nullptr) {
            co_return core::Refused{{"analysis_failed", "The built-in scene analysis needs a video."}};
        }
        if (std::holds_alternative<core::JsonOutput>(analysis->output)) {
            co_return core::Refused{{"unsupported_output",
                                     "The built-in scene analysis has no language model and cannot fill a "
                                     "free JSON schema; configure a "
                                     "[[model]] for this name."}};
        }
        const media::MediaInfo& info = job.video->info();
        if (info.video.empty()) {
            co_return core::Refused{{"video_file_broken", "The file has no video stream."}};
        }
        const Result<Span> window = window_of(*analysis, info);
        if (!window) co_return core::Refused{{"analysis_failed", window.error().message}};

        Findings findings{.window = narrowed(*window, analysis->output)};
        Watcher watcher;
        Result<> done = co_await watch(*job.video, findings, watcher);
        if (!done) co_return outcome_of(done.error());
        done = co_await listen(*job.video, findings);
        if (!done) co_return outcome_of(done.error());
        done = co_await read_texts(*job.video, findings);
        if (!done) co_return outcome_of(done.error());
        const std::uint64_t frames_seen = watcher.frames() + findings.looks;
        if (const auto* output = std::get_if<core::SegmentsOutput>(&analysis->output)) {
            core::Outcome outcome =
                co_await lane_->run([&] { return segments_outcome(job, *output, findings, frames_seen); });
            if (const auto* answer = std::get_if<core::Answer>(&outcome); answer != nullptr && job.on_text) {
                job.on_text(answer->text);
            }
            co_return outcome;
        }
        const scene::ReportRequest request{.has_prompt = !analysis->prompt.text.empty(),
                                           .images = analysis->prompt.images.size()};
        scene::Cut cut = co_await lane_->run([&] {
            return scene::cut_to_length(write_report(findings, info, request), analysis->max_tokens);
        });
        core::Answer answer{.finish = cut.finish, .truncation = std::move(cut.truncation)};
        for (const std::string& section : cut.sections) {
            if (job.on_text) job.on_text(section);
            answer.text += section;
        }
        answer.usage = {frames_seen, scene::estimate_tokens(answer.text)};
        co_return answer;
    }

private:
    // Every frame of the window, a stretch at a time, so that memory does not grow with the video.
    async::Task<Result<>> watch(media::Video& video, Findings& findings, Watcher& watcher) {
        double stretch = first_stretch(video.info());
        double from = findings.window.start;
        while (from < findings.window.end) {
            const double to = std::min(from + stretch, findings.window.end);
            const media::FrameRequest request{.start = from,
                                              .end = to,
                                              .frames_per_second = 0,
                                              .long_edge_max = kSketchEdge,
                                              .format = media::PixelFormat::rgb24,
                                              .mode = media::DecodeMode::all};
            auto set = co_await video.frames(request);
            // A file that breaks off, or is shorter than it says, was analysed as far as it goes.
            if (!set && set.error().code == ErrorCode::invalid && watcher.frames() > 0) break;
            if (!set) co_return std::unexpected(set.error());
            const media::FrameSet& frames = **set;
            if (frames.frames.empty() && findings.window.end == std::numeric_limits<double>::infinity())
                break;
            co_await lane_->run([&] { watcher.watch(frames); });
            // Key frames far apart make each stretch decode what lies before it: take longer ones.
            if (frames.frames_decoded > 2 * frames.frames.size() + 50)
                stretch = std::min(stretch * 2, kStretchMax);
            from = to;
        }
        if (watcher.frames() == 0) {
            co_return fail(ErrorCode::invalid,
                           "No picture could be decoded in the part of the video that was asked for.");
        }
        co_await lane_->run([&] { watcher.conclude(findings); });
        // A duration that promises more than there is does not make the last shot longer.
        const std::size_t count = findings.steps.size();
        const double gap = count > 1 ? findings.steps[count - 1].time - findings.steps[count - 2].time : 0.04;
        if (findings.window.end > watcher.last_time() + std::max(2.0, 3 * gap)) {
            findings.window.end = watcher.last_time() + gap;
        }
        findings.shots = scene::shots_between(findings.window, findings.boundaries);
        co_return Result<>();
    }

    async::Task<Result<>> listen(media::Video& video, Findings& findings) {
        findings.has_sound = !video.info().audio.empty();
        if (!findings.has_sound) co_return Result<>();
        auto loudness = co_await video.loudness();
        if (!loudness) {
            const ErrorCode code = loudness.error().code;
            if (code == ErrorCode::unavailable || code == ErrorCode::internal || code == ErrorCode::corrupt)
                co_return std::unexpected(loudness.error());
            // The picture was fine: a broken sound track does not take that away.
            findings.sound_problem = loudness.error().message;
            co_return Result<>();
        }
        findings.silences = scene::find_silences(*loudness, findings.window);
        findings.loudness = std::move(*loudness);
        co_return Result<>();
    }

    async::Task<Result<>> read_texts(media::Video& video, Findings& findings) {
        std::vector<Look> looks = co_await lane_->run([&] {
            return scene::plan_looks(findings,
                                     {.every_s = options_.ocr_every_s, .count_max = options_.ocr_frames_max});
        });
        for (const Look& look : looks) findings.looks_left_out += look.is_left_out ? 1 : 0;
        scene::ReadMemory memory;
        for (const scene::LookGroup& group : scene::group_looks(looks)) {
            std::shared_ptr<const media::FrameSet> together;
            if (group.looks.size() > 1) {
                auto set = co_await video.frames({.start = looks[group.looks.front()].time - kFrameTolerance,
                                                  .end = looks[group.looks.back()].time + kFrameTolerance,
                                                  .frames_per_second = group.frames_per_second,
                                                  .long_edge_max = kReadEdge,
                                                  .format = media::PixelFormat::gray8});
                if (!set && set.error().code != ErrorCode::invalid) co_return std::unexpected(set.error());
                if (set) together = std::move(*set);
            }
            for (const std::size_t index : group.looks) {
                Look& look = looks[index];
                const Span shot = findings.shots[look.shot];
                std::shared_ptr<const media::FrameSet> set = together;
                const media::Frame* frame = set == nullptr ? nullptr : frame_for(*set, look, shot);
                if (frame == nullptr) {
                    auto alone = co_await video.frames(request_at(look.time));
                    // It could be decoded a moment ago: one look less is no reason to give up the rest.
                    if (!alone && alone.error().code == ErrorCode::invalid) continue;
                    if (!alone) co_return std::unexpected(alone.error());
                    set = std::move(*alone);
                    frame = frame_for(*set, look, shot);
                }
                if (frame == nullptr) continue;
                const Result<> read =
                    co_await lane_->run([&]() -> Result<> { return read_frame(*frame, memory, look); });
                if (!read) {
                    log::warning("on-screen text is not read", {{"reason", read.error().message}});
                    findings.text_problem = read.error().message;
                    co_return Result<>();
                }
                ++findings.looks;
            }
        }
        findings.texts = scene::merge_texts(looks);
        co_return Result<>();
    }

    Result<> read_frame(const media::Frame& frame, scene::ReadMemory& memory, Look& look) {
        const auto pixels = static_cast<std::size_t>(frame.width) * static_cast<std::size_t>(frame.height);
        if (pixels == 0 || frame.bytes.size() != pixels) return {};
        auto lines = reader_.read({frame.width, frame.height, frame.bytes}, memory);
        if (!lines) return std::unexpected(lines.error());
        look.lines = std::move(*lines);
        return {};
    }

    static core::Outcome segments_outcome(const Job& job, const core::SegmentsOutput& output,
                                          const Findings& findings, std::uint64_t frames_seen) {
        const Bounds bounds{findings.window.start, findings.window.end};
        const auto settled = settle_segments(output, bounds, make_segments(findings, output, bounds));
        if (!settled) return core::Refused{{"analysis_failed", settled.error().message}};
        core::Answer answer{.text = render_segments(output, *settled)};
        answer.usage = {frames_seen, scene::estimate_tokens(answer.text)};
        const auto& analysis = std::get<core::VideoAnalysis>(job.inference);
        // Half a document helps nobody.
        if (answer.usage.output_tokens > analysis.max_tokens) {
            return core::Refused{{"analysis_failed", "The segments do not fit into max_tokens."}};
        }
        return answer;
    }

    async::Lane* lane_;
    SceneOptions options_;
    scene::TextReader reader_;
};

}  // namespace

std::unique_ptr<Backend> make_scene_backend(async::Lane& lane, SceneOptions options) {
    return std::make_unique<SceneBackend>(lane, options);
}

}  // namespace sheaf::backend

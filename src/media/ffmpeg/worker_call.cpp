#include "media/ffmpeg/worker_call.h"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <string>

#include <sys/wait.h>

#include "base/log.h"
#include "media/ffmpeg/process.h"

namespace sheaf::media {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{64} << 10;
constexpr std::chrono::milliseconds kPatience{1000};

std::unexpected<Error> nonsense() {
    return fail(ErrorCode::internal, "The media worker's answer makes no sense.");
}

// The child's output as bytes to be taken, through a buffer.
class Output {
public:
    explicit Output(ChildProcess& child) : child_(child), buffer_(kBufferBytes, '\0') {}

    // Exactly `bytes` bytes. unavailable when the output ends before.
    Result<> take(char* to, std::size_t bytes) {
        while (bytes > 0) {
            if (begin_ == end_) {
                // What is large goes where it belongs at once.
                const bool direct = bytes >= buffer_.size();
                auto got = child_.read(direct ? to : buffer_.data(), direct ? bytes : buffer_.size());
                if (!got) return std::unexpected(got.error());
                if (*got == 0) {
                    ended_ = true;
                    return fail(ErrorCode::unavailable, "The media worker ended without an answer.");
                }
                if (direct) {
                    to += *got;
                    bytes -= *got;
                    continue;
                }
                begin_ = 0;
                end_ = *got;
            }
            const std::size_t count = std::min(bytes, end_ - begin_);
            std::memcpy(to, buffer_.data() + begin_, count);
            begin_ += count;
            to += count;
            bytes -= count;
        }
        return {};
    }
    bool ended() const { return ended_; }

    Result<std::string> take(std::size_t bytes) {
        std::string text;
        Result<> taken;
        // libstdc++ 12 tells the function the capacity in place of the size.
        text.resize_and_overwrite(bytes, [&](char* to, std::size_t) {
            taken = take(to, bytes);
            return taken ? bytes : 0;
        });
        if (!taken) return std::unexpected(taken.error());
        return text;
    }

    // True when nothing follows.
    Result<bool> at_end() {
        if (begin_ != end_) return false;
        auto got = child_.read(buffer_.data(), buffer_.size());
        if (!got) return std::unexpected(got.error());
        return *got == 0;
    }

private:
    ChildProcess& child_;
    std::string buffer_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    bool ended_ = false;
};

// Reads an answer that may be hostile. An error that the worker itself reports is `reported`.
class AnswerReader {
public:
    AnswerReader(Output& output, const wire::Job& job)
        : output_(output), job_(job), bytes_left_(job.limits.output_bytes_max) {}

    Result<WorkerAnswer> read() {
        for (;;) {
            auto head = output_.take(wire::kHeaderBytes);
            if (!head) return std::unexpected(head.error());
            const auto header = wire::parse_header(*head);
            if (!header) return std::unexpected(header.error());
            // What keeping a record costs us counts as well, so that many small ones are no way around the
            // limit.
            const std::uint64_t cost = std::uint64_t{header->bytes} + sizeof(Frame) + wire::kHeaderBytes;
            const bool last =
                header->kind == wire::RecordKind::end || header->kind == wire::RecordKind::error;
            if (!last && cost > bytes_left_) {
                return fail(ErrorCode::too_large,
                            "The answer is larger than is allowed; ask for fewer frames.");
            }
            if (!last) bytes_left_ -= cost;
            if (header->kind == wire::RecordKind::frame) {
                if (auto added = add_frame(header->bytes); !added) return std::unexpected(added.error());
                continue;
            }
            auto payload = output_.take(header->bytes);
            if (!payload) return std::unexpected(payload.error());
            if (!last) {
                if (auto added = add(header->kind, *payload); !added) return std::unexpected(added.error());
                continue;
            }
            auto alone = output_.at_end();
            if (!alone) return std::unexpected(alone.error());
            if (!*alone) return nonsense();
            return end(header->kind, *payload);
        }
    }

private:
    Result<> add_frame(std::uint32_t bytes) {
        if (job_.kind != wire::JobKind::frames) return nonsense();
        auto& frames = answer_.frames.frames;
        const auto& request = job_.request;
        if (request.count_max > 0 && frames.size() >= request.count_max) return nonsense();
        auto head = output_.take(wire::kFrameHeadBytes);
        if (!head) return std::unexpected(head.error());
        const std::size_t image_bytes = bytes - wire::kFrameHeadBytes;
        const auto parsed = wire::parse_frame_head(*head, image_bytes, request);
        if (!parsed) return std::unexpected(parsed.error());
        if (!frames.empty() && !(parsed->time > frames.back().time)) return nonsense();
        auto image = output_.take(image_bytes);
        if (!image) return std::unexpected(image.error());
        if (request.format == PixelFormat::jpeg && !image->starts_with("\xff\xd8")) return nonsense();
        frames.push_back({.time = parsed->time,
                          .width = static_cast<int>(parsed->width),
                          .height = static_cast<int>(parsed->height),
                          .bytes = std::move(*image)});
        return {};
    }

    Result<> add(wire::RecordKind kind, std::string_view payload) {
        if (kind == wire::RecordKind::info && job_.kind == wire::JobKind::probe && !answer_.info) {
            auto info = wire::parse_info(payload);
            if (!info) return std::unexpected(info.error());
            answer_.info = std::move(*info);
            return {};
        }
        if (kind != wire::RecordKind::levels || job_.kind != wire::JobKind::loudness) return nonsense();
        auto levels = wire::parse_levels(payload);
        if (!levels) return std::unexpected(levels.error());
        if (!answer_.loudness) answer_.loudness = Loudness{levels->window_s, levels->start, {}};
        auto& all = answer_.loudness->dbfs;
        if (all.size() + levels->dbfs.size() > wire::kLevelsMax + wire::kLevelsPerRecord) return nonsense();
        all.insert(all.end(), levels->dbfs.begin(), levels->dbfs.end());
        return {};
    }

    Result<WorkerAnswer> end(wire::RecordKind kind, std::string_view payload) {
        if (kind == wire::RecordKind::error) {
            auto error = wire::parse_error(payload);
            if (!error) return std::unexpected(error.error());
            return std::unexpected(std::move(*error));
        }
        const auto parsed = wire::parse_end(payload);
        if (!parsed) return std::unexpected(parsed.error());
        if (job_.kind == wire::JobKind::probe && !answer_.info) return nonsense();
        if (job_.kind == wire::JobKind::loudness && !answer_.loudness) return nonsense();
        answer_.frames.key_frames_only = parsed->key_frames_only;
        answer_.frames.frames_decoded = parsed->frames_decoded;
        return std::move(answer_);
    }

    Output& output_;
    const wire::Job& job_;
    std::uint64_t bytes_left_;
    WorkerAnswer answer_;
};

// What the end of a worker that did not finish its answer says about its file.
Error explain(int status) {
    if (status != -1 && WIFSIGNALED(status)) {
        switch (WTERMSIG(status)) {
            case SIGXCPU:
                return {ErrorCode::timed_out, "The file took too much processor time.", {}};
            case SIGSEGV:
            case SIGBUS:
            case SIGILL:
            case SIGFPE:
            case SIGABRT:
            case SIGTRAP:
                return {ErrorCode::invalid, "The file is broken: its decoder crashed on it.", {}};
            case SIGSYS:
                return {ErrorCode::invalid, "The file is broken: its decoder tried what it may not.", {}};
            default:
                return {ErrorCode::unavailable, "The media worker was killed.", {}};
        }
    }
    return {ErrorCode::unavailable, "The media worker ended without an answer.", {}};
}

}  // namespace

Result<WorkerAnswer> call_worker(const FfmpegOptions& options, wire::Job job, const blob::BlobFile& file,
                                 std::stop_token stop) {
    const auto checked = file.check([&] { return stop.stop_requested(); });
    if (!checked) return std::unexpected(checked.error());
    job.limits = {
        .memory_bytes_max = options.memory_bytes_max,
        .cpu_s_max = static_cast<std::uint64_t>(std::max<std::int64_t>(options.cpu_time_max.count(), 1)),
        .pixels_max = options.pixels_max,
        .output_bytes_max = options.output_bytes_max};
    job.file_bytes = file.bytes();
    auto child = ChildProcess::start({.command = options.worker_command,
                                      .input = wire::encode(job),
                                      .file = file.fd(),
                                      .deadline = std::chrono::steady_clock::now() + options.wall_time_max,
                                      .stop = std::move(stop)});
    if (!child) return std::unexpected(child.error());
    Output output(*child);
    auto answer = AnswerReader(output, job).read();
    if (answer) {
        child->finish(kPatience);
        return answer;
    }
    if (!output.ended()) {
        child->kill();
        return answer;
    }
    const int status = child->finish(kPatience);
    auto error = explain(status);
    log::warning("media worker ended without an answer", {{"status", status}, {"error", error.message}});
    return std::unexpected(std::move(error));
}

}  // namespace sheaf::media

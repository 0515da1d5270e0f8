#include <cerrno>
#include <new>
#include <string>

#include <unistd.h>

#include "media/decoders.h"
#include "media/ffmpeg/answer.h"
#include "media/ffmpeg/confinement.h"
#include "media/ffmpeg/frames.h"
#include "media/ffmpeg/input.h"
#include "media/ffmpeg/levels.h"
#include "media/ffmpeg/probe.h"
#include "media/ffmpeg/wire.h"

namespace sheaf::media {
namespace {

constexpr int kFile = 3;

Result<std::string> read_job() {
    std::string bytes(wire::kJobBytesMax + 1, '\0');
    std::size_t size = 0;
    while (size < bytes.size()) {
        const ssize_t got = ::read(STDIN_FILENO, bytes.data() + size, bytes.size() - size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail(ErrorCode::internal, "The media worker cannot read its job.");
        if (got == 0) break;
        size += static_cast<std::size_t>(got);
    }
    bytes.resize(size);
    return bytes;
}

Result<wire::End> do_probe(const wire::Job& job, Answer& answer) {
    auto input = Input::open(kFile, job.file_bytes, job.limits.pixels_max, Input::Analyse::always);
    if (!input) return std::unexpected(input.error());
    auto info = describe(**input);
    if (!info) return std::unexpected(info.error());
    if (auto added = answer.add(wire::RecordKind::info, wire::encode(*info)); !added) {
        return std::unexpected(added.error());
    }
    return wire::End{};
}

Result<wire::End> do_frames(const wire::Job& job, Answer& answer) {
    auto input = Input::open(kFile, job.file_bytes, job.limits.pixels_max, Input::Analyse::if_needed);
    if (!input) return std::unexpected(input.error());
    return sample_frames(**input, job, answer);
}

Result<wire::End> do_loudness(const wire::Job& job, Answer& answer) {
    auto input = Input::open(kFile, job.file_bytes, job.limits.pixels_max, Input::Analyse::if_needed);
    if (!input) return std::unexpected(input.error());
    if (auto measured = measure_levels(**input, answer); !measured) return std::unexpected(measured.error());
    return wire::End{};
}

Result<wire::End> do_job(const wire::Job& job, Answer& answer) {
    try {
        switch (job.kind) {
            case wire::JobKind::probe:
                return do_probe(job, answer);
            case wire::JobKind::frames:
                return do_frames(job, answer);
            case wire::JobKind::loudness:
                return do_loudness(job, answer);
        }
    } catch (const std::bad_alloc&) {
        return fail(ErrorCode::too_large, "The file needs more memory than one file may have.");
    }
    return fail(ErrorCode::internal, "The media worker was given a job that it does not know.");
}

int finish(Answer& answer, const Result<wire::End>& end) {
    const auto told = end ? answer.add(wire::RecordKind::end, wire::encode(*end))
                          : answer.add(wire::RecordKind::error, wire::encode(end.error()));
    return told ? 0 : 1;
}

}  // namespace

int media_worker_main() {
    av_log_set_level(AV_LOG_QUIET);
    Answer unlimited(STDOUT_FILENO, 0);
    const auto bytes = read_job();
    if (!bytes) return finish(unlimited, std::unexpected(bytes.error()));
    const auto job = wire::parse_job(*bytes);
    if (!job) return finish(unlimited, std::unexpected(job.error()));
    const Confinement limits{.memory_bytes_max = job->limits.memory_bytes_max,
                             .cpu_s_max = job->limits.cpu_s_max};
    if (auto confined = confine(limits); !confined)
        return finish(unlimited, std::unexpected(confined.error()));
    Answer answer(STDOUT_FILENO, job->limits.output_bytes_max);
    return finish(answer, do_job(*job, answer));
}

}  // namespace sheaf::media

// Frames from a clip: ours against the bare ffmpeg program, and key frames against a full decode.
//
//   frames_bench [--json FILE] [--clip FILE] [--pairs N]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "async/task_group.h"
#include "base/check.h"
#include "media/decoders.h"

extern char** environ;

namespace {

using namespace sheaf;
namespace fs = std::filesystem;

constexpr double kClipSeconds = 60;

struct Row {
    std::string name;
    double ours = 0;
    double yardstick = 0;
    std::string unit;
    double ratio = 0;
    double ratio_min = 0;
    double ratio_max = 0;
    double target = 0;
};

void run(std::vector<std::string> words) {
    std::vector<char*> pointers;
    for (auto& word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    pid_t pid = -1;
    CHECK(::posix_spawnp(&pid, words.front().c_str(), nullptr, nullptr, pointers.data(), environ) == 0,
          "ffmpeg is installed");
    int status = -1;
    ::waitpid(pid, &status, 0);
    CHECK(status == 0, "ffmpeg succeeds");
}

double seconds_of(const std::function<void()>& work) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double median(std::vector<double> values) {
    std::ranges::sort(values);
    return values[values.size() / 2];
}

// A minute of moving pictures with some noise, a key frame every two seconds.
fs::path make_clip() {
    const auto path = fs::temp_directory_path() / "sheaf-frames-bench-1.mp4";
    if (fs::exists(path)) return path;
    const auto partial = path.string() + ".part.mp4";
    run({"ffmpeg",
         "-nostdin",
         "-v",
         "error",
         "-y",
         "-f",
         "lavfi",
         "-i",
         fmt::format("testsrc2=s=1280x720:r=30:d={},noise=alls=6:allf=t", kClipSeconds),
         "-f",
         "lavfi",
         "-i",
         fmt::format("sine=frequency=440:d={}", kClipSeconds),
         "-c:v",
         "libx264",
         "-preset",
         "medium",
         "-crf",
         "26",
         "-g",
         "60",
         "-keyint_min",
         "60",
         "-sc_threshold",
         "0",
         "-pix_fmt",
         "yuv420p",
         "-c:a",
         "aac",
         partial});
    fs::rename(partial, path);
    return path;
}

class Bench {
public:
    explicit Bench(fs::path clip)
        : clip_(std::move(clip)),
          out_(fs::temp_directory_path() / fmt::format("sheaf-frames-bench-out-{}", ::getpid())),
          media_(media::make_ffmpeg_media({.worker_command = {"/proc/self/exe", "media-worker"},
                                           .workers_max = 1,
                                           .cache_bytes_max = 0})),
          file_(open_clip()) {
        fs::create_directories(out_);
        auto info = wait(media_->probe(file_));
        CHECK(info, "the clip can be probed");
        video_ = media_->open("clip", file_, std::move(*info));
    }
    ~Bench() {
        std::error_code ignored;
        fs::remove_all(out_, ignored);
    }
    Bench(const Bench&) = delete;
    Bench& operator=(const Bench&) = delete;

    // Seconds for our frames. Written to files, as ffmpeg's are.
    double ours(const media::FrameRequest& request) {
        return seconds_of([&] {
            const auto set = wait(video_->frames(request));
            CHECK(set && !(*set)->frames.empty(), "the clip can be decoded");
            frames_ = (*set)->frames.size();
            std::size_t n = 0;
            for (const auto& frame : (*set)->frames) {
                std::ofstream(out_ / fmt::format("ours{:03}.jpg", ++n), std::ios::binary) << frame.bytes;
            }
        });
    }

    double ffmpeg(const std::vector<std::string>& input_options, const std::string& filter) {
        std::vector<std::string> words{"ffmpeg", "-nostdin", "-v", "error", "-y"};
        words.insert(words.end(), input_options.begin(), input_options.end());
        words.insert(words.end(), {"-i", clip_.string(), "-an", "-vf", filter, "-q:v", "3",
                                   (out_ / "theirs%03d.jpg").string()});
        return seconds_of([&] { run(words); });
    }

    std::size_t frames() const { return frames_; }

private:
    template <class T>
    static T wait(async::Task<T> task) {
        boost::asio::io_context io;
        std::optional<T> value;
        async::TaskGroup group(io.get_executor());
        const auto keep = [](async::Task<T> inner, std::optional<T>& to) -> async::Task<> {
            to.emplace(co_await std::move(inner));
        };
        group.spawn(keep(std::move(task), value));
        io.run();
        CHECK(value, "the coroutine ended");
        return std::move(*value);
    }

    std::shared_ptr<const blob::BlobFile> open_clip() const {
        const int fd = ::open(clip_.c_str(), O_RDONLY | O_CLOEXEC);
        CHECK(fd >= 0, "the clip is there");
        return std::make_shared<const blob::BlobFile>(fd, fs::file_size(clip_));
    }

    fs::path clip_;
    fs::path out_;
    std::unique_ptr<media::Media> media_;
    std::shared_ptr<const blob::BlobFile> file_;
    std::shared_ptr<media::Video> video_;
    std::size_t frames_ = 0;
};

// Runs both in turns. A ratio is their time over ours, so more is better.
Row compare(std::string name, double target, int pairs, const std::function<double()>& ours,
            const std::function<double()>& yardstick) {
    ours();
    yardstick();
    std::vector<double> our_times;
    std::vector<double> their_times;
    std::vector<double> ratios;
    for (int n = 0; n < pairs; ++n) {
        // Whoever goes first alternates, so that neither always has the warmer machine.
        if (n % 2 == 0) our_times.push_back(ours());
        their_times.push_back(yardstick());
        if (n % 2 != 0) our_times.push_back(ours());
        ratios.push_back(their_times.back() / our_times.back());
    }
    return {.name = std::move(name),
            .ours = median(our_times),
            .yardstick = median(their_times),
            .unit = "s",
            .ratio = median(ratios),
            .ratio_min = std::ranges::min(ratios),
            .ratio_max = std::ranges::max(ratios),
            .target = target};
}

std::vector<Row> measure(Bench& bench, int pairs) {
    const media::FrameRequest every_second{.frames_per_second = 1, .long_edge_max = 336, .jpeg_quality = 85};
    auto sparse_full = every_second;
    sparse_full.mode = media::DecodeMode::all;
    sparse_full.frames_per_second = 1.0 / 8;
    auto sparse = sparse_full;
    sparse.mode = media::DecodeMode::automatic;
    auto keys = every_second;
    keys.frames_per_second = 0.5;
    keys.mode = media::DecodeMode::key_frames;
    std::vector<Row> rows;
    rows.push_back(compare(
        "full decode, 1 frame/s, against ffmpeg", 0.95, pairs, [&] { return bench.ours(every_second); },
        [&] { return bench.ffmpeg({"-threads", "2"}, "fps=1,scale=336:-2"); }));
    rows.push_back(compare(
        "key frames, 1 frame in 8 s, against our full decode", 8, pairs, [&] { return bench.ours(sparse); },
        [&] { return bench.ours(sparse_full); }));
    rows.push_back(compare(
        "key frames, all of them, against ffmpeg", 0.95, pairs, [&] { return bench.ours(keys); },
        [&] { return bench.ffmpeg({"-threads", "1", "-skip_frame", "nokey"}, "fps=0.5,scale=336:-2"); }));
    return rows;
}

void write_json(const fs::path& path, const std::vector<Row>& rows) {
    std::ofstream out(path);
    out << "[\n";
    for (std::size_t n = 0; n < rows.size(); ++n) {
        const auto& row = rows[n];
        out << fmt::format(
            R"(  {{"row": "{}", "ours": {:.4f}, "yardstick": {:.4f}, "unit": "{}", "ratio": {:.3f}, "ratio_min": {:.3f}, "ratio_max": {:.3f}, "target": {}}}{})",
            row.name, row.ours, row.yardstick, row.unit, row.ratio, row.ratio_min, row.ratio_max, row.target,
            n + 1 < rows.size() ? ",\n" : "\n");
    }
    out << "]\n";
}

}  // namespace

int main(int argc, char** argv) {
    if (argc > 1 && std::string_view(argv[1]) == "media-worker") return media::media_worker_main();
    std::optional<fs::path> json;
    std::optional<fs::path> clip;
    int pairs = 5;
    for (int n = 1; n + 1 < argc; n += 2) {
        const std::string_view name = argv[n];
        if (name == "--json") json = argv[n + 1];
        if (name == "--clip") clip = argv[n + 1];
        if (name == "--pairs") pairs = std::max(1, std::atoi(argv[n + 1]));
    }
    Bench bench(clip ? *clip : make_clip());
    const auto rows = measure(bench, pairs);
    for (const auto& row : rows) {
        fmt::print(
            "{:<52} ours {:7.3f} {}  yardstick {:7.3f} {}  ratio {:6.2f} ({:.2f} to {:.2f}), target {}\n",
            row.name, row.ours, row.unit, row.yardstick, row.unit, row.ratio, row.ratio_min, row.ratio_max,
            row.target);
    }
    if (json) write_json(*json, rows);
    return 0;
}

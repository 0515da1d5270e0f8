#include "media/ffmpeg/clip_test.h"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <vector>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace sheaf::media::clips {
namespace {

struct Temporary {
    Temporary() {
        std::string name = (std::filesystem::temp_directory_path() / "sheaf-media-XXXXXX").string();
        CHECK(::mkdtemp(name.data()) != nullptr, "a temporary directory can be made");
        path = name;
    }
    ~Temporary() {
        std::error_code ignored;
        std::filesystem::remove_all(path, ignored);
    }
    std::filesystem::path path;
};

}  // namespace

const std::filesystem::path& directory() {
    static const Temporary temporary;
    return temporary.path;
}

std::filesystem::path make(const std::string& name, const std::string& arguments) {
    const auto path = directory() / name;
    if (std::filesystem::exists(path)) return path;
    std::vector<std::string> words{"ffmpeg", "-nostdin", "-v", "error", "-y"};
    std::istringstream in(arguments);
    for (std::string word; in >> word;) words.push_back(word == "OUT" ? path.string() : word);
    std::vector<char*> pointers;
    for (auto& word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    pid_t pid = -1;
    CHECK(::posix_spawnp(&pid, "ffmpeg", nullptr, nullptr, pointers.data(), environ) == 0,
          "ffmpeg is installed");
    int status = -1;
    ::waitpid(pid, &status, 0);
    CHECK(status == 0, "ffmpeg makes the clip");
    return path;
}

std::filesystem::path write(const std::string& name, std::string_view bytes) {
    const auto path = directory() / name;
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
}

std::string read(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

std::shared_ptr<const blob::BlobFile> open(const std::filesystem::path& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0, "the clip is there");
    return std::make_shared<const blob::BlobFile>(fd, std::filesystem::file_size(path));
}

std::filesystem::path plain() {
    return make(
        "plain.mp4",
        "-f lavfi -i testsrc2=s=320x240:r=25:d=30 -f lavfi -i sine=frequency=440:d=30 "
        "-c:v libx264 -preset veryfast -g 50 -keyint_min 50 -sc_threshold 0 -pix_fmt yuv420p -c:a aac OUT");
}

FfmpegOptions options() {
    FfmpegOptions chosen;
    chosen.worker_command = {"/proc/self/exe", "media-worker"};
    chosen.wall_time_max = std::chrono::seconds(60);
    return chosen;
}

Result<MediaInfo> probe(const std::filesystem::path& path) {
    const auto media = make_ffmpeg_media(options());
    return wait(media->probe(open(path)));
}

Result<std::shared_ptr<const FrameSet>> frames(const std::filesystem::path& path, FrameRequest request) {
    const auto media = make_ffmpeg_media(options());
    const auto file = open(path);
    auto info = wait(media->probe(file));
    if (!info) return std::unexpected(info.error());
    const auto video = media->open(path.filename().string(), file, std::move(*info));
    return wait(video->frames(request));
}

Result<Loudness> loudness(const std::filesystem::path& path) {
    const auto media = make_ffmpeg_media(options());
    const auto file = open(path);
    auto info = wait(media->probe(file));
    if (!info) return std::unexpected(info.error());
    const auto video = media->open(path.filename().string(), file, std::move(*info));
    return wait(video->loudness());
}

}  // namespace sheaf::media::clips

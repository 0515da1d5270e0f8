#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "async/task.h"
#include "async/task_group.h"
#include "base/check.h"
#include "blob/blob_store.h"
#include "media/decoders.h"

// Clips made by the ffmpeg program, and ways to wait for coroutines.
namespace sheaf::media::clips {

// A directory that goes with the test program.
const std::filesystem::path& directory();
// Runs ffmpeg with these arguments (words between spaces, no shell); OUT in them is the clip. Made once per
// name.
std::filesystem::path make(const std::string& name, const std::string& arguments);
std::filesystem::path write(const std::string& name, std::string_view bytes);
std::string read(const std::filesystem::path& path);
std::shared_ptr<const blob::BlobFile> open(const std::filesystem::path& path);

// 30 s, 320x240, 25 frames a second, a key frame every 2 s, a tone.
std::filesystem::path plain();

FfmpegOptions options();

template <class T>
T wait(async::Task<T> task) {
    boost::asio::io_context io;
    std::optional<T> value;
    async::TaskGroup group(io.get_executor());
    const auto run = [](async::Task<T> inner, std::optional<T>& to) -> async::Task<> {
        to.emplace(co_await std::move(inner));
    };
    group.spawn(run(std::move(task), value));
    io.run();
    CHECK(value, "the coroutine ended");
    return std::move(*value);
}

Result<MediaInfo> probe(const std::filesystem::path& path);
Result<std::shared_ptr<const FrameSet>> frames(const std::filesystem::path& path, FrameRequest request);
Result<Loudness> loudness(const std::filesystem::path& path);

}  // namespace sheaf::media::clips

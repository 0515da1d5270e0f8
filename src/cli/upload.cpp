#include "cli/upload.h"

#include <cerrno>
#include <cstring>
#include <deque>
#include <numeric>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "async/timer.h"

namespace sheaf::cli {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kUrlsAtOnce = 50;
constexpr std::size_t kReportedAtOnce = 100;
constexpr std::chrono::milliseconds kPollFirst{250};
constexpr std::chrono::milliseconds kPollLast{2000};

// A descriptor that closes itself.
class InputFile {
public:
    explicit InputFile(const std::filesystem::path& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
    ~InputFile() {
        if (fd_ >= 0) ::close(fd_);
    }
    InputFile(const InputFile&) = delete;
    InputFile& operator=(const InputFile&) = delete;

    bool is_open() const { return fd_ >= 0; }
    // Nullopt when the file is shorter than it was, or cannot be read.
    std::optional<std::string> read(std::uint64_t offset, std::size_t bytes) const {
        std::string part(bytes, '\0');
        std::size_t done = 0;
        while (done < bytes) {
            const ssize_t count =
                ::pread(fd_, part.data() + done, bytes - done, static_cast<off_t>(offset + done));
            if (count < 0 && errno == EINTR) continue;
            if (count <= 0) return std::nullopt;
            done += static_cast<std::size_t>(count);
        }
        return part;
    }

private:
    int fd_;
};

struct Upload {
    std::filesystem::path path;
    std::uint64_t bytes = 0;
    std::unique_ptr<InputFile> input;
    UploadSession session;
    std::map<std::uint32_t, std::string> urls;
    std::vector<UploadedChunk> uploaded;
    std::uint32_t left = 0;  // chunks
    std::string failure;
};

struct Job {
    Upload* upload = nullptr;
    std::uint32_t chunk = 0;  // from 1
};

// The work of all files, done by a few workers side by side.
class Uploader {
public:
    Uploader(Api& api, Progress& progress, async::Executor executor, std::uint64_t total)
        : api_(api), progress_(progress), news_(executor), total_(total) {}

    std::vector<Upload>& uploads() { return uploads_; }
    const std::optional<Failure>& failure() const { return failure_; }

    async::Task<void> work() {
        while (!failure_) {
            if (!jobs_.empty()) {
                const Job job = jobs_.front();
                jobs_.pop_front();
                co_await run(job);
            } else if (next_ < uploads_.size()) {
                ++opening_;
                co_await open(uploads_[next_++]);
                --opening_;
                news_.ring();
            } else if (opening_ > 0) {
                co_await news_.wait_for(50ms);
            } else {
                co_return;
            }
        }
    }

private:
    // What concerns one file leaves the others alone; what concerns the server ends everything.
    void fail(Upload& upload, const Failure& why) {
        if (why.exit_code == ExitCode::no_server) failure_ = why;
        if (upload.failure.empty()) upload.failure = why.message;
    }

    async::Task<void> open(Upload& upload) {
        upload.input = std::make_unique<InputFile>(upload.path);
        if (!upload.input->is_open()) {
            upload.failure = fmt::format("It cannot be opened: {}.", std::strerror(errno));
            co_return;
        }
        auto session = co_await api_.open_upload(upload.path.filename().string(), upload.bytes);
        if (!session) {
            fail(upload, session.error());
            co_return;
        }
        upload.session = std::move(*session);
        upload.left = upload.session.total_chunks;
        for (const ChunkUrl& url : upload.session.urls) upload.urls[url.chunk_index] = url.url;
        for (std::uint32_t chunk = 1; chunk <= upload.session.total_chunks; ++chunk)
            jobs_.push_back({&upload, chunk});
        show();
    }

    async::Task<void> run(Job job) {
        Upload& upload = *job.upload;
        if (upload.failure.empty()) co_await send(upload, job.chunk);
        if (--upload.left > 0) co_return;
        upload.input.reset();
        if (upload.failure.empty()) co_await report(upload);
    }

    async::Task<void> send(Upload& upload, std::uint32_t chunk) {
        const std::uint64_t offset = (chunk - 1) * upload.session.chunk_size;
        const std::uint64_t bytes = std::min(upload.session.chunk_size, upload.bytes - offset);
        auto part = upload.input->read(offset, static_cast<std::size_t>(bytes));
        if (!part) {
            upload.failure = "It changed or became unreadable while it was uploaded.";
            co_return;
        }
        const auto url = co_await find_url(upload, chunk);
        if (!url) co_return;
        auto etag = co_await api_.put_chunk(*url, std::move(*part));
        if (!etag) {
            fail(upload, etag.error());
            co_return;
        }
        upload.uploaded.push_back({chunk, std::move(*etag), bytes});
        sent_ += bytes;
        show();
    }

    async::Task<std::optional<std::string>> find_url(Upload& upload, std::uint32_t chunk) {
        if (!upload.urls.contains(chunk)) {
            const std::uint32_t count = std::min(kUrlsAtOnce, upload.session.total_chunks - chunk + 1);
            const auto urls = co_await api_.sign_chunks(upload.session.upload_id, chunk, count);
            if (!urls) {
                fail(upload, urls.error());
                co_return std::nullopt;
            }
            for (const ChunkUrl& url : *urls) upload.urls[url.chunk_index] = url.url;
        }
        const auto found = upload.urls.find(chunk);
        if (found != upload.urls.end()) co_return found->second;
        upload.failure = "The server gave no URL for a part of it.";
        co_return std::nullopt;
    }

    async::Task<void> report(Upload& upload) {
        for (std::size_t first = 0; first < upload.uploaded.size(); first += kReportedAtOnce) {
            const auto begin = upload.uploaded.begin() + static_cast<std::ptrdiff_t>(first);
            const auto count = std::min(kReportedAtOnce, upload.uploaded.size() - first);
            std::vector<UploadedChunk> part(begin, begin + static_cast<std::ptrdiff_t>(count));
            const auto reported = co_await api_.report_chunks(upload.session.upload_id, std::move(part));
            if (!reported) {
                fail(upload, reported.error());
                co_return;
            }
        }
    }

    void show() {
        const double fraction = static_cast<double>(sent_) / static_cast<double>(total_);
        progress_.show({.label = "uploading",
                        .fraction = fraction,
                        .detail = fmt::format("{} of {}", format_bytes(sent_), format_bytes(total_))});
    }

    Api& api_;
    Progress& progress_;
    async::Bell news_;
    std::vector<Upload> uploads_;
    std::deque<Job> jobs_;
    std::size_t next_ = 0;
    int opening_ = 0;
    std::uint64_t total_;
    std::uint64_t sent_ = 0;
    std::optional<Failure> failure_;
};

async::Task<Outcome<>> wait_until_ready(Api& api, Progress& progress, std::vector<Upload>& uploads) {
    std::chrono::milliseconds pause = kPollFirst;
    std::deque<Upload*> waiting;
    for (Upload& upload : uploads) {
        if (upload.failure.empty()) waiting.push_back(&upload);
    }
    const std::size_t all = waiting.size();
    while (true) {
        std::deque<Upload*> still;
        for (Upload* const upload : waiting) {
            const auto asset = co_await api.find_asset(upload->session.asset_id);
            if (!asset) co_return std::unexpected(asset.error());
            if (asset->status == "failed")
                upload->failure = asset->error.empty() ? "The server cannot use it." : asset->error;
            else if (asset->status != "ready")
                still.push_back(upload);
        }
        waiting = std::move(still);
        if (waiting.empty()) co_return Outcome<>{};
        progress.show({.label = "preparing",
                       .fraction = static_cast<double>(all - waiting.size()) / static_cast<double>(all),
                       .detail = fmt::format("{} of {} videos", all - waiting.size(), all)});
        co_await async::sleep_for(pause);
        pause = std::min(pause * 3 / 2, kPollLast);
    }
}

}  // namespace

Outcome<std::vector<std::uint64_t>> check_files(const std::vector<std::filesystem::path>& files) {
    std::vector<std::uint64_t> sizes;
    for (const auto& file : files) {
        std::error_code error;
        const auto status = std::filesystem::status(file, error);
        const std::string name = to_printable(file.string(), Lines::join);
        if (!std::filesystem::exists(status))
            return give_up(ExitCode::usage, fmt::format("There is no file {}.", name));
        if (!std::filesystem::is_regular_file(status))
            return give_up(ExitCode::usage, fmt::format("{} is not a file.", name));
        const auto size = std::filesystem::file_size(file, error);
        if (error || ::access(file.c_str(), R_OK) != 0)
            return give_up(ExitCode::usage, fmt::format("{} cannot be read.", name));
        if (size == 0) return give_up(ExitCode::usage, fmt::format("{} is empty.", name));
        sizes.push_back(size);
    }
    return sizes;
}

async::Task<Outcome<std::vector<UploadedFile>>> upload_files(Api& api, Progress& progress,
                                                             std::vector<std::filesystem::path> files,
                                                             std::vector<std::uint64_t> sizes) {
    using namespace boost::asio::experimental::awaitable_operators;
    Uploader uploader(api, progress, co_await async::current_executor(),
                      std::accumulate(sizes.begin(), sizes.end(), std::uint64_t{0}));
    std::vector<Upload>& uploads = uploader.uploads();
    for (std::size_t i = 0; i < files.size(); ++i) {
        uploads.push_back({});
        uploads.back().path = std::move(files[i]);
        uploads.back().bytes = sizes[i];
    }
    co_await (uploader.work() && uploader.work() && uploader.work() && uploader.work());
    if (uploader.failure()) co_return std::unexpected(*uploader.failure());
    if (auto ready = co_await wait_until_ready(api, progress, uploads); !ready)
        co_return std::unexpected(ready.error());
    progress.clear();
    std::vector<UploadedFile> result;
    for (const Upload& upload : uploads) result.push_back({upload.session.asset_id, upload.failure});
    co_return result;
}

}  // namespace sheaf::cli

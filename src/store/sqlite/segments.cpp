#include "store/sqlite/segments.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <set>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/log.h"

namespace sheaf::store {
namespace {

constexpr std::size_t kChecksumAt = 20;
constexpr std::size_t kReadableMax = 256;
constexpr std::size_t kPendingKept = std::size_t{4} << 20;

using Header = std::array<char, SegmentLog::kHeaderBytes>;

Header make_header(RecordName name, std::string_view payload) {
    Header header{};
    const auto length = static_cast<std::uint32_t>(payload.size());
    std::memcpy(header.data(), SegmentLog::kMagicBytes.data(), 4);
    std::memcpy(header.data() + 4, &length, 4);
    std::memcpy(header.data() + 8, &name.batch, 8);
    std::memcpy(header.data() + 16, &name.ordinal, 4);
    const std::uint32_t checksum = crc32c(payload, crc32c({header.data(), kChecksumAt}));
    std::memcpy(header.data() + kChecksumAt, &checksum, 4);
    return header;
}

}  // namespace

std::optional<std::int64_t> SegmentLog::number_of(const std::filesystem::path& file) {
    if (file.extension() != ".seg") return std::nullopt;
    const std::string digits = file.stem().string();
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error != std::errc{} || end != digits.data() + digits.size() || number <= 0) return std::nullopt;
    return number;
}

std::filesystem::path SegmentLog::path(std::int64_t segment) const {
    return directory_ / fmt::format("{:08}.seg", segment);
}

Result<> SegmentLog::resume(std::int64_t newest, std::uint64_t bytes) {
    current_ = newest == 0 ? 1 : newest;
    size_ = bytes;
    fresh_ = newest == 0;
    if (fresh_) return {};
    file_ = File(::open(path(newest).c_str(), O_RDWR | O_CLOEXEC));
    const auto there = file_ ? size_of(file_.fd()) : Result<std::uint64_t>(0);
    if (!there) return std::unexpected(there.error());
    if (*there < bytes) {
        log::error("a segment of the store lost bytes; what was in them is damaged",
                   {{"segment", path(newest).string()}, {"bytes", *there}, {"expected", bytes}});
        current_ = newest + 1;
        size_ = 0;
        fresh_ = true;
        return {};
    }
    if (*there == bytes) return {};
    if (const auto cut = disk_->truncate(file_.fd(), bytes); !cut) return cut;
    return disk_->sync(file_.fd(), "a segment");
}

Place SegmentLog::append(RecordName name, std::string_view payload) {
    CHECK(payload.size() < 0xffff'ffffU, "a record is shorter than 4 GiB");
    if (pending_.empty() && !fresh_ && size_ >= kRotateBytes) {
        ++current_;
        size_ = 0;
        fresh_ = true;
    }
    const Place place{current_, end(), payload.size()};
    const Header header = make_header(name, payload);
    pending_.append(header.data(), header.size());
    pending_.append(payload);
    ++pending_live_;
    return place;
}

void SegmentLog::note(RecordName name, std::string_view payload) {
    (void)append(name, payload);
    --pending_live_;
}

void SegmentLog::rewind(Mark mark) {
    pending_.resize(mark.bytes);
    pending_live_ = mark.live;
}

Result<> SegmentLog::begin(std::int64_t segment) {
    auto file = disk_->create(path(segment));
    if (!file) return std::unexpected(file.error());
    if (const auto synced = disk_->sync_directory(directory_); !synced) return synced;
    file_ = std::move(*file);
    fresh_ = false;
    return {};
}

Result<> SegmentLog::write() {
    if (pending_.empty()) return {};
    if (fresh_) {
        if (const auto begun = begin(current_); !begun) return begun;
    }
    was_written_ = true;
    if (const auto written = disk_->write_at(file_.fd(), pending_, size_); !written) return written;
    return disk_->sync(file_.fd(), "the log");
}

void SegmentLog::keep() {
    size_ += pending_.size();
    pending_.clear();
    if (pending_.capacity() > kPendingKept) pending_.shrink_to_fit();
    pending_live_ = 0;
    was_written_ = false;
}

Result<> SegmentLog::abandon() {
    pending_.clear();
    pending_live_ = 0;
    if (!std::exchange(was_written_, false)) return {};
    if (const auto usable = disk_->usable(); !usable) return usable;
    if (const auto cut = disk_->truncate(file_.fd(), size_); !cut) return cut;
    return disk_->sync(file_.fd(), "the log");
}

Result<std::shared_ptr<const File>> SegmentLog::open(std::int64_t segment) const {
    const std::scoped_lock lock(mutex_);
    if (const auto found = readable_.find(segment); found != readable_.end()) return found->second;
    auto file = open_for_read(path(segment));
    if (!file) return std::unexpected(file.error());
    if (readable_.size() >= kReadableMax) readable_.clear();
    return readable_[segment] = std::make_shared<const File>(std::move(*file));
}

Result<std::string> SegmentLog::read(Place place, RecordName name) const {
    const auto file = open(place.segment);
    if (!file) return std::unexpected(file.error());
    Header header{};
    std::string payload(place.bytes, '\0');
    if (const auto got = read_at((*file)->fd(), header.data(), header.size(), place.start); !got) {
        return std::unexpected(got.error());
    }
    if (const auto got = read_at((*file)->fd(), payload.data(), payload.size(), place.start + kHeaderBytes);
        !got) {
        return std::unexpected(got.error());
    }
    if (header != make_header(name, payload)) {
        return fail(ErrorCode::corrupt,
                    fmt::format("{} is damaged at byte {}", path(place.segment).string(), place.start));
    }
    return payload;
}

Result<std::string> SegmentLog::read_part(Place place, std::uint64_t offset, std::uint64_t bytes) const {
    const auto file = open(place.segment);
    if (!file) return std::unexpected(file.error());
    std::string part(bytes, '\0');
    const auto got = read_at((*file)->fd(), part.data(), part.size(), place.start + kHeaderBytes + offset);
    if (!got) return std::unexpected(got.error());
    return part;
}

Result<> SegmentLog::erase(const std::vector<Range>& ranges) {
    std::map<std::int64_t, File> files;
    for (const Range& range : ranges) {
        auto& file = files[range.segment];
        if (!file) file = File(::open(path(range.segment).c_str(), O_RDWR | O_CLOEXEC));
        if (!file && errno == ENOENT) continue;
        if (!file)
            return fail(
                ErrorCode::unavailable,
                fmt::format("cannot open {}: {}", path(range.segment).string(), std::strerror(errno)));
        if (const auto erased = disk_->erase(file.fd(), range.start, range.bytes); !erased) return erased;
    }
    for (const auto& [segment, file] : files) {
        if (!file) continue;
        if (const auto synced = disk_->sync(file.fd(), "a segment"); !synced) return synced;
    }
    return {};
}

Result<> SegmentLog::remove(std::int64_t segment) {
    const std::scoped_lock lock(mutex_);
    readable_.erase(segment);
    return disk_->remove(path(segment));
}

}  // namespace sheaf::store

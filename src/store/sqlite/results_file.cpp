#include "store/sqlite/results_file.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <vector>

#include "base/hash.h"

namespace sheaf::store {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{1} << 20;

struct Entry {
    std::uint64_t offset = 0;
    std::uint32_t bytes = 0;
    std::uint32_t checksum = 0;  // seeded with the ordinal, so that no line passes for another
};
static_assert(sizeof(Entry) == 16);

struct Footer {
    std::uint32_t checksum = 0;  // of what is before it
    std::uint32_t bytes = 0;     // how long that is
    std::uint32_t magic = 0;
};
static_assert(sizeof(Footer) == 12);
constexpr std::uint32_t kFooterMagic = 0x52464853;  // "SHFR"

Error damaged() {
    return {ErrorCode::corrupt, "a results file is damaged", {}};
}

}  // namespace

Result<ResultsWriter> ResultsWriter::create(Disk& disk, const std::filesystem::path& path,
                                            std::uint32_t count) {
    auto file = disk.create(path);
    if (!file) return std::unexpected(file.error());
    return ResultsWriter(disk, std::move(*file), std::string(count * sizeof(Entry), '\0'));
}

Result<> ResultsWriter::add(std::uint32_t ordinal, std::string_view line) {
    const Entry entry{line_bytes_, static_cast<std::uint32_t>(line.size()), crc32c(line, ordinal)};
    std::memcpy(entries_.data() + ordinal * sizeof entry, &entry, sizeof entry);
    line_bytes_ += line.size();
    buffer_ += line;
    return buffer_.size() < kBufferBytes ? Result<>{} : flush();
}

Result<> ResultsWriter::finish(std::string_view ending) {
    buffer_ += entries_;
    buffer_ += ending;
    const Footer footer{crc32c(ending), static_cast<std::uint32_t>(ending.size()), kFooterMagic};
    buffer_.append(reinterpret_cast<const char*>(&footer), sizeof footer);
    if (const auto done = flush(); !done) return done;
    return disk_->sync(file_.fd(), "a results file");
}

Result<> ResultsWriter::flush() {
    if (const auto done = disk_->write_at(file_.fd(), buffer_, written_); !done) return done;
    written_ += buffer_.size();
    buffer_.clear();
    return {};
}

Result<std::string> read_result(int fd, std::uint64_t line_bytes, std::uint32_t ordinal) {
    Entry entry;
    const auto found = read_at(fd, reinterpret_cast<char*>(&entry), sizeof entry,
                               line_bytes + std::uint64_t{ordinal} * sizeof entry);
    if (!found) return std::unexpected(found.error());
    if (entry.offset > line_bytes || entry.bytes > line_bytes - entry.offset)
        return std::unexpected(damaged());
    std::string line(entry.bytes, '\0');
    if (const auto got = read_at(fd, line.data(), line.size(), entry.offset); !got) {
        return std::unexpected(got.error());
    }
    if (crc32c(line, ordinal) != entry.checksum) return std::unexpected(damaged());
    return line;
}

std::optional<std::string> read_ending(int fd) {
    const auto size = size_of(fd);
    Footer footer;
    if (!size || *size < sizeof footer) return std::nullopt;
    const std::uint64_t footer_at = *size - sizeof footer;
    if (!read_at(fd, reinterpret_cast<char*>(&footer), sizeof footer, footer_at)) return std::nullopt;
    if (footer.magic != kFooterMagic || footer.bytes > footer_at) return std::nullopt;
    std::string ending(footer.bytes, '\0');
    if (!read_at(fd, ending.data(), ending.size(), footer_at - footer.bytes)) return std::nullopt;
    if (crc32c(ending) != footer.checksum) return std::nullopt;
    return ending;
}

std::optional<std::uint64_t> line_bytes_of(int fd, std::uint64_t size, std::uint32_t count) {
    std::uint64_t behind = std::uint64_t{count} * sizeof(Entry);
    if (const auto ending = read_ending(fd)) behind += ending->size() + sizeof(Footer);
    if (behind > size) return std::nullopt;
    return size - behind;
}

Result<> verify_results(int fd, std::uint64_t line_bytes, std::uint32_t count) {
    const auto size = size_of(fd);
    if (!size) return std::unexpected(size.error());
    if (*size < line_bytes + std::uint64_t{count} * sizeof(Entry)) return std::unexpected(damaged());
    std::vector<Entry> entries(count);
    if (const auto got =
            read_at(fd, reinterpret_cast<char*>(entries.data()), count * sizeof(Entry), line_bytes);
        !got)
        return got;
    std::vector<std::uint32_t> in_file(count);
    std::iota(in_file.begin(), in_file.end(), 0U);
    std::ranges::stable_sort(in_file, {}, [&](std::uint32_t ordinal) { return entries[ordinal].offset; });
    std::string buffer;
    std::uint64_t at = 0;
    for (const std::uint32_t ordinal : in_file) {
        const Entry& entry = entries[ordinal];
        if (entry.offset != at || entry.bytes > line_bytes - at) return std::unexpected(damaged());
        buffer.resize(entry.bytes);
        if (const auto got = read_at(fd, buffer.data(), buffer.size(), at); !got) return got;
        if (crc32c(buffer, ordinal) != entry.checksum) return std::unexpected(damaged());
        at += entry.bytes;
    }
    if (at != line_bytes) return std::unexpected(damaged());
    return {};
}

}  // namespace sheaf::store

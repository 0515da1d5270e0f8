#include "store/sqlite/segment_scan.h"

#include <algorithm>
#include <cstring>

#include "base/hash.h"

namespace sheaf::store {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{256} << 10;

// A record's header, if one may stand here; its length is not yet believed.
struct Header {
    RecordName name;
    std::uint64_t bytes = 0;
    std::uint32_t checksum = 0;
};

class Scanner {
public:
    Scanner(int fd, std::uint64_t size) : fd_(fd), size_(size) {}

    // The place of the next record from `at` on, or the end of the file.
    Result<std::uint64_t> find(std::uint64_t at, Header& header) {
        while (at < size_) {
            // Mostly the next begins where the last has ended: nothing has to be searched.
            const auto whole = is_whole(at, header);
            if (!whole) return std::unexpected(whole.error());
            if (*whole) return at;
            const auto candidate = next_magic(at + 1);
            if (!candidate) return candidate;
            at = *candidate;
        }
        return size_;
    }

private:
    Result<std::uint64_t> next_magic(std::uint64_t at) {
        const std::string_view magic(SegmentLog::kMagicBytes);
        while (at + SegmentLog::kHeaderBytes <= size_) {
            piece_.resize(std::min<std::uint64_t>(kPieceBytes, size_ - at));
            if (const auto got = read_at(fd_, piece_.data(), piece_.size(), at); !got)
                return std::unexpected(got.error());
            if (const std::size_t found = piece_.find(magic); found != std::string::npos) return at + found;
            // It may begin at the end of this piece.
            at += piece_.size() - std::min(piece_.size(), magic.size() - 1);
            if (piece_.size() < kPieceBytes) break;
        }
        return size_;
    }

    Result<bool> is_whole(std::uint64_t at, Header& header) {
        std::string bytes(SegmentLog::kHeaderBytes, '\0');
        if (at + bytes.size() > size_) return false;
        if (const auto got = read_at(fd_, bytes.data(), bytes.size(), at); !got)
            return std::unexpected(got.error());
        if (!bytes.starts_with(SegmentLog::kMagicBytes)) return false;
        std::uint32_t length = 0;
        std::memcpy(&length, bytes.data() + 4, 4);
        std::memcpy(&header.name.batch, bytes.data() + 8, 8);
        std::memcpy(&header.name.ordinal, bytes.data() + 16, 4);
        std::memcpy(&header.checksum, bytes.data() + 20, 4);
        header.bytes = length;
        if (header.bytes > size_ - at - bytes.size()) return false;
        std::uint32_t sum = crc32c(std::string_view(bytes).substr(0, 20));
        for (std::uint64_t done = 0; done < header.bytes; done += piece_.size()) {
            piece_.resize(std::min<std::uint64_t>(kPieceBytes, header.bytes - done));
            const auto got = read_at(fd_, piece_.data(), piece_.size(), at + SegmentLog::kHeaderBytes + done);
            if (!got) return std::unexpected(got.error());
            sum = crc32c(piece_, sum);
        }
        return sum == header.checksum;
    }

    int fd_;
    std::uint64_t size_;
    std::string piece_;
};

}  // namespace

Result<> scan_segment(const std::filesystem::path& path, std::int64_t number,
                      const std::function<Result<>(const FoundRecord&)>& visit) {
    const auto file = open_for_read(path);
    if (!file) return std::unexpected(file.error());
    const auto size = size_of(file->fd());
    if (!size) return std::unexpected(size.error());
    Scanner scanner(file->fd(), *size);
    for (std::uint64_t at = 0;;) {
        Header header;
        const auto found = scanner.find(at, header);
        if (!found) return std::unexpected(found.error());
        if (*found == *size) return {};
        const Place place{number, *found, header.bytes};
        const auto read = [&]() -> Result<std::string> {
            std::string payload(place.bytes, '\0');
            const auto got =
                read_at(file->fd(), payload.data(), payload.size(), place.start + SegmentLog::kHeaderBytes);
            if (!got) return std::unexpected(got.error());
            return payload;
        };
        if (const auto visited = visit({header.name, place, read}); !visited) return visited;
        at = place.start + SegmentLog::kHeaderBytes + place.bytes;
    }
}

}  // namespace sheaf::store

#include "store/sqlite/segment_scan.h"

#include <algorithm>
#include <cstring>

#include "base/hash.h"
#include "store/sqlite/read_ahead.h"

namespace sheaf::store {
namespace {

// A record's header, if one may stand here; its length is not yet believed.
struct Header {
    RecordName name;
    std::uint64_t bytes = 0;
    std::uint32_t checksum = 0;
};

class Scanner {
public:
    Scanner(int fd, std::uint64_t size) : file_(fd, size) {}
    std::uint64_t size() const { return file_.size(); }

    // The place of the next record from `at` on, or the end of the file.
    Result<std::uint64_t> find(std::uint64_t at, Header& header) {
        while (at < size()) {
            // Mostly the next begins where the last has ended: nothing has to be searched.
            const auto whole = is_whole(at, header);
            if (!whole) return std::unexpected(whole.error());
            if (*whole) return at;
            const auto candidate = next_magic(at + 1);
            if (!candidate) return candidate;
            at = *candidate;
        }
        return size();
    }

    Result<std::string> payload(std::uint64_t at, const Header& header) {
        const auto bytes = file_.bytes(at + SegmentLog::kHeaderBytes, header.bytes);
        if (!bytes) return std::unexpected(bytes.error());
        return std::string(*bytes);
    }

private:
    Result<std::uint64_t> next_magic(std::uint64_t at) {
        const std::string_view magic(SegmentLog::kMagicBytes);
        while (at + SegmentLog::kHeaderBytes <= size()) {
            const auto piece = file_.bytes(at, piece_bytes(size() - at));
            if (!piece) return std::unexpected(piece.error());
            if (const std::size_t found = piece->find(magic); found != std::string::npos) return at + found;
            if (piece->size() == size() - at) break;
            // It may begin at the end of this piece.
            at += piece->size() - (magic.size() - 1);
        }
        return size();
    }

    Result<bool> is_whole(std::uint64_t at, Header& header) {
        if (at + SegmentLog::kHeaderBytes > size()) return false;
        const auto bytes = file_.bytes(at, SegmentLog::kHeaderBytes);
        if (!bytes) return std::unexpected(bytes.error());
        if (!bytes->starts_with(SegmentLog::kMagicBytes)) return false;
        std::uint32_t length = 0;
        std::memcpy(&length, bytes->data() + 4, 4);
        std::memcpy(&header.name.batch, bytes->data() + 8, 8);
        std::memcpy(&header.name.ordinal, bytes->data() + 16, 4);
        std::memcpy(&header.checksum, bytes->data() + 20, 4);
        header.bytes = length;
        const std::uint64_t begin = at + SegmentLog::kHeaderBytes;
        if (header.bytes > size() - begin) return false;
        std::uint32_t sum = crc32c(bytes->substr(0, 20));
        for (std::uint64_t done = 0; done < header.bytes;) {
            const auto piece = file_.bytes(begin + done, piece_bytes(header.bytes - done));
            if (!piece) return std::unexpected(piece.error());
            sum = crc32c(*piece, sum);
            done += piece->size();
        }
        return sum == header.checksum;
    }

    static std::size_t piece_bytes(std::uint64_t left) {
        return std::min<std::uint64_t>(ReadAhead::kPieceBytes, left);
    }

    ReadAhead file_;
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
        const auto read = [&] { return scanner.payload(place.start, header); };
        if (const auto visited = visit({header.name, place, read}); !visited) return visited;
        at = place.start + SegmentLog::kHeaderBytes + place.bytes;
    }
}

}  // namespace sheaf::store

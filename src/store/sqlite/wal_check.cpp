#include "store/sqlite/wal_check.h"

#include <array>
#include <cstdint>
#include <cstring>

#include <fmt/format.h>

#include "store/sqlite/disk.h"
#include "store/sqlite/read_ahead.h"

// The format is https://www.sqlite.org/fileformat2.html#the_write_ahead_log.
namespace sheaf::store {
namespace {

constexpr std::size_t kHeaderBytes = 32;
constexpr std::size_t kFrameHeaderBytes = 24;
constexpr std::uint32_t kMagic = 0x377f'0682;  // the lowest bit: checksums are of big-endian numbers
constexpr std::uint32_t kPageBytesMax = 65'536;

std::uint32_t big_endian(const char* at) {
    std::uint32_t number = 0;
    std::memcpy(&number, at, sizeof number);
    return __builtin_bswap32(number);
}

class Sums {
public:
    explicit Sums(bool of_big_endian) : swaps_(of_big_endian) {}
    void add(std::string_view bytes) {
        for (std::size_t at = 0; at + 8 <= bytes.size(); at += 8) {
            first_ += word(bytes.data() + at) + second_;
            second_ += word(bytes.data() + at + 4) + first_;
        }
    }
    bool are(const char* stored) const {
        return big_endian(stored) == first_ && big_endian(stored + 4) == second_;
    }

private:
    std::uint32_t word(const char* at) const {
        std::uint32_t number = 0;
        std::memcpy(&number, at, sizeof number);
        return swaps_ ? __builtin_bswap32(number) : number;
    }
    bool swaps_;
    std::uint32_t first_ = 0;
    std::uint32_t second_ = 0;
};

}  // namespace

Result<std::optional<WalOnDisk>> look_at_wal(const std::filesystem::path& path) {
    const auto file = open_for_read(path);
    if (!file && file.error().code == ErrorCode::not_found) return std::nullopt;
    if (!file) return std::unexpected(file.error());
    const auto size = size_of(file->fd());
    if (!size) return std::unexpected(size.error());
    if (*size < kHeaderBytes + kFrameHeaderBytes) return std::nullopt;
    std::array<char, kHeaderBytes + kFrameHeaderBytes> start{};
    if (const auto got = read_at(file->fd(), start.data(), start.size(), 0); !got)
        return std::unexpected(got.error());
    const std::uint32_t magic = big_endian(start.data());
    const std::uint32_t page_bytes = big_endian(start.data() + 8);
    Sums sums((magic & 1U) != 0);
    sums.add({start.data(), 24});
    const bool sound = (magic & ~1U) == kMagic && page_bytes >= 512 && page_bytes <= kPageBytesMax &&
                       sums.are(start.data() + 24);
    WalOnDisk log;
    if (!sound) {
        // The first frame has the same; both are zeros where a crash came before any sync.
        std::memcpy(&log.salts, start.data() + kHeaderBytes + 8, sizeof log.salts);
        log.damage = "its header is damaged";
        return log;
    }
    std::memcpy(&log.salts, start.data() + 16, sizeof log.salts);
    const std::string salts(start.data() + 16, 8);
    const std::size_t frame_bytes = kFrameHeaderBytes + page_bytes;
    ReadAhead frames(file->fd(), *size);
    bool is_read = true;
    for (std::uint64_t at = kHeaderBytes; at + frame_bytes <= *size; at += frame_bytes) {
        const auto frame = frames.bytes(at, frame_bytes);
        if (!frame) return std::unexpected(frame.error());
        const bool is_ours = frame->substr(8, 8) == salts;
        if (is_read) {
            sums.add(frame->substr(0, 8));
            sums.add(frame->substr(kFrameHeaderBytes));
            is_read = is_ours && sums.are(frame->data() + 16);
            log.frames += is_read;
        } else if (is_ours) {
            // Whatever was written behind it was once read, and is not any more.
            log.damage = fmt::format("frame {} is damaged, and others follow", log.frames + 1);
            break;
        }
    }
    return log;
}

}  // namespace sheaf::store

#include "store/sqlite/unused_room.h"

#include <algorithm>
#include <cstddef>

namespace sheaf::store {
namespace {

// https://www.sqlite.org/fileformat.html#b_tree_pages
constexpr std::size_t kDatabaseHeaderBytes = 100;
constexpr std::size_t kCellsAt = 3;
constexpr std::size_t kFirstCellAt = 5;
constexpr std::size_t kLeafHeaderBytes = 8;
constexpr std::size_t kInteriorHeaderBytes = 12;
constexpr std::size_t kBytesOfPointer = 2;

enum PageKind : char { kInteriorIndex = 2, kInteriorTable = 5, kLeafIndex = 10, kLeafTable = 13 };

std::size_t header_bytes(char kind) {
    switch (kind) {
        case kLeafIndex:
        case kLeafTable:
            return kLeafHeaderBytes;
        case kInteriorIndex:
        case kInteriorTable:
            return kInteriorHeaderBytes;
        default:
            return 0;
    }
}

std::size_t number_at(std::span<const char> page, std::size_t at) {
    return static_cast<std::size_t>(static_cast<unsigned char>(page[at])) * 256 +
           static_cast<unsigned char>(page[at + 1]);
}

}  // namespace

void clear_unused_room(std::span<char> page, bool is_first) {
    const std::size_t header_at = is_first ? kDatabaseHeaderBytes : 0;
    const std::size_t header = header_bytes(page[header_at]);
    if (header == 0) return;
    const std::size_t begin = header_at + header + number_at(page, header_at + kCellsAt) * kBytesOfPointer;
    const std::size_t said = number_at(page, header_at + kFirstCellAt);
    const std::size_t end = said == 0 ? 65'536 : said;
    if (begin >= end || end > page.size()) return;
    for (std::size_t pointer = header_at + header; pointer < begin; pointer += kBytesOfPointer) {
        if (number_at(page, pointer) < end) return;  // a damaged page keeps what it has
    }
    std::ranges::fill(page.subspan(begin, end - begin), '\0');
}

}  // namespace sheaf::store

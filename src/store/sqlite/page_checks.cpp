#include "store/sqlite/page_checks.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/hash.h"
#include "store/sqlite/unused_room.h"

namespace sheaf::store {
namespace {

using namespace std::string_view_literals;

constexpr int kCheckBytes = sizeof(std::uint32_t);
// Of a database: https://www.sqlite.org/fileformat.html#the_database_header
constexpr std::string_view kMagic = "SQLite format 3\0"sv;
constexpr int kHeaderBytes = 100;
constexpr int kPageBytesAt = 16;
constexpr int kReservedAt = 20;
constexpr int kCountAt = 28;
constexpr int kPageBytesMin = 512;
constexpr int kPageBytesMax = 65'536;
// Half of what `clear_unused_room` can do with: 64 GiB of the pages that SQLite makes.
constexpr sqlite3_int64 kFewPages = 1 << 24;
// Ours among the numbers of file controls: tell what is known of the pages, and set it.
constexpr int kGetPages = 0x53484601;
constexpr int kSetPages = 0x53484602;

struct Pages {
    bool have_checks = false;
    int bytes = 0;            // of each; 0: not known yet
    sqlite3_int64 count = 0;  // as the first one says
};

struct CheckedFile {  // followed by the file of the layer below
    sqlite3_file base;
    Pages pages;
};

sqlite3_file* below(sqlite3_file* file) {
    return reinterpret_cast<sqlite3_file*>(reinterpret_cast<CheckedFile*>(file) + 1);
}

Pages& pages_of(sqlite3_file* file) {
    return reinterpret_cast<CheckedFile*>(file)->pages;
}

std::uint32_t check_of(const char* page, int count, sqlite3_int64 at) {
    const auto place = std::bit_cast<std::array<char, sizeof at>>(at);
    return crc32c({page, static_cast<std::size_t>(count - kCheckBytes)},
                  crc32c({place.data(), place.size()}));
}

bool fits(const char* page, int count, sqlite3_int64 at) {
    std::uint32_t written = 0;
    std::memcpy(&written, page + count - kCheckBytes, kCheckBytes);
    return written == check_of(page, count, at);
}

// What the first page says of all.
void look_at_header(sqlite3_file* file, const char* bytes, int count, sqlite3_int64 at) {
    if (at != 0 || count < kHeaderBytes || std::string_view(bytes, kMagic.size()) != kMagic) return;
    const auto high = static_cast<unsigned char>(bytes[kPageBytesAt]);
    const auto low = static_cast<unsigned char>(bytes[kPageBytesAt + 1]);
    const int said = high * 256 + low;
    const int of_page = said == 1 ? kPageBytesMax : said;
    // Of any other size SQLite takes nothing for a database.
    const bool can_be = of_page >= kPageBytesMin && std::has_single_bit(static_cast<unsigned>(of_page));
    sqlite3_int64 pages = 0;
    for (int byte = 0; byte < 4; ++byte)
        pages = pages * 256 + static_cast<unsigned char>(bytes[kCountAt + byte]);
    pages_of(file) = {
        .have_checks = can_be && bytes[kReservedAt] == kCheckBytes, .bytes = of_page, .count = pages};
}

// A first page whose check is right but for the number that says that there are checks.
bool has_lost_its_room(char* page, int count) {
    const char said = std::exchange(page[kReservedAt], static_cast<char>(kCheckBytes));
    const bool has = fits(page, count, 0);
    page[kReservedAt] = said;
    return has;
}

// Some of a page, as newer versions of SQLite read what overflows.
int read_part(sqlite3_file* file, char* into, int count, sqlite3_int64 at) {
    std::array<char, kPageBytesMax> page{};
    const int bytes = pages_of(file).bytes;
    const sqlite3_int64 begin = at / bytes * bytes;
    if (at + count > begin + bytes) return SQLITE_IOERR_DATA;
    const int code = below(file)->pMethods->xRead(below(file), page.data(), bytes, begin);
    if (code != SQLITE_OK) return code == SQLITE_IOERR_SHORT_READ ? SQLITE_IOERR_DATA : code;
    if (!fits(page.data(), bytes, begin)) return SQLITE_IOERR_DATA;
    std::memcpy(into, page.data() + (at - begin), static_cast<std::size_t>(count));
    return SQLITE_OK;
}

int read_page(sqlite3_file* file, void* into, int count, sqlite3_int64 at) {
    const int code = below(file)->pMethods->xRead(below(file), into, count, at);
    if (code != SQLITE_OK) return code;
    auto* const bytes = static_cast<char*>(into);
    look_at_header(file, bytes, count, at);
    const Pages& pages = pages_of(file);
    if (!pages.have_checks) {
        const bool is_first_page = at == 0 && count >= kPageBytesMin;
        return is_first_page && has_lost_its_room(bytes, count) ? SQLITE_IOERR_DATA : SQLITE_OK;
    }
    if (count == pages.bytes && at % pages.bytes == 0)
        return fits(bytes, count, at) ? SQLITE_OK : SQLITE_IOERR_DATA;
    // The header alone, before the first page is read.
    if (at < kHeaderBytes && count <= kHeaderBytes) return SQLITE_OK;
    return read_part(file, bytes, count, at);
}

// Whether a page of a b-tree is known from others by how it begins, also while the file grows, and a copy of
// one.
bool has_few_pages(sqlite3_file* file) {
    sqlite3_int64 bytes = 0;
    const int code = below(file)->pMethods->xFileSize(below(file), &bytes);
    const Pages& pages = pages_of(file);
    return code == SQLITE_OK && std::max(bytes / pages.bytes, pages.count) < kFewPages;
}

// The room for the check, and what no cell has, are nobody's but ours, also in SQLite's copy of the page.
int write_page(sqlite3_file* file, const void* from, int count, sqlite3_int64 at) {
    auto* const bytes = static_cast<char*>(const_cast<void*>(from));
    look_at_header(file, bytes, count, at);
    const Pages& pages = pages_of(file);
    if (count == pages.bytes && at % pages.bytes == 0) {
        if (has_few_pages(file)) clear_unused_room({bytes, static_cast<std::size_t>(count)}, at == 0);
        if (pages.have_checks) {
            const std::uint32_t check = check_of(bytes, count, at);
            std::memcpy(bytes + count - kCheckBytes, &check, kCheckBytes);
        }
    }
    return below(file)->pMethods->xWrite(below(file), from, count, at);
}

int control(sqlite3_file* file, int operation, void* argument) {
    if (operation == kGetPages)
        *static_cast<Pages*>(argument) = pages_of(file);
    else if (operation == kSetPages)
        pages_of(file) = *static_cast<const Pages*>(argument);
    else
        return below(file)->pMethods->xFileControl(below(file), operation, argument);
    return SQLITE_OK;
}

// No page is read past us.
int fetch_nothing(sqlite3_file*, sqlite3_int64, int, void** page) {
    *page = nullptr;
    return SQLITE_OK;
}

// Calls the method of the file below.
template <auto method>
struct Pass;
template <class... Args, int (*sqlite3_io_methods::*method)(sqlite3_file*, Args...)>
struct Pass<method> {
    static int call(sqlite3_file* file, Args... arguments) {
        return (below(file)->pMethods->*method)(below(file), arguments...);
    }
};
template <auto method>
constexpr auto kPass = &Pass<method>::call;

void drop_shared_memory_barrier(sqlite3_file* file) {
    below(file)->pMethods->xShmBarrier(below(file));
}

constexpr sqlite3_io_methods kMethods{
    .iVersion = 3,
    .xClose = kPass<&sqlite3_io_methods::xClose>,
    .xRead = read_page,
    .xWrite = write_page,
    .xTruncate = kPass<&sqlite3_io_methods::xTruncate>,
    .xSync = kPass<&sqlite3_io_methods::xSync>,
    .xFileSize = kPass<&sqlite3_io_methods::xFileSize>,
    .xLock = kPass<&sqlite3_io_methods::xLock>,
    .xUnlock = kPass<&sqlite3_io_methods::xUnlock>,
    .xCheckReservedLock = kPass<&sqlite3_io_methods::xCheckReservedLock>,
    .xFileControl = control,
    .xSectorSize = kPass<&sqlite3_io_methods::xSectorSize>,
    .xDeviceCharacteristics = kPass<&sqlite3_io_methods::xDeviceCharacteristics>,
    .xShmMap = kPass<&sqlite3_io_methods::xShmMap>,
    .xShmLock = kPass<&sqlite3_io_methods::xShmLock>,
    .xShmBarrier = drop_shared_memory_barrier,
    .xShmUnmap = kPass<&sqlite3_io_methods::xShmUnmap>,
    .xFetch = fetch_nothing,
    .xUnfetch = [](sqlite3_file*, sqlite3_int64, void*) { return SQLITE_OK; },
};

sqlite3_vfs* layer_below(sqlite3_vfs* layer) {
    return static_cast<sqlite3_vfs*>(layer->pAppData);
}

// Logs, journals and temporary files are those of the layer below.
int open_file(sqlite3_vfs* layer, const char* name, sqlite3_file* file, int flags, int* flags_out) {
    sqlite3_vfs* const real = layer_below(layer);
    if ((flags & SQLITE_OPEN_MAIN_DB) == 0 || name == nullptr)
        return real->xOpen(real, name, file, flags, flags_out);
    file->pMethods = nullptr;
    const int code = real->xOpen(real, name, below(file), flags, flags_out);
    if (code != SQLITE_OK) return code;
    file->pMethods = &kMethods;
    pages_of(file) = {};
    return SQLITE_OK;
}

sqlite3_vfs make_layer() {
    sqlite3_vfs* const real = sqlite3_vfs_find(nullptr);
    sqlite3_vfs layer = *real;
    layer.pNext = nullptr;
    layer.zName = "sheaf-checked-pages";
    layer.pAppData = real;
    layer.szOsFile = static_cast<int>(sizeof(CheckedFile)) + real->szOsFile;
    layer.xOpen = open_file;
    layer.xDelete = [](sqlite3_vfs* self, const char* name, int sync) {
        return layer_below(self)->xDelete(layer_below(self), name, sync);
    };
    layer.xAccess = [](sqlite3_vfs* self, const char* name, int flags, int* result) {
        return layer_below(self)->xAccess(layer_below(self), name, flags, result);
    };
    layer.xFullPathname = [](sqlite3_vfs* self, const char* name, int count, char* path) {
        return layer_below(self)->xFullPathname(layer_below(self), name, count, path);
    };
    return layer;
}

}  // namespace

const char* checked_pages() {
    static sqlite3_vfs layer = make_layer();
    static const int registered = sqlite3_vfs_register(&layer, 0);
    return registered == SQLITE_OK ? layer.zName : nullptr;
}

void reserve_room_for_checks(sqlite3* handle) {
    int bytes = kCheckBytes;
    sqlite3_file_control(handle, "main", SQLITE_FCNTL_RESERVE_BYTES, &bytes);
}

void check_copied_pages(sqlite3* from, sqlite3* to) {
    Pages pages;
    if (sqlite3_file_control(from, "main", kGetPages, &pages) == SQLITE_OK)
        sqlite3_file_control(to, "main", kSetPages, &pages);
}

}  // namespace sheaf::store

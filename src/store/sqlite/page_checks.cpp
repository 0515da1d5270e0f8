#include "store/sqlite/page_checks.h"

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/hash.h"

namespace sheaf::store {
namespace {

using namespace std::string_view_literals;

constexpr int kCheckBytes = sizeof(std::uint32_t);
// Of a database: https://www.sqlite.org/fileformat.html#the_database_header
constexpr std::string_view kMagic = "SQLite format 3\0"sv;
constexpr int kHeaderBytes = 100;
constexpr int kReservedAt = 20;
constexpr int kPageBytesMin = 512;
// Ours among the numbers of file controls: sets whether pages have checks, or tells where the given is below
// 0.
constexpr int kHaveChecks = 0x53484601;

struct CheckedFile {  // followed by the file of the layer below
    sqlite3_file base;
    bool has_checks;
};

sqlite3_file* below(sqlite3_file* file) {
    return reinterpret_cast<sqlite3_file*>(reinterpret_cast<CheckedFile*>(file) + 1);
}

bool& has_checks(sqlite3_file* file) {
    return reinterpret_cast<CheckedFile*>(file)->has_checks;
}

bool is_page(int count) {
    return count >= kPageBytesMin && std::has_single_bit(static_cast<unsigned>(count));
}

std::uint32_t check_of(const char* page, int count, sqlite3_int64 at) {
    const auto place = std::bit_cast<std::array<char, sizeof at>>(at);
    return crc32c({page, static_cast<std::size_t>(count - kCheckBytes)},
                  crc32c({place.data(), place.size()}));
}

// What the first page says of the others.
void look_at_header(sqlite3_file* file, const char* bytes, int count, sqlite3_int64 at) {
    if (at == 0 && count >= kHeaderBytes && std::string_view(bytes, kMagic.size()) == kMagic)
        has_checks(file) = bytes[kReservedAt] == kCheckBytes;
}

int read_page(sqlite3_file* file, void* into, int count, sqlite3_int64 at) {
    const int code = below(file)->pMethods->xRead(below(file), into, count, at);
    if (code != SQLITE_OK) return code;
    const auto* const bytes = static_cast<const char*>(into);
    look_at_header(file, bytes, count, at);
    if (!has_checks(file) || !is_page(count)) return SQLITE_OK;
    std::uint32_t written = 0;
    std::memcpy(&written, bytes + count - kCheckBytes, kCheckBytes);
    return written == check_of(bytes, count, at) ? SQLITE_OK : SQLITE_IOERR_DATA;
}

// The room for the check is nobody's but ours, also in SQLite's copy of the page.
int write_page(sqlite3_file* file, const void* from, int count, sqlite3_int64 at) {
    auto* const bytes = static_cast<char*>(const_cast<void*>(from));
    look_at_header(file, bytes, count, at);
    if (has_checks(file) && is_page(count)) {
        const std::uint32_t check = check_of(bytes, count, at);
        std::memcpy(bytes + count - kCheckBytes, &check, kCheckBytes);
    }
    return below(file)->pMethods->xWrite(below(file), from, count, at);
}

int control(sqlite3_file* file, int operation, void* argument) {
    if (operation != kHaveChecks)
        return below(file)->pMethods->xFileControl(below(file), operation, argument);
    int& given = *static_cast<int*>(argument);
    if (given < 0)
        given = has_checks(file) ? 1 : 0;
    else
        has_checks(file) = given != 0;
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
    has_checks(file) = false;
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
    int have_checks = -1;
    if (sqlite3_file_control(from, "main", kHaveChecks, &have_checks) == SQLITE_OK)
        sqlite3_file_control(to, "main", kHaveChecks, &have_checks);
}

}  // namespace sheaf::store

#pragma once

#include <sqlite3.h>

namespace sheaf::store {

// SQLite's own file layer, with a checksum at the end of each page of a database: a page that is not what was
// written, or not where it was written, is SQLITE_IOERR_DATA to who reads it. SQLite keeps the room free
// (https://www.sqlite.org/fileformat.html, "reserved bytes"), and other programs read the file as ever.
//
// A database that was made without the room has no checksums. Pages in the write-ahead log have SQLite's own.
//
// What no cell of a page has (`unused_room.h`) is zeros in the file; not so in the log.
//
// The name of the layer, for sqlite3_open_v2. Threads: any.
const char* checked_pages();

// Has a database that is still empty keep the room. Nothing may have been read or written on `handle` yet.
void reserve_room_for_checks(sqlite3* handle);

// A copy, page by page, of `from` into `to`, which is empty, is about to begin.
void check_copied_pages(sqlite3* from, sqlite3* to);

}  // namespace sheaf::store

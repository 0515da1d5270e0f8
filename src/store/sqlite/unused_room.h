#pragma once

#include <span>

namespace sheaf::store {

// Clears what no reader of a database looks at: the room in a page of a b-tree between the list of its cells
// and the cells. SQLite leaves copies there of cells that it has moved to other pages, and `secure_delete`
// clears only what is deleted, so that a name could outlive its deletion.
//
// `page` is a whole page, at least 512 bytes; what is no page of a b-tree stays as it is. The database has
// fewer than 2^25 pages and no auto_vacuum: in others a page of another kind can begin like one of a b-tree
// (https://www.sqlite.org/fileformat.html#b_tree_pages). `is_first`: the page with the database's header.
// A damaged page stays as it is where it has cells in the room.
void clear_unused_room(std::span<char> page, bool is_first);

}  // namespace sheaf::store

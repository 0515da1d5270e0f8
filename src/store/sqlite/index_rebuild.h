#pragma once

#include "store/sqlite/database.h"
#include "store/sqlite/engine.h"
#include "store/upkeep.h"

namespace sheaf::store {

// Builds an index anew, of what can be read of the damaged one, if there is one, and of the records that
// stand beside bodies, lines and results. The old one is kept beside as index.damaged-TIME. Tells of each
// batch that was built of records alone. The directory's lock is held, and nobody has the index open.
Result<> rebuild_index(const Paths& paths, Disk& disk, const Repairs& how, const Listener& listener);

// Whether a new index was finished and has not its name yet.
bool is_rebuilt_index_waiting(const Paths& paths);
// Puts it in its place.
Result<> take_rebuilt_index(const Paths& paths, Disk& disk);

}  // namespace sheaf::store

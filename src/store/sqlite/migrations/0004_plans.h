#pragma once

namespace sheaf::store::migrations {

// The order of a batch's items where it is not that of their submission. `plan_next` is how many of its
// entries were claimed. Items of such a batch are running when they have a lease: its `cursor` stays at its
// first item.
//
// A chunk is named by the key of the batch with the place of its first entry (plan_chunks.h).
inline constexpr const char* k0004Plans = R"sql(
ALTER TABLE batches ADD COLUMN plan_next INTEGER;
CREATE TABLE plan_chunks(key INTEGER PRIMARY KEY, entries BLOB NOT NULL);
)sql";

}  // namespace sheaf::store::migrations

#pragma once

namespace sheaf::store::migrations {

// Where the records are of a batch from which its rows can be built anew (batch_records.h), as long as they
// are needed: its head, in the stream of bodies, and how it was turned last, in that of lines. Batches of
// earlier versions have no head.
inline constexpr const char* k0006Records = R"sql(
CREATE TABLE batch_records(
  row INTEGER NOT NULL,
  stream INTEGER NOT NULL,
  segment INTEGER NOT NULL,
  start INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  PRIMARY KEY(row, stream)
) WITHOUT ROWID;
)sql";

}  // namespace sheaf::store::migrations

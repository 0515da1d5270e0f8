#pragma once

namespace sheaf::store::migrations {

// Whom to tell what has ended, and what of it is still to be told. `events` (0001_initial.h) holds the facts
// that were not expanded into deliveries yet; `ordinal` is an item's, or how far a batch's are expanded.
inline constexpr const char* k0003Webhooks = R"sql(
ALTER TABLE batches ADD COLUMN item_events INTEGER NOT NULL DEFAULT 0;
-- Nobody could have been told of these.
DELETE FROM events;
ALTER TABLE events ADD COLUMN ordinal INTEGER NOT NULL DEFAULT 0;

-- `types` are separated by blanks; none are all.
CREATE TABLE webhooks(
  id BLOB PRIMARY KEY,
  account TEXT NOT NULL,
  dialect TEXT NOT NULL,
  url TEXT NOT NULL,
  secret TEXT NOT NULL,
  types TEXT NOT NULL,
  enabled INTEGER NOT NULL,
  created_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX webhooks_of ON webhooks(account, dialect);

-- Exactly one of `webhook` and `token` says how it is signed. Of one that has ended, the payload and the token
-- are gone.
CREATE TABLE deliveries(
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  event TEXT NOT NULL,
  type TEXT NOT NULL,
  account TEXT NOT NULL,
  form INTEGER NOT NULL,
  webhook BLOB,
  target TEXT NOT NULL,
  url TEXT NOT NULL,
  token TEXT NOT NULL,
  payload BLOB NOT NULL,
  batch BLOB,
  ordinal INTEGER,
  created_at INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  attempts_max INTEGER NOT NULL,
  next_at INTEGER NOT NULL,
  ended_at INTEGER,
  delivered INTEGER NOT NULL,
  last_error TEXT NOT NULL
);
CREATE INDEX deliveries_waiting ON deliveries(target, next_at) WHERE ended_at IS NULL;
CREATE INDEX deliveries_ended ON deliveries(ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX deliveries_of_webhook ON deliveries(webhook) WHERE webhook IS NOT NULL;
CREATE INDEX deliveries_about ON deliveries(batch, ordinal) WHERE batch IS NOT NULL;
)sql";

}  // namespace sheaf::store::migrations

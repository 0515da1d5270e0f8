#pragma once

namespace sheaf::store::migrations {

// Ids are 12 bytes, so that they sort as they do in core. An item's key is its batch's row << 20 | ordinal.
//
// Items are claimed in order, so those below `batches.cursor` (an item's key) that are still in state 0 are
// running, and each of them has a row in `leases`: claiming touches neither the items nor an index of them.
inline constexpr const char* k0001Initial = R"sql(
CREATE TABLE batches(
  row INTEGER PRIMARY KEY AUTOINCREMENT,
  id BLOB NOT NULL UNIQUE,
  account TEXT NOT NULL,
  dialect TEXT NOT NULL,
  kind INTEGER NOT NULL,
  model TEXT NOT NULL,
  tag TEXT NOT NULL,
  state INTEGER NOT NULL,
  end_reason INTEGER NOT NULL,
  cursor INTEGER NOT NULL,
  queued INTEGER NOT NULL,
  running INTEGER NOT NULL,
  succeeded INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  canceled INTEGER NOT NULL,
  expired INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  purge_at INTEGER NOT NULL,
  ended_at INTEGER,
  results_bytes INTEGER,
  body_segment INTEGER,
  body_start INTEGER NOT NULL,
  body_bytes INTEGER NOT NULL
);
CREATE INDEX batches_listed ON batches(account, dialect, created_at, id);
CREATE INDEX batches_active ON batches(account, kind) WHERE state < 3;
CREATE INDEX batches_unfinished ON batches(created_at, id) WHERE state < 3;
CREATE INDEX batches_unpublished ON batches(ended_at) WHERE state = 3 AND results_bytes IS NULL;
CREATE INDEX batches_purged ON batches(purge_at);

-- Apart from the counters, which are rewritten with every group of results.
CREATE TABLE batch_shared(row INTEGER PRIMARY KEY, shared TEXT NOT NULL);

CREATE TABLE items(
  key INTEGER PRIMARY KEY,
  state INTEGER NOT NULL,
  body_offset INTEGER NOT NULL,
  body_bytes INTEGER NOT NULL,
  body_crc INTEGER NOT NULL,
  custom_id TEXT,
  subject TEXT,
  subject_key INTEGER,
  finished_at INTEGER,
  segment INTEGER,
  line_start INTEGER,
  line_bytes INTEGER,
  input_tokens INTEGER,
  output_tokens INTEGER
);
CREATE INDEX items_about ON items(subject_key) WHERE subject_key IS NOT NULL;
CREATE INDEX items_about_unfinished ON items(subject_key) WHERE subject_key IS NOT NULL AND state = 0;

CREATE TABLE leases(
  item INTEGER PRIMARY KEY,
  epoch INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
);

-- Segment files: `stream` 0 holds result lines, 1 small bodies. `live` counts the records that rows refer to.
CREATE TABLE segments(
  stream INTEGER NOT NULL,
  number INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  live INTEGER NOT NULL,
  PRIMARY KEY(stream, number)
) WITHOUT ROWID;

-- Removed batches whose files are not gone yet.
CREATE TABLE removals(id BLOB PRIMARY KEY, ranges BLOB NOT NULL) WITHOUT ROWID;

CREATE TABLE events(
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL,
  account TEXT NOT NULL,
  batch BLOB NOT NULL,
  at INTEGER NOT NULL
);
CREATE INDEX events_of_batch ON events(batch);

CREATE TABLE idempotency(
  account TEXT NOT NULL,
  scope TEXT NOT NULL,
  key TEXT NOT NULL,
  request_hash TEXT NOT NULL,
  status INTEGER NOT NULL,
  response TEXT NOT NULL,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY(account, scope, key)
) WITHOUT ROWID;
CREATE INDEX idempotency_expiry ON idempotency(expires_at);

CREATE TABLE assets(
  id BLOB PRIMARY KEY,
  account TEXT NOT NULL,
  method INTEGER NOT NULL,
  state INTEGER NOT NULL,
  filename TEXT NOT NULL,
  source_url TEXT NOT NULL,
  blob_key TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  type INTEGER NOT NULL,
  mime_type TEXT NOT NULL,
  duration_s REAL,
  details TEXT NOT NULL,
  user_metadata TEXT NOT NULL,
  error TEXT NOT NULL,
  wants_hls INTEGER NOT NULL,
  wants_thumbnail INTEGER NOT NULL,
  created_at INTEGER NOT NULL
);
CREATE INDEX assets_listed ON assets(account, created_at, id);
CREATE INDEX assets_processing ON assets(created_at) WHERE state = 0;

CREATE TABLE uploads(
  id BLOB PRIMARY KEY,
  account TEXT NOT NULL,
  asset BLOB NOT NULL,
  state INTEGER NOT NULL,
  total_bytes INTEGER NOT NULL,
  chunk_bytes INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  chunks_reported INTEGER NOT NULL,
  bytes_reported INTEGER NOT NULL
);
CREATE INDEX uploads_of_asset ON uploads(asset);
CREATE INDEX uploads_active ON uploads(account, created_at, id) WHERE state = 0;
CREATE INDEX uploads_expiry ON uploads(expires_at) WHERE state = 0;

CREATE TABLE chunks(
  upload BLOB NOT NULL,
  position INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  etag TEXT NOT NULL,
  reported INTEGER NOT NULL,
  uploaded_at INTEGER NOT NULL,
  PRIMARY KEY(upload, position)
) WITHOUT ROWID;

CREATE TABLE api_keys(
  id TEXT PRIMARY KEY,
  account TEXT NOT NULL,
  secret_hash BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  revoked_at INTEGER
) WITHOUT ROWID;
)sql";

}  // namespace sheaf::store::migrations

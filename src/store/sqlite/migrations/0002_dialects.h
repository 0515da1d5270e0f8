#pragma once

namespace sheaf::store::migrations {

// What more than one dialect needs: names of items, places in lists, files, tokens per batch.
inline constexpr const char* k0002Dialects = R"sql(
ALTER TABLE batches ADD COLUMN input_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE batches ADD COLUMN output_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE batches ADD COLUMN cached_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE batches ADD COLUMN reasoning_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE batches ADD COLUMN keep_for INTEGER NOT NULL DEFAULT 0;
ALTER TABLE batches ADD COLUMN cancel_requested_at INTEGER;
ALTER TABLE batches ADD COLUMN archive_at INTEGER;
ALTER TABLE batches ADD COLUMN archived_at INTEGER;
CREATE INDEX batches_placed ON batches(account, dialect, kind);
CREATE INDEX batches_archived ON batches(archive_at) WHERE archive_at IS NOT NULL AND archived_at IS NULL;

-- Of a batch whose items are found by their custom_id: a hash of both. The text decides.
ALTER TABLE items ADD COLUMN name_key INTEGER;
CREATE INDEX items_named ON items(name_key) WHERE name_key IS NOT NULL;

-- Where removed batches stood in the lists.
CREATE TABLE batch_places(
  id BLOB PRIMARY KEY,
  account TEXT NOT NULL,
  row INTEGER NOT NULL,
  created_at INTEGER NOT NULL
) WITHOUT ROWID;

-- `number` is the order of creation. A removed file keeps its row for a while, as its place in the lists.
CREATE TABLE files(
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id BLOB NOT NULL UNIQUE,
  account TEXT NOT NULL,
  purpose TEXT NOT NULL,
  filename TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  blob_key TEXT NOT NULL,
  batch BLOB,
  start INTEGER NOT NULL,
  removed_at INTEGER
);
CREATE INDEX files_listed ON files(account);
CREATE INDEX files_of_purpose ON files(account, purpose);
CREATE INDEX files_expiry ON files(expires_at) WHERE expires_at IS NOT NULL AND removed_at IS NULL;
CREATE INDEX files_of_batch ON files(batch) WHERE batch IS NOT NULL;
CREATE INDEX files_removed ON files(removed_at) WHERE removed_at IS NOT NULL;

CREATE TABLE file_uploads(
  id BLOB PRIMARY KEY,
  account TEXT NOT NULL,
  state INTEGER NOT NULL,
  purpose TEXT NOT NULL,
  filename TEXT NOT NULL,
  mime_type TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  file_lifetime INTEGER,
  file BLOB,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
);
CREATE INDEX file_uploads_expiry ON file_uploads(expires_at) WHERE state = 0;

CREATE TABLE file_parts(
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  upload BLOB NOT NULL,
  id BLOB NOT NULL UNIQUE,
  bytes INTEGER NOT NULL,
  blob_key TEXT NOT NULL,
  created_at INTEGER NOT NULL
);
CREATE INDEX file_parts_of_upload ON file_parts(upload);
)sql";

}  // namespace sheaf::store::migrations

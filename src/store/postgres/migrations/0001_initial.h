#pragma once

namespace sheaf::store::postgres::migrations {

// Ids are 12 bytes, so that they sort as they do in core. What clients write is bytea: it may hold any byte.
//
// An item's row never changes. Items are handed out in the order of `position`, so those of a batch from
// `batches.cursor` on are queued; those below it have a row in `leases` while they run and one in `results`
// from their end on. So an item costs three small inserts and one delete, and leaves nothing to clear away in
// the large tables.
//
// Whoever changes what belongs to a batch holds the batch's row, but for renewals of leases.
inline constexpr const char* k0001Initial = R"sql(
CREATE TABLE batches(
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id bytea NOT NULL UNIQUE,
  account text COLLATE "C" NOT NULL,
  dialect text COLLATE "C" NOT NULL,
  kind smallint NOT NULL,
  model bytea NOT NULL,
  tag bytea NOT NULL,
  state smallint NOT NULL,
  end_reason smallint NOT NULL,
  cursor integer NOT NULL DEFAULT 0,
  queued integer NOT NULL,
  running integer NOT NULL DEFAULT 0,
  succeeded integer NOT NULL DEFAULT 0,
  failed integer NOT NULL DEFAULT 0,
  canceled integer NOT NULL DEFAULT 0,
  expired integer NOT NULL DEFAULT 0,
  created_at bigint NOT NULL,
  expires_at bigint NOT NULL,
  purge_at bigint NOT NULL,
  ended_at bigint,
  results_bytes bigint,
  input_tokens bigint NOT NULL DEFAULT 0,
  output_tokens bigint NOT NULL DEFAULT 0,
  cached_tokens bigint NOT NULL DEFAULT 0,
  reasoning_tokens bigint NOT NULL DEFAULT 0,
  keep_for bigint NOT NULL,
  cancel_requested_at bigint,
  archive_at bigint,
  archived_at bigint,
  item_events smallint NOT NULL,
  succeeded_first boolean NOT NULL DEFAULT false,
  leases_end_at bigint
) WITH (fillfactor = 50);
COMMENT ON COLUMN batches.leases_end_at IS 'No lease of the batch ends before; null: there is none.';
CREATE INDEX batches_listed ON batches(account, created_at, id);
CREATE INDEX batches_placed ON batches(account, kind, number);
CREATE INDEX batches_active ON batches(account, kind) WHERE state < 3;
CREATE INDEX batches_unfinished ON batches(created_at, id) WHERE state < 3;
CREATE INDEX batches_unpublished ON batches(ended_at) WHERE state = 3 AND results_bytes IS NULL;
CREATE INDEX batches_purged ON batches(purge_at);
CREATE INDEX batches_archived ON batches(archive_at) WHERE archive_at IS NOT NULL AND archived_at IS NULL;

-- Apart from the counters, which are rewritten with every group of results.
CREATE TABLE batch_shared(batch bigint PRIMARY KEY, shared bytea NOT NULL);

-- Where removed batches stood in the lists.
CREATE TABLE batch_places(id bytea PRIMARY KEY, account text COLLATE "C" NOT NULL, number bigint NOT NULL,
  created_at bigint NOT NULL);

CREATE TABLE items(
  batch bigint NOT NULL,
  ordinal integer NOT NULL,
  position integer NOT NULL,
  prefix bigint NOT NULL,
  body_bytes integer NOT NULL,
  body_crc bigint NOT NULL,
  subject_key bigint,
  name_key bigint,
  custom_id bytea,
  subject bytea,
  body bytea NOT NULL,
  PRIMARY KEY(batch, ordinal)
);
ALTER TABLE items ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE UNIQUE INDEX items_queue ON items(batch, position);
CREATE INDEX items_about ON items(subject_key) WHERE subject_key IS NOT NULL;
CREATE INDEX items_named ON items(name_key) WHERE name_key IS NOT NULL;

CREATE TABLE leases(
  batch bigint NOT NULL,
  ordinal integer NOT NULL,
  epoch integer NOT NULL,
  attempts integer NOT NULL,
  expires_at bigint NOT NULL,
  node bytea NOT NULL,
  PRIMARY KEY(batch, ordinal)
) WITH (fillfactor = 70, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_scale_factor = 0);

-- `line` is null while nothing is rendered for a canceled or expired item.
CREATE TABLE results(
  batch bigint NOT NULL,
  ordinal integer NOT NULL,
  state smallint NOT NULL,
  finished_at bigint NOT NULL,
  line_bytes integer,
  line_crc bigint,
  line bytea,
  PRIMARY KEY(batch, ordinal)
);
ALTER TABLE results ALTER COLUMN line SET STORAGE EXTERNAL;

-- What is to be told and was not expanded into deliveries yet; `ordinal` is an item's, or how far a batch's are.
CREATE TABLE facts(
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind smallint NOT NULL,
  account text COLLATE "C" NOT NULL,
  batch bytea NOT NULL,
  ordinal integer NOT NULL,
  at bigint NOT NULL
);
CREATE INDEX facts_of_batch ON facts(batch);

-- The one node that tells webhooks, for as long as it says so: two would tell everything twice.
CREATE TABLE teller(single boolean PRIMARY KEY CHECK (single), node bytea NOT NULL, until timestamptz NOT NULL);
INSERT INTO teller VALUES (true, '', '-infinity');

-- Nodes say every few seconds that they live.
CREATE TABLE nodes(node bytea PRIMARY KEY, seen_at timestamptz NOT NULL);

CREATE TABLE idempotency(
  account text COLLATE "C" NOT NULL,
  scope bytea NOT NULL,
  key bytea NOT NULL,
  request_hash bytea NOT NULL,
  status integer NOT NULL,
  response bytea NOT NULL,
  expires_at bigint NOT NULL,
  PRIMARY KEY(account, scope, key)
);
CREATE INDEX idempotency_expiry ON idempotency(expires_at);

-- `name_key` is the file name in lower case, to search in.
CREATE TABLE assets(
  id bytea PRIMARY KEY,
  account text COLLATE "C" NOT NULL,
  method smallint NOT NULL,
  state smallint NOT NULL,
  filename bytea NOT NULL,
  source_url bytea NOT NULL,
  blob_key bytea NOT NULL,
  bytes bigint NOT NULL,
  type smallint NOT NULL,
  mime_type bytea NOT NULL,
  duration_s double precision,
  details bytea NOT NULL,
  user_metadata bytea NOT NULL,
  error bytea NOT NULL,
  wants_hls boolean NOT NULL,
  wants_thumbnail boolean NOT NULL,
  created_at bigint NOT NULL,
  name_key bytea NOT NULL,
  node bytea NOT NULL
);
COMMENT ON COLUMN assets.node IS 'Who works on it while it is in processing.';
CREATE INDEX assets_listed ON assets(account, created_at, id);
CREATE INDEX assets_processing ON assets(created_at) WHERE state = 0;

CREATE TABLE uploads(
  id bytea PRIMARY KEY,
  account text COLLATE "C" NOT NULL,
  asset bytea NOT NULL,
  state smallint NOT NULL,
  total_bytes bigint NOT NULL,
  chunk_bytes bigint NOT NULL,
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL,
  expires_at bigint NOT NULL,
  chunks_reported integer NOT NULL,
  bytes_reported bigint NOT NULL
);
CREATE INDEX uploads_of_asset ON uploads(asset);
CREATE INDEX uploads_active ON uploads(account, created_at, id) WHERE state = 0;
CREATE INDEX uploads_expiry ON uploads(expires_at) WHERE state = 0;

CREATE TABLE chunks(
  upload bytea NOT NULL,
  position integer NOT NULL,
  bytes bigint NOT NULL,
  etag bytea NOT NULL,
  reported boolean NOT NULL,
  uploaded_at bigint NOT NULL,
  PRIMARY KEY(upload, position)
);

-- `number` is the order of creation. A removed file keeps its row for a while, as its place in the lists.
CREATE TABLE files(
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id bytea NOT NULL UNIQUE,
  account text COLLATE "C" NOT NULL,
  purpose bytea NOT NULL,
  filename bytea NOT NULL,
  bytes bigint NOT NULL,
  created_at bigint NOT NULL,
  expires_at bigint,
  blob_key bytea NOT NULL,
  batch bytea,
  start bigint NOT NULL,
  removed_at bigint
);
CREATE INDEX files_listed ON files(account, number);
CREATE INDEX files_of_purpose ON files(account, purpose, number);
CREATE INDEX files_expiry ON files(expires_at) WHERE expires_at IS NOT NULL AND removed_at IS NULL;
CREATE INDEX files_of_batch ON files(batch) WHERE batch IS NOT NULL;
CREATE INDEX files_removed ON files(removed_at) WHERE removed_at IS NOT NULL;

CREATE TABLE file_uploads(
  id bytea PRIMARY KEY,
  account text COLLATE "C" NOT NULL,
  state smallint NOT NULL,
  purpose bytea NOT NULL,
  filename bytea NOT NULL,
  mime_type bytea NOT NULL,
  bytes bigint NOT NULL,
  file_lifetime bigint,
  file bytea,
  created_at bigint NOT NULL,
  expires_at bigint NOT NULL
);
CREATE INDEX file_uploads_expiry ON file_uploads(expires_at) WHERE state = 0;

CREATE TABLE file_parts(
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  upload bytea NOT NULL,
  id bytea NOT NULL UNIQUE,
  bytes bigint NOT NULL,
  blob_key bytea NOT NULL,
  created_at bigint NOT NULL
);
CREATE INDEX file_parts_of_upload ON file_parts(upload);

CREATE TABLE api_keys(
  id bytea PRIMARY KEY,
  account text COLLATE "C" NOT NULL,
  secret_hash bytea NOT NULL,
  created_at bigint NOT NULL,
  revoked_at bigint
);

-- `types` are separated by blanks; none are all.
CREATE TABLE webhooks(
  id bytea PRIMARY KEY,
  account text COLLATE "C" NOT NULL,
  dialect text COLLATE "C" NOT NULL,
  url bytea NOT NULL,
  secret bytea NOT NULL,
  types bytea NOT NULL,
  enabled boolean NOT NULL,
  created_at bigint NOT NULL
);
CREATE INDEX webhooks_of ON webhooks(account, dialect);

-- Exactly one of `webhook` and `token` says how it is signed. Of one that has ended, the payload and the token are
-- gone.
CREATE TABLE deliveries(
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  event bytea NOT NULL,
  type bytea NOT NULL,
  account text COLLATE "C" NOT NULL,
  form smallint NOT NULL,
  webhook bytea,
  target bytea NOT NULL,
  url bytea NOT NULL,
  token bytea NOT NULL,
  payload bytea NOT NULL,
  batch bytea,
  ordinal integer,
  created_at bigint NOT NULL,
  attempts integer NOT NULL,
  attempts_max integer NOT NULL,
  next_at bigint NOT NULL,
  ended_at bigint,
  delivered boolean NOT NULL,
  last_error bytea NOT NULL
);
CREATE INDEX deliveries_waiting ON deliveries(target, next_at, number) WHERE ended_at IS NULL;
CREATE INDEX deliveries_ended ON deliveries(ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX deliveries_of_webhook ON deliveries(webhook) WHERE webhook IS NOT NULL;
CREATE INDEX deliveries_about ON deliveries(batch, ordinal) WHERE batch IS NOT NULL;
)sql";

}  // namespace sheaf::store::postgres::migrations

#pragma once

#include "store/stored_rows.h"

// All SQL of the store but its schema (migrations/). batch_row.cpp reads the columns in this order.
#define SHEAF_PG_BATCH_COLUMNS                                                                          \
    "b.number, b.id, b.account, b.dialect, b.kind, b.model, b.tag, b.state, b.end_reason, b.cursor, "   \
    "b.queued, "                                                                                        \
    "b.running, b.succeeded, b.failed, b.canceled, b.expired, b.created_at, b.expires_at, b.purge_at, " \
    "b.ended_at, "                                                                                      \
    "b.results_bytes, (SELECT shared FROM batch_shared s WHERE s.batch = b.number), b.input_tokens, "   \
    "b.output_tokens, b.cached_tokens, b.reasoning_tokens, b.keep_for, b.cancel_requested_at, "         \
    "b.archive_at, "                                                                                    \
    "b.archived_at, b.item_events, b.succeeded_first, b.leases_end_at"
// The state as others see it (migrations/0001_initial.h).
#define SHEAF_PG_ITEM_STATE "coalesce(r.state, CASE WHEN i.position < b.cursor THEN 1 ELSE 0 END)"
#define SHEAF_PG_ITEM_COLUMNS "i.ordinal, " SHEAF_PG_ITEM_STATE ", i.custom_id, i.subject, r.finished_at"
// OFFSET 0 keeps a lookup a lookup: the planner, who knows little of tables that fill and empty within
// seconds, cannot turn it into a join that compares everything with everything.
#define SHEAF_PG_RESULT \
    "(SELECT * FROM results r WHERE r.batch = i.batch AND r.ordinal = i.ordinal OFFSET 0) r"
#define SHEAF_PG_ITEMS \
    " FROM batches b JOIN items i ON i.batch = b.number LEFT JOIN LATERAL " SHEAF_PG_RESULT " ON true "

namespace sheaf::store::postgres::sql {

inline constexpr int kBatchColumnCount = 33;

inline constexpr const char* kBegin = "BEGIN";
inline constexpr const char* kBeginSnapshot = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
inline constexpr const char* kCommitLazily = "SET LOCAL synchronous_commit = off";
inline constexpr const char* kCommit = "COMMIT";
inline constexpr const char* kRollback = "ROLLBACK";

// What is ours in the database: a schema may be one of several that Sheaf was given.
#define SHEAF_PG_SCHEMA "(SELECT oid FROM pg_namespace WHERE nspname = current_schema())"
inline constexpr const char* kLockSchema =
    "SELECT pg_advisory_xact_lock(hashtext('sheaf migrations'), " SHEAF_PG_SCHEMA
    "::bigint::bit(32)::integer)";
inline constexpr const char* kNameChannel = "SELECT 'sheaf_' || " SHEAF_PG_SCHEMA "::text";
inline constexpr const char* kNotify = "SELECT pg_notify('sheaf_' || " SHEAF_PG_SCHEMA "::text, $1)";
#undef SHEAF_PG_SCHEMA
inline constexpr const char* kHasVersions = "SELECT to_regclass('sheaf_schema') IS NOT NULL";
inline constexpr const char* kSchemaVersion = "SELECT coalesce(max(version), 0) FROM sheaf_schema";
inline constexpr const char* kStampVersion = "INSERT INTO sheaf_schema(version) VALUES ($1)";

// Batches.
inline constexpr const char* kFindBatch = "SELECT " SHEAF_PG_BATCH_COLUMNS " FROM batches b WHERE b.id = $1";
inline constexpr const char* kHoldBatch =
    "SELECT " SHEAF_PG_BATCH_COLUMNS " FROM batches b WHERE b.id = $1 FOR NO KEY UPDATE";
inline constexpr const char* kNextBatch = "SELECT nextval(pg_get_serial_sequence('batches', 'number'))";
// The creates of an account that has a limit go one after another.
inline constexpr const char* kLockAccount = "SELECT pg_advisory_xact_lock($1)";
inline constexpr const char* kCountActive =
    "SELECT count(*) FROM batches WHERE account = $1 AND dialect = $2 AND kind = 0 AND state < 3";
inline constexpr const char* kInsertBatch =
    "INSERT INTO batches(number, id, account, dialect, kind, model, tag, state, end_reason, queued, "
    "created_at, "
    "expires_at, purge_at, ended_at, results_bytes, keep_for, archive_at, item_events) OVERRIDING SYSTEM "
    "VALUE "
    "VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) "
    "ON CONFLICT (id) DO NOTHING";
inline constexpr const char* kInsertShared = "INSERT INTO batch_shared(batch, shared) VALUES($1, $2)";
inline constexpr const char* kUpdateBatch =
    "UPDATE batches SET state = $2, end_reason = $3, cursor = $4, queued = $5, running = $6, succeeded = $7, "
    "failed = $8, canceled = $9, expired = $10, ended_at = $11, results_bytes = $12, purge_at = $13, "
    "cancel_requested_at = $14, archived_at = $15, input_tokens = $16, output_tokens = $17, cached_tokens = "
    "$18, "
    "reasoning_tokens = $19, succeeded_first = $20, leases_end_at = $21 WHERE number = $1";
// $2: empty for all. $4: state * 8 + reason each, or null. $5: tags, or null.
#define SHEAF_PG_LIST_WHERE                                                                                 \
    " FROM batches b WHERE b.account = $1 AND ($2 = '' OR b.dialect = $2) AND b.kind = $3 "                 \
    "AND ($4::bigint[] IS NULL OR b.state * 8 + b.end_reason = ANY($4)) AND ($5::bytea[] IS NULL OR b.tag " \
    "= ANY($5))"
inline constexpr const char* kCountBatches = "SELECT count(*)" SHEAF_PG_LIST_WHERE;
inline constexpr const char* kListBatches = "SELECT " SHEAF_PG_BATCH_COLUMNS SHEAF_PG_LIST_WHERE
                                            " ORDER BY b.created_at DESC, b.id DESC LIMIT $6 OFFSET $7";
#undef SHEAF_PG_LIST_WHERE
inline constexpr const char* kPlaceOfBatch =
    "SELECT number FROM batches WHERE id = $1 AND account = $2 "
    "UNION ALL SELECT number FROM batch_places WHERE id = $1 AND account = $2";
#define SHEAF_PG_BESIDE                                                     \
    "SELECT " SHEAF_PG_BATCH_COLUMNS                                        \
    " FROM batches b WHERE b.account = $1 AND ($2 = '' OR b.dialect = $2) " \
    "AND b.kind = 0 AND b.number < $3 AND b.number > $4 "
inline constexpr const char* kBatchesNewestFirst = SHEAF_PG_BESIDE "ORDER BY b.number DESC LIMIT $5";
inline constexpr const char* kBatchesOldestFirst = SHEAF_PG_BESIDE "ORDER BY b.number LIMIT $5";
#undef SHEAF_PG_BESIDE
inline constexpr const char* kKeepPlace =
    "INSERT INTO batch_places(id, account, number, created_at) SELECT id, account, number, created_at FROM "
    "batches "
    "WHERE number = $1";
inline constexpr const char* kForgetPlaces = "DELETE FROM batch_places WHERE created_at <= $1";
inline constexpr const char* kBatchesToArchive =
    "SELECT " SHEAF_PG_BATCH_COLUMNS
    " FROM batches b WHERE b.archive_at <= $1 AND b.archived_at IS NULL AND b.state = 3 "
    "ORDER BY b.archive_at LIMIT $2";
inline constexpr const char* kUnfinishedBatches =
    "SELECT " SHEAF_PG_BATCH_COLUMNS " FROM batches b WHERE b.state < 3 ORDER BY b.created_at, b.id";
inline constexpr const char* kUnpublishedBatches =
    "SELECT " SHEAF_PG_BATCH_COLUMNS
    " FROM batches b WHERE b.state = 3 AND b.results_bytes IS NULL ORDER BY b.ended_at";
inline constexpr const char* kBatchesToPurge =
    "SELECT " SHEAF_PG_BATCH_COLUMNS " FROM batches b WHERE b.purge_at <= $1 ORDER BY b.purge_at LIMIT $2";
inline constexpr const char* kDeleteBatch = "DELETE FROM batches WHERE number = $1";
inline constexpr const char* kDeleteShared = "DELETE FROM batch_shared WHERE batch = $1";
inline constexpr const char* kDeleteItems = "DELETE FROM items WHERE batch = $1";
inline constexpr const char* kDeleteResults = "DELETE FROM results WHERE batch = $1";
inline constexpr const char* kDeleteEndedOrder = "DELETE FROM ended_order WHERE batch = $1";
inline constexpr const char* kRemoveFilesOfBatch =
    "UPDATE files SET removed_at = $2 WHERE batch = $1 AND removed_at IS NULL";

// Items.
inline constexpr const char* kCopyItems =
    "COPY items(batch, ordinal, position, prefix, body_bytes, body_crc, subject_key, name_key, custom_id, "
    "subject, "
    "body) "
    "FROM STDIN WITH (FORMAT binary)";
inline constexpr int kCopyItemsColumns = 11;
inline constexpr const char* kFindItem =
    "SELECT " SHEAF_PG_BATCH_COLUMNS ", " SHEAF_PG_ITEM_COLUMNS SHEAF_PG_ITEMS
    "WHERE b.id = $1 AND i.ordinal = $2";
inline constexpr const char* kFindNamed =
    "SELECT " SHEAF_PG_BATCH_COLUMNS ", " SHEAF_PG_ITEM_COLUMNS SHEAF_PG_ITEMS
    "WHERE b.id = $1 AND i.name_key = $2 AND i.custom_id = $3";
inline constexpr const char* kItemBody =
    "SELECT i.body, i.body_crc FROM batches b JOIN items i ON i.batch = b.number WHERE b.id = $1 AND "
    "i.ordinal = $2";
inline constexpr const char* kHeadsFrom =
    "SELECT " SHEAF_PG_ITEM_COLUMNS SHEAF_PG_ITEMS
    "WHERE b.number = $1 AND i.ordinal >= $2 ORDER BY i.ordinal LIMIT $3";
// The line of an item that has one. $3: how many items; $4: how many bytes of lines, but one item
// always. The last column tells whether there is an item at all: a batch without any gives one row.
inline constexpr const char* kLinesFrom =
    "SELECT p.ordinal, p.state, p.custom_id, p.subject, p.finished_at, p.line, p.line_crc FROM batches b "
    "LEFT JOIN "
    "LATERAL (SELECT *, sum(coalesce(q.line_bytes, 0)) OVER (ORDER BY q.ordinal) AS total, "
    "row_number() OVER (ORDER BY q.ordinal) AS place FROM (SELECT i.ordinal, " SHEAF_PG_ITEM_STATE
    " AS state, i.custom_id, i.subject, r.finished_at, "
    "r.line, r.line_bytes, r.line_crc FROM items i LEFT JOIN LATERAL " SHEAF_PG_RESULT
    " ON true "
    "WHERE i.batch = b.number AND i.ordinal >= $2 ORDER BY i.ordinal LIMIT $3) q) p "
    "ON p.total <= $4 OR p.place = 1 WHERE b.id = $1 ORDER BY p.ordinal";
// The columns of kLinesFrom and a place, of items that have ended. $3 and $4 as there.
#define SHEAF_PG_ENDED_LINES                                                                              \
    "SELECT p.ordinal, p.state, p.custom_id, p.subject, p.finished_at, p.line, p.line_crc, p.place FROM " \
    "(SELECT o.place, o.ordinal, r.state, i.custom_id, i.subject, r.finished_at, r.line, r.line_crc, "    \
    "sum(coalesce(r.line_bytes, 0)) OVER (ORDER BY o.place) AS total, "                                   \
    "row_number() OVER (ORDER BY o.place) AS number FROM o CROSS JOIN LATERAL "                           \
    "(SELECT * FROM items i WHERE i.batch = $1 AND i.ordinal = o.ordinal OFFSET 0) i CROSS JOIN LATERAL " \
    "(SELECT * FROM results r WHERE r.batch = $1 AND r.ordinal = o.ordinal OFFSET 0) r) p "               \
    "WHERE p.total <= $4 OR p.number = 1 ORDER BY p.place"
// From place $2 of the order on.
inline constexpr const char* kFinishedLines =
    "WITH o AS MATERIALIZED (SELECT e.place + u.at - 1 AS place, u.ordinal FROM ended_order e CROSS JOIN "
    "LATERAL unnest(e.ordinals) WITH ORDINALITY u(ordinal, at) WHERE e.batch = $1 AND e.place >= "
    "(SELECT max(place) FROM ended_order WHERE batch = $1 AND place <= $2) AND e.place < $2 + $3 "
    "AND e.place + u.at > $2 ORDER BY 1 LIMIT $3) " SHEAF_PG_ENDED_LINES;
// Of items that never ran, but for the first $2.
inline constexpr const char* kUnrunLines =
    "WITH o AS MATERIALIZED (SELECT ordinal AS place, ordinal FROM results WHERE batch = $1 AND state > 3 "
    "ORDER BY ordinal LIMIT $3 OFFSET $2) " SHEAF_PG_ENDED_LINES;
#undef SHEAF_PG_ENDED_LINES
inline constexpr const char* kItemsDescending =
    "SELECT " SHEAF_PG_ITEM_COLUMNS SHEAF_PG_ITEMS "WHERE b.number = $1 AND (1 << " SHEAF_PG_ITEM_STATE
    ") & $2::bigint <> 0 ORDER BY i.ordinal DESC LIMIT $3 OFFSET $4";
inline constexpr const char* kBatchesOfItems =
    "SELECT " SHEAF_PG_BATCH_COLUMNS
    " FROM batches b WHERE b.account = $1 AND b.dialect = $2 AND ($3::bytea IS NULL OR b.tag = $3) "
    "AND b.archived_at IS NULL ORDER BY b.created_at DESC, b.id DESC";
#define SHEAF_PG_ABOUT_WHERE                                                             \
    SHEAF_PG_ITEMS                                                                       \
    "WHERE i.subject_key = $1 AND i.subject = $2 AND b.account = $3 AND b.dialect = $4 " \
    "AND ($5::bytea IS NULL OR b.tag = $5) AND (1 << " SHEAF_PG_ITEM_STATE ") & $6::bigint <> 0"
inline constexpr const char* kCountItemsAbout = "SELECT count(*)" SHEAF_PG_ABOUT_WHERE;
inline constexpr const char* kItemsAbout =
    "SELECT " SHEAF_PG_BATCH_COLUMNS ", " SHEAF_PG_ITEM_COLUMNS SHEAF_PG_ABOUT_WHERE
    " ORDER BY b.created_at DESC, b.id DESC, i.ordinal DESC LIMIT $7 OFFSET $8";
#undef SHEAF_PG_ABOUT_WHERE
inline constexpr const char* kCountUnfinishedAbout =
    "SELECT count(*)" SHEAF_PG_ITEMS
    "WHERE i.subject_key = $1 AND i.subject = $2 AND b.account = $3 AND r.state IS NULL";

// Items from the cursor on are queued: $3 of them at most, of $4 bytes together, but that at $5 always. $6 is
// the epoch of their lease.
inline constexpr const char* kTakeQueued =
    "SELECT ordinal, custom_id, subject, body, body_crc, $6, 1::bigint, prefix FROM (SELECT ordinal, "
    "position, prefix, custom_id, subject, body, body_crc, sum(body_bytes) OVER (ORDER BY position ROWS "
    "UNBOUNDED "
    "PRECEDING) AS total FROM items WHERE batch = $1 AND position >= $2 ORDER BY position LIMIT $3) q "
    "WHERE total <= $4 OR position = $5 ORDER BY position";

// Claims: leases of items that were taken together and have none of their own yet.
inline constexpr const char* kInsertClaim =
    "INSERT INTO claims(batch, epoch, position, items, held, expires_at, node) "
    "VALUES($1, $2, $3, $4, $4, $5, $6)";
inline constexpr const char* kHoldClaims =
    "SELECT batch, epoch, held FROM claims WHERE batch = $1 AND epoch = ANY($2) ORDER BY epoch FOR NO KEY "
    "UPDATE";
inline constexpr const char* kRenewClaim =
    "UPDATE claims SET expires_at = $3 WHERE batch = $1 AND epoch = $2";
inline constexpr const char* kKeepOfClaim = "UPDATE claims SET held = $3 WHERE batch = $1 AND epoch = $2";
inline constexpr const char* kEndClaim = "DELETE FROM claims WHERE batch = $1 AND epoch = $2";
inline constexpr const char* kEndedAmong =
    "SELECT $1::bigint, o.ordinal FROM unnest($2::bigint[]) o(ordinal) WHERE (SELECT 1 FROM results r "
    "WHERE r.batch = $1 AND r.ordinal = o.ordinal) IS NOT NULL";
// From then on each of their items has a lease of its own.
#define SHEAF_PG_SPLIT_CLAIMS(which)                                                                       \
    "WITH split AS (DELETE FROM claims WHERE " which                                                       \
    " RETURNING *) INSERT INTO leases(batch, ordinal, epoch, attempts, expires_at, node) "                 \
    "SELECT c.batch, i.ordinal, c.epoch, 1, c.expires_at, c.node FROM split c CROSS JOIN LATERAL (SELECT " \
    "ordinal FROM items i WHERE i.batch = c.batch AND i.position >= c.position AND "                       \
    "i.position < c.position + c.items AND (SELECT 1 FROM results r WHERE r.batch = i.batch AND "          \
    "r.ordinal = i.ordinal) IS NULL ORDER BY i.position OFFSET 0) i"
inline constexpr const char* kSplitClaims = SHEAF_PG_SPLIT_CLAIMS("batch = $1 AND epoch = ANY($2)");
inline constexpr const char* kSplitClaimsOfBatch = SHEAF_PG_SPLIT_CLAIMS("batch = $1");
inline constexpr const char* kSplitClaimsOfNode = SHEAF_PG_SPLIT_CLAIMS("node = $1");
// One that is being renewed this very moment did not end.
inline constexpr const char* kSplitEndedClaims = SHEAF_PG_SPLIT_CLAIMS(
    "batch = $1 AND epoch = ANY(ARRAY(SELECT epoch FROM claims WHERE batch = $1 AND expires_at <= $2 "
    "FOR UPDATE SKIP LOCKED))");
#undef SHEAF_PG_SPLIT_CLAIMS

// Leases of single items.
// Those that ended, one always; one that is being renewed this very moment did not end.
inline constexpr const char* kLeaseLost =
    "WITH ended AS MATERIALIZED (SELECT ordinal, epoch + 1 AS epoch, attempts + 1 AS attempts FROM leases "
    "WHERE batch = $1 AND expires_at <= $2 ORDER BY ordinal FOR UPDATE SKIP LOCKED), "
    "candidates AS MATERIALIZED (SELECT e.*, i.position, i.custom_id, i.subject, i.body, i.body_crc, "
    "sum(i.body_bytes) OVER (ORDER BY e.ordinal) AS total, row_number() OVER (ORDER BY e.ordinal) AS place "
    "FROM ended e CROSS JOIN LATERAL "
    "(SELECT * FROM items i WHERE i.batch = $1 AND i.ordinal = e.ordinal OFFSET 0) i ORDER BY e.ordinal "
    "LIMIT $3), "
    "picked AS MATERIALIZED (SELECT * FROM candidates WHERE total <= $4 OR place = 1), "
    "leased AS (UPDATE leases SET epoch = epoch + 1, attempts = attempts + 1, expires_at = $5, node = $6 "
    "WHERE batch = $1 AND ordinal = ANY(ARRAY(SELECT ordinal FROM picked))) "
    "SELECT ordinal, custom_id, subject, body, body_crc, epoch, attempts, 0::bigint FROM picked ORDER BY "
    "ordinal";
inline constexpr const char* kSoonestLease =
    "SELECT least((SELECT min(expires_at) FROM leases WHERE batch = $1), "
    "(SELECT min(expires_at) FROM claims WHERE batch = $1))";
// Those of one batch: $2 are ordinals, $3 the same with their epochs (lease_key()).
// IS TRUE makes the second list a hash table: ANY would be searched from its beginning for every lease, IN
// alone might become a join.
#define SHEAF_PG_LEASES                     \
    "batch = $1 AND ordinal = ANY($2) AND " \
    "((ordinal::bigint << 32) + epoch IN (SELECT unnest($3::bigint[]))) IS TRUE "
// Waits for nobody: a lease that somebody holds is being ended.
inline constexpr const char* kRenewLeases =
    "WITH held AS MATERIALIZED (SELECT ordinal FROM leases WHERE " SHEAF_PG_LEASES
    "FOR UPDATE SKIP LOCKED) "
    "UPDATE leases SET expires_at = $4 WHERE batch = $1 AND ordinal = ANY(ARRAY(SELECT ordinal FROM held)) "
    "RETURNING batch, ordinal";
inline constexpr const char* kReleaseLeases =
    "UPDATE leases SET epoch = epoch + 1, attempts = attempts - 1, expires_at = 0 WHERE " SHEAF_PG_LEASES;
inline constexpr const char* kEndLeases =
    "DELETE FROM leases WHERE " SHEAF_PG_LEASES "RETURNING batch, ordinal, epoch";
#undef SHEAF_PG_LEASES
inline constexpr const char* kNumbersOfBatches = "SELECT id, number FROM batches WHERE id = ANY($1)";
inline constexpr const char* kLookForLeases = "UPDATE batches SET leases_end_at = 0 WHERE number = ANY($1)";
// $1: numbers of batches, $2: ordinals, $3: states, $4: times, $5: lines, $6: their checksums. A canceled or
// expired item has a row, without a line.
inline constexpr const char* kInsertResults =
    "INSERT INTO results(batch, ordinal, state, finished_at, line_bytes, line_crc, line) "
    "SELECT batch, ordinal, state, finished_at, length(line), crc, line FROM (SELECT unnest($1::bigint[]) AS "
    "batch, unnest($2::bigint[]) AS ordinal, unnest($3::bigint[]) AS state, unnest($4::bigint[]) AS "
    "finished_at, unnest($5::bytea[]) AS line, unnest($6::bigint[]) AS crc) w";
inline constexpr const char* kInsertCanceled =
    "INSERT INTO results(batch, ordinal, state, finished_at) "
    "SELECT unnest($1::bigint[]), unnest($2::bigint[]), unnest($3::bigint[]), unnest($4::bigint[])";
inline constexpr const char* kInsertEnded =
    "INSERT INTO ended_order(batch, place, ordinals) VALUES($1, $2, $3::bigint[]::integer[])";
inline constexpr const char* kEndQueued =
    "INSERT INTO results(batch, ordinal, state, finished_at) "
    "SELECT batch, ordinal, $3, $4 FROM items WHERE batch = $1 AND position >= $2";
inline constexpr const char* kEndRunning =
    "WITH ended AS (DELETE FROM leases WHERE batch = $1 RETURNING batch, ordinal) "
    "INSERT INTO results(batch, ordinal, state, finished_at) SELECT batch, ordinal, $2, $3 FROM ended";
inline constexpr const char* kBatchesOfNode =
    "SELECT b.number FROM batches b WHERE b.number IN (SELECT batch FROM leases WHERE node = $1 UNION "
    "SELECT batch FROM claims WHERE node = $1) ORDER BY b.id "
    "FOR NO KEY UPDATE";
inline constexpr const char* kEndLeasesOfNode =
    "UPDATE leases SET epoch = epoch + 1, expires_at = 0 WHERE node = $1";

// Results.
inline constexpr const char* kUnrendered =
    "SELECT r.ordinal, r.state, i.custom_id, i.subject, r.finished_at FROM results r CROSS JOIN LATERAL "
    "(SELECT * FROM items i WHERE i.batch = r.batch AND i.ordinal = r.ordinal OFFSET 0) i "
    "WHERE r.batch = $1 AND r.ordinal >= $2 AND r.state > 3 AND r.line IS NULL ORDER BY r.ordinal LIMIT $3";
// Of items that have a row already, whose state and time stay as they are.
inline constexpr const char* kKeepRendered =
    "INSERT INTO results AS r (batch, ordinal, state, finished_at, line_bytes, line_crc, line) "
    "SELECT $1, ordinal, 0, 0, length(line), crc, line FROM unnest($2::bigint[], $3::bytea[], $4::bigint[]) "
    "w(ordinal, line, crc) ON CONFLICT (batch, ordinal) DO UPDATE SET line = excluded.line, "
    "line_bytes = excluded.line_bytes, line_crc = excluded.line_crc";
inline constexpr const char* kSumLines =
    "SELECT coalesce(sum(line_bytes) FILTER (WHERE state = 2), 0)::bigint, coalesce(sum(line_bytes), "
    "0)::bigint "
    "FROM results WHERE batch = $1";
inline constexpr const char* kLinesInOrder =
    "SELECT line, line_crc FROM results WHERE batch = $1 ORDER BY ordinal";
inline constexpr const char* kLinesOfSucceeded =
    "SELECT line, line_crc FROM results WHERE batch = $1 AND state = 2 ORDER BY ordinal";
inline constexpr const char* kLinesOfOthers =
    "SELECT line, line_crc FROM results WHERE batch = $1 AND state <> 2 ORDER BY ordinal";

// Idempotency.
inline constexpr const char* kFindIdempotent =
    "SELECT request_hash, status, response, expires_at FROM idempotency "
    "WHERE account = $1 AND scope = $2 AND key = $3";
inline constexpr const char* kInsertIdempotent =
    "INSERT INTO idempotency(account, scope, key, request_hash, status, response, expires_at) "
    "VALUES($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
inline constexpr const char* kReplaceIdempotent =
    "INSERT INTO idempotency(account, scope, key, request_hash, status, response, expires_at) "
    "VALUES($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (account, scope, key) DO UPDATE SET "
    "request_hash = excluded.request_hash, status = excluded.status, response = excluded.response, "
    "expires_at = excluded.expires_at";
inline constexpr const char* kForgetIdempotent = "DELETE FROM idempotency WHERE expires_at <= $1";

// Assets.
inline constexpr const char* kInsertAsset = "INSERT INTO assets(" SHEAF_ASSET_COLUMNS
                                            ", name_key, node) VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9, "
                                            "$10, $11, $12, $13, $14, $15, $16, $17, $18, $19) "
                                            "ON CONFLICT DO NOTHING";
inline constexpr const char* kFindAsset =
    "SELECT " SHEAF_ASSET_COLUMNS " FROM assets WHERE id = $1 AND account = $2";
inline constexpr const char* kHoldAsset =
    "SELECT " SHEAF_ASSET_COLUMNS " FROM assets WHERE id = $1 AND account = $2 FOR UPDATE";
inline constexpr const char* kFindAssets =
    "SELECT " SHEAF_ASSET_COLUMNS " FROM assets WHERE id = ANY($1) AND account = $2";
inline constexpr const char* kHasAssets = "SELECT id FROM assets WHERE id = ANY($1)";
// $2: a mask of types; $3: ids, or null; $4: lower-case part of the name, or ''.
#define SHEAF_PG_ASSETS_WHERE                                            \
    " FROM assets WHERE account = $1 AND (1::bigint << type) & $2 <> 0 " \
    "AND ($3::bytea[] IS NULL OR id = ANY($3)) AND ($4 = ''::bytea OR position($4 IN name_key) > 0)"
inline constexpr const char* kCountAssets = "SELECT count(*)" SHEAF_PG_ASSETS_WHERE;
inline constexpr const char* kListAssets = "SELECT " SHEAF_ASSET_COLUMNS SHEAF_PG_ASSETS_WHERE
                                           " ORDER BY created_at DESC, id DESC LIMIT $5 OFFSET $6";
#undef SHEAF_PG_ASSETS_WHERE
inline constexpr const char* kUpdateAsset =
    "UPDATE assets SET method = $3, state = $4, filename = $5, source_url = $6, blob_key = $7, bytes = $8, "
    "type = $9, mime_type = $10, duration_s = $11, details = $12, error = $13, wants_hls = $14, "
    "wants_thumbnail = $15, name_key = $16, node = $17 WHERE id = $1 AND account = $2";
inline constexpr const char* kSetUserMetadata =
    "UPDATE assets SET user_metadata = $3 WHERE id = $1 AND account = $2";
inline constexpr const char* kDeleteAsset = "DELETE FROM assets WHERE id = $1";
inline constexpr const char* kDeleteChunksOfAsset =
    "DELETE FROM chunks WHERE upload IN (SELECT id FROM uploads WHERE asset = $1)";
inline constexpr const char* kDeleteUploadsOfAsset = "DELETE FROM uploads WHERE asset = $1";
// Those that are ours, and those whose node has not been seen for a while: they are ours from now on.
inline constexpr const char* kTakeProcessingAssets =
    "UPDATE assets a SET node = $1 WHERE a.state = 0 AND (a.node = $1 OR NOT EXISTS (SELECT 1 FROM nodes n "
    "WHERE n.node = a.node AND n.seen_at > clock_timestamp() - interval '30 s')) "
    "RETURNING " SHEAF_ASSET_COLUMNS;
inline constexpr const char* kTakeAsset = "UPDATE assets SET node = $2 WHERE id = $1";
inline constexpr const char* kSeeNode =
    "INSERT INTO nodes(node, seen_at) VALUES ($1, clock_timestamp()) "
    "ON CONFLICT (node) DO UPDATE SET seen_at = excluded.seen_at";
inline constexpr const char* kForgetNodes =
    "DELETE FROM nodes WHERE seen_at < clock_timestamp() - interval '1 day'";

// Uploads.
inline constexpr const char* kInsertUpload =
    "INSERT INTO uploads(" SHEAF_UPLOAD_COLUMNS
    ") VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING";
inline constexpr const char* kFindUpload = "SELECT " SHEAF_UPLOAD_COLUMNS " FROM uploads WHERE id = $1";
inline constexpr const char* kHoldUpload =
    "SELECT " SHEAF_UPLOAD_COLUMNS " FROM uploads WHERE id = $1 FOR UPDATE";
inline constexpr const char* kCountUploads =
    "SELECT count(*) FROM uploads WHERE account = $1 AND state = 0 AND expires_at > $2";
inline constexpr const char* kListUploads =
    "SELECT " SHEAF_UPLOAD_COLUMNS
    " FROM uploads WHERE account = $1 AND state = 0 AND expires_at > $2 "
    "ORDER BY created_at DESC, id DESC LIMIT $3 OFFSET $4";
inline constexpr const char* kUpdateUpload =
    "UPDATE uploads SET state = $2, updated_at = $3, chunks_reported = $4, bytes_reported = $5 WHERE id = $1";
inline constexpr const char* kExpiredUploads =
    "SELECT " SHEAF_UPLOAD_COLUMNS " FROM uploads WHERE state = 0 AND expires_at <= $1 ORDER BY expires_at";
inline constexpr const char* kPutChunk =
    "INSERT INTO chunks(upload, position, bytes, etag, reported, uploaded_at) VALUES($1, $2, $3, $4, false, "
    "$5) "
    "ON CONFLICT (upload, position) DO UPDATE SET bytes = excluded.bytes, etag = excluded.etag, "
    "uploaded_at = excluded.uploaded_at";
inline constexpr const char* kChunks =
    "SELECT position, bytes, etag, reported, uploaded_at FROM chunks WHERE upload = $1 ORDER BY position";
inline constexpr const char* kFindChunk =
    "SELECT position, bytes, etag, reported, uploaded_at FROM chunks WHERE upload = $1 AND position = $2";
inline constexpr const char* kAcceptChunks =
    "UPDATE chunks SET reported = true WHERE upload = $1 AND position = ANY($2)";

// Files.
inline constexpr const char* kInsertFile =
    "INSERT INTO files(" SHEAF_FILE_COLUMNS
    ") VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING";
inline constexpr const char* kFindFile = "SELECT " SHEAF_FILE_COLUMNS
                                         " FROM files WHERE id = $1 AND account = $2 AND removed_at IS NULL "
                                         "AND (expires_at IS NULL OR expires_at > $3)";
inline constexpr const char* kPlaceOfFile = "SELECT number FROM files WHERE id = $1 AND account = $2";
inline constexpr const char* kHasFiles = "SELECT id FROM files WHERE id = ANY($1) AND removed_at IS NULL";
#define SHEAF_PG_FILES                                                                               \
    "SELECT " SHEAF_FILE_COLUMNS                                                                     \
    " FROM files WHERE account = $1 AND ($2::bytea IS NULL OR purpose = $2) AND removed_at IS NULL " \
    "AND (expires_at IS NULL OR expires_at > $3) AND number < $4 AND number > $5 "
inline constexpr const char* kFilesNewestFirst = SHEAF_PG_FILES "ORDER BY number DESC LIMIT $6";
inline constexpr const char* kFilesOldestFirst = SHEAF_PG_FILES "ORDER BY number LIMIT $6";
#undef SHEAF_PG_FILES
inline constexpr const char* kRemoveFile =
    "UPDATE files SET removed_at = $3 WHERE id = $1 AND account = $2 AND removed_at IS NULL "
    "RETURNING " SHEAF_FILE_COLUMNS;
inline constexpr const char* kExpiredFiles =
    "SELECT " SHEAF_FILE_COLUMNS
    " FROM files WHERE expires_at <= $1 AND removed_at IS NULL ORDER BY expires_at LIMIT $2";
inline constexpr const char* kForgetFiles = "DELETE FROM files WHERE removed_at <= $1";
inline constexpr const char* kInsertFileUpload =
    "INSERT INTO file_uploads(" SHEAF_FILE_UPLOAD_COLUMNS
    ") VALUES($1, $2, $3, $4, $5, $6, $7, $8, NULL, $9, $10) ON CONFLICT DO NOTHING";
inline constexpr const char* kFindFileUpload =
    "SELECT " SHEAF_FILE_UPLOAD_COLUMNS " FROM file_uploads WHERE id = $1";
inline constexpr const char* kHoldFileUpload =
    "SELECT " SHEAF_FILE_UPLOAD_COLUMNS " FROM file_uploads WHERE id = $1 FOR UPDATE";
inline constexpr const char* kEndFileUpload = "UPDATE file_uploads SET state = $2, file = $3 WHERE id = $1";
inline constexpr const char* kExpiredFileUploads =
    "SELECT " SHEAF_FILE_UPLOAD_COLUMNS
    " FROM file_uploads WHERE state = 0 AND expires_at <= $1 ORDER BY expires_at LIMIT $2";
inline constexpr const char* kBytesOfParts =
    "SELECT coalesce(sum(bytes), 0)::bigint FROM file_parts WHERE upload = $1";
inline constexpr const char* kInsertFilePart =
    "INSERT INTO file_parts(upload, id, bytes, blob_key, created_at) VALUES($1, $2, $3, $4, $5)";
inline constexpr const char* kFileParts =
    "SELECT id, bytes, blob_key, created_at FROM file_parts WHERE upload = $1 ORDER BY number";
inline constexpr const char* kEndedWithParts =
    "SELECT DISTINCT u.id FROM file_parts p JOIN file_uploads u ON u.id = p.upload WHERE u.state <> 0 "
    "LIMIT $1";
inline constexpr const char* kForgetFileUploads =
    "DELETE FROM file_uploads u WHERE state <> 0 AND created_at <= $1 "
    "AND NOT EXISTS (SELECT 1 FROM file_parts p WHERE p.upload = u.id)";
inline constexpr const char* kForgetFileParts = "DELETE FROM file_parts WHERE upload = $1";

// Keys.
inline constexpr const char* kInsertKey =
    "INSERT INTO api_keys(id, account, secret_hash, created_at, revoked_at) VALUES($1, $2, $3, $4, $5) "
    "ON CONFLICT DO NOTHING";
inline constexpr const char* kFindKey =
    "SELECT id, account, secret_hash, created_at, revoked_at FROM api_keys WHERE id = $1";
inline constexpr const char* kListKeys =
    "SELECT id, account, secret_hash, created_at, revoked_at FROM api_keys ORDER BY created_at, id";
inline constexpr const char* kRevokeKey =
    "UPDATE api_keys SET revoked_at = coalesce(revoked_at, $2) WHERE id = $1";

// Webhooks.
inline constexpr const char* kInsertWebhook =
    "INSERT INTO webhooks(id, account, dialect, url, secret, types, enabled, created_at) "
    "VALUES($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING";
inline constexpr const char* kListWebhooks =
    "SELECT id, account, dialect, url, secret, types, enabled, created_at FROM webhooks "
    "ORDER BY created_at, id";
inline constexpr const char* kSetWebhookSecret = "UPDATE webhooks SET secret = $2 WHERE id = $1";
inline constexpr const char* kSetWebhookEnabled = "UPDATE webhooks SET enabled = $2 WHERE id = $1";
inline constexpr const char* kDeleteWebhook = "DELETE FROM webhooks WHERE id = $1";

// Facts, where somebody wants them told: $1 says that somebody does in any case.
#define SHEAF_PG_IS_TOLD \
    "($1 OR EXISTS (SELECT 1 FROM webhooks WHERE account = $2 AND dialect = $3 AND enabled))"
inline constexpr const char* kNoteBatch =
    "INSERT INTO facts(kind, account, batch, ordinal, at) SELECT $4, $2, $5, 0, $6 WHERE " SHEAF_PG_IS_TOLD;
inline constexpr const char* kNoteItems =
    "INSERT INTO facts(kind, account, batch, ordinal, at) SELECT $4, $2, $5, w.ordinal, w.at "
    "FROM unnest($6::bigint[], $7::bigint[]) WITH ORDINALITY w(ordinal, at, place) WHERE " SHEAF_PG_IS_TOLD
    " ORDER BY w.place";
#undef SHEAF_PG_IS_TOLD
inline constexpr const char* kTell =
    "UPDATE teller SET node = $1, until = clock_timestamp() + interval '15 s' "
    "WHERE (node = $1 AND until < clock_timestamp() + interval '10 s') OR until < clock_timestamp()";
inline constexpr const char* kIsTeller =
    "SELECT 1 FROM teller WHERE node = $1 AND until >= clock_timestamp() + interval '10 s'";
inline constexpr const char* kTellNoMore = "UPDATE teller SET until = '-infinity' WHERE node = $1";
inline constexpr const char* kOldestFacts =
    "SELECT number, kind, account, batch, ordinal, at FROM facts ORDER BY number LIMIT $1";
inline constexpr const char* kAdvanceFact = "UPDATE facts SET ordinal = $2 WHERE number = $1";
inline constexpr const char* kDeleteFact = "DELETE FROM facts WHERE number = $1";
inline constexpr const char* kDeleteFactsOfBatch = "DELETE FROM facts WHERE batch = $1";

// Deliveries.
inline constexpr const char* kInsertDelivery =
    "INSERT INTO deliveries(event, type, account, form, webhook, target, url, token, payload, batch, "
    "ordinal, "
    "created_at, attempts, attempts_max, next_at, delivered, last_error) "
    "VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0, $13, $14, false, '') RETURNING number";
// The targets of what waits, one step in the index each, however much waits for one of them; then what is due
// of each.
inline constexpr const char* kDue =
    "WITH RECURSIVE targets(target) AS ("
    "(SELECT target FROM deliveries WHERE ended_at IS NULL ORDER BY target LIMIT 1) "
    "UNION ALL SELECT (SELECT d.target FROM deliveries d WHERE d.ended_at IS NULL AND d.target > "
    "targets.target "
    "ORDER BY d.target LIMIT 1) FROM targets WHERE targets.target IS NOT NULL) "
    "SELECT due.number, t.target, due.account FROM targets t CROSS JOIN LATERAL ("
    "SELECT d.number, d.account, d.next_at FROM deliveries d LEFT JOIN webhooks w ON w.id = d.webhook "
    "WHERE d.target = t.target AND d.ended_at IS NULL AND d.next_at <= $1 AND coalesce(w.enabled, true) "
    "ORDER BY d.next_at, d.number LIMIT $2) due WHERE t.target IS NOT NULL "
    "ORDER BY min(due.next_at) OVER (PARTITION BY t.target), t.target, due.next_at, due.number";
inline constexpr const char* kFindDelivery =
    "SELECT " SHEAF_DELIVERY_COLUMNS
    ", coalesce(w.secret, d.token), d.payload FROM deliveries d LEFT JOIN webhooks w ON w.id = d.webhook "
    "WHERE d.number = $1";
inline constexpr const char* kRecordAttempt =
    "UPDATE deliveries SET attempts = attempts + 1, next_at = $2, last_error = $3 "
    "WHERE number = $1 AND ended_at IS NULL";
inline constexpr const char* kEndDelivery =
    "UPDATE deliveries SET attempts = attempts + 1, ended_at = $2, last_error = $3, delivered = $4, "
    "token = '', payload = '' WHERE number = $1 AND ended_at IS NULL";
inline constexpr const char* kGiveUpOfWebhook =
    "UPDATE deliveries SET ended_at = $2, last_error = $3, payload = '' WHERE webhook = $1 AND ended_at IS "
    "NULL";
// $1: of one webhook, or null; $2: of one account, or null; $3: only those that were not delivered.
inline constexpr const char* kListDeliveries =
    "SELECT " SHEAF_DELIVERY_COLUMNS
    " FROM deliveries d WHERE ($1::bytea IS NULL OR d.webhook = $1) AND ($2::text IS NULL OR d.account = $2) "
    "AND (NOT $3 OR NOT d.delivered) ORDER BY d.number DESC LIMIT $4";
inline constexpr const char* kDeliveriesAbout =
    "SELECT " SHEAF_DELIVERY_COLUMNS
    " FROM deliveries d WHERE d.batch = $1 AND d.ordinal IS NOT DISTINCT FROM $2 ORDER BY d.number";
inline constexpr const char* kForgetDeliveries =
    "DELETE FROM deliveries WHERE number IN (SELECT number FROM deliveries WHERE ended_at <= $1 "
    "ORDER BY ended_at LIMIT $2)";

}  // namespace sheaf::store::postgres::sql

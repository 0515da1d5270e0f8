#pragma once

#include "store/stored_rows.h"

// All SQL of the store but its schema (migrations/). batch_row.cpp reads the columns in this order.
#define SHEAF_BATCH_COLUMNS                                                                                  \
    "b.row, b.id, b.account, b.dialect, b.kind, b.model, b.tag, b.state, b.end_reason, b.cursor, b.queued, " \
    "b.running, b.succeeded, b.failed, b.canceled, b.expired, b.created_at, b.expires_at, b.purge_at, "      \
    "b.ended_at, b.results_bytes, b.body_segment, b.body_start, b.body_bytes, "                              \
    "(SELECT shared FROM batch_shared s WHERE s.row = b.row), b.input_tokens, b.output_tokens, "             \
    "b.cached_tokens, b.reasoning_tokens, b.keep_for, b.cancel_requested_at, b.archive_at, b.archived_at, "  \
    "b.item_events, b.plan_next"
// The state as others see it: claimed items are running (migrations/0001_initial.h).
#define SHEAF_ITEM_STATE                                                        \
    "(CASE WHEN i.state = 0 AND (i.key < b.cursor OR (b.plan_next IS NOT NULL " \
    "AND EXISTS (SELECT 1 FROM leases l WHERE l.item = i.key))) THEN 1 ELSE i.state END)"
#define SHEAF_ITEM_COLUMNS                                                                          \
    "i.key, " SHEAF_ITEM_STATE                                                                      \
    ", i.body_offset, i.body_bytes, i.body_crc, i.custom_id, i.subject, i.finished_at, i.segment, " \
    "i.line_start, i.line_bytes, i.input_tokens, i.output_tokens"

namespace sheaf::store::sql {

inline constexpr int kBatchColumnCount = 35;

inline constexpr const char* kBegin = "BEGIN IMMEDIATE";
inline constexpr const char* kBeginRead = "BEGIN";
inline constexpr const char* kCommit = "COMMIT";
inline constexpr const char* kRollback = "ROLLBACK";
inline constexpr const char* kSavepoint = "SAVEPOINT work";
inline constexpr const char* kRollbackToSavepoint = "ROLLBACK TO work";
inline constexpr const char* kReleaseSavepoint = "RELEASE work";

// Batches.
inline constexpr const char* kFindBatch = "SELECT " SHEAF_BATCH_COLUMNS " FROM batches b WHERE b.id = ?1";
inline constexpr const char* kCountActive =
    "SELECT count(*) FROM batches WHERE account = ?1 AND dialect = ?2 AND kind = 0 AND state < 3";
inline constexpr const char* kInsertBatch =
    "INSERT INTO batches(id, account, dialect, kind, model, tag, state, end_reason, cursor, queued, running, "
    "succeeded, failed, canceled, expired, created_at, expires_at, purge_at, body_start, body_bytes, "
    "keep_for, "
    "archive_at, ended_at, results_bytes, item_events, plan_next) "
    "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?14, ?15, 0, ?7, 0, 0, 0, 0, 0, ?8, ?9, ?10, 0, ?11, ?12, ?13, ?16, ?17, "
    "?18, ?19)";
inline constexpr const char* kPlaceBody =
    "UPDATE batches SET cursor = ?2, body_segment = ?3, body_start = ?4 WHERE row = ?1";
inline constexpr const char* kInsertShared = "INSERT INTO batch_shared(row, shared) VALUES(?1, ?2)";
inline constexpr const char* kUpdateBatch =
    "UPDATE batches SET state = ?2, end_reason = ?3, cursor = ?4, queued = ?5, running = ?6, succeeded = ?7, "
    "failed = ?8, canceled = ?9, expired = ?10, ended_at = ?11, results_bytes = ?12, purge_at = ?13, "
    "cancel_requested_at = ?14, archived_at = ?15, input_tokens = ?16, output_tokens = ?17, "
    "cached_tokens = ?18, reasoning_tokens = ?19, plan_next = ?20 WHERE row = ?1";
// ?2: empty for all. ?4: a JSON array of state * 8 + reason, or NULL. ?5: a JSON array of tags, or NULL.
#define SHEAF_LIST_WHERE                                                                    \
    " FROM batches b WHERE b.account = ?1 AND (?2 = '' OR b.dialect = ?2) AND b.kind = ?3 " \
    "AND (?4 IS NULL OR b.state * 8 + b.end_reason IN (SELECT value FROM json_each(?4))) "  \
    "AND (?5 IS NULL OR b.tag IN (SELECT value FROM json_each(?5)))"
inline constexpr const char* kCountBatches = "SELECT count(*)" SHEAF_LIST_WHERE;
inline constexpr const char* kListBatches = "SELECT " SHEAF_BATCH_COLUMNS SHEAF_LIST_WHERE
                                            " ORDER BY b.created_at DESC, b.id DESC LIMIT ?6 OFFSET ?7";
#undef SHEAF_LIST_WHERE
inline constexpr const char* kPlaceOfBatch =
    "SELECT row FROM batches WHERE id = ?1 AND account = ?2 "
    "UNION ALL SELECT row FROM batch_places WHERE id = ?1 AND account = ?2";
#define SHEAF_BESIDE_WHERE \
    " FROM batches b WHERE b.account = ?1 AND b.dialect = ?2 AND b.kind = 0 AND b.row < ?3 AND b.row > ?4 "
inline constexpr const char* kBatchesNewestFirst =
    "SELECT " SHEAF_BATCH_COLUMNS SHEAF_BESIDE_WHERE "ORDER BY b.row DESC LIMIT ?5";
inline constexpr const char* kBatchesOldestFirst =
    "SELECT " SHEAF_BATCH_COLUMNS SHEAF_BESIDE_WHERE "ORDER BY b.row LIMIT ?5";
#undef SHEAF_BESIDE_WHERE
#define SHEAF_BESIDE_WHERE                                                                       \
    " FROM batches b INDEXED BY batches_listed WHERE b.account = ?1 AND ?2 = '' AND b.kind = 0 " \
    "AND b.row < ?3 AND b.row > ?4 "
inline constexpr const char* kAllBatchesNewestFirst =
    "SELECT " SHEAF_BATCH_COLUMNS SHEAF_BESIDE_WHERE "ORDER BY b.row DESC LIMIT ?5";
inline constexpr const char* kAllBatchesOldestFirst =
    "SELECT " SHEAF_BATCH_COLUMNS SHEAF_BESIDE_WHERE "ORDER BY b.row LIMIT ?5";
#undef SHEAF_BESIDE_WHERE
inline constexpr const char* kKeepPlace =
    "INSERT INTO batch_places(id, account, row, created_at) SELECT id, account, row, created_at FROM batches "
    "WHERE row = ?1";
inline constexpr const char* kForgetPlaces = "DELETE FROM batch_places WHERE created_at <= ?1";
inline constexpr const char* kBatchesToArchive =
    "SELECT " SHEAF_BATCH_COLUMNS
    " FROM batches b WHERE b.archive_at <= ?1 AND b.archived_at IS NULL AND b.state = 3 "
    "ORDER BY b.archive_at LIMIT ?2";
inline constexpr const char* kUnfinishedBatches =
    "SELECT " SHEAF_BATCH_COLUMNS " FROM batches b WHERE b.state < 3 ORDER BY b.created_at, b.id";
inline constexpr const char* kUnpublishedBatches =
    "SELECT " SHEAF_BATCH_COLUMNS
    " FROM batches b WHERE b.state = 3 AND b.results_bytes IS NULL "
    "ORDER BY b.ended_at";
inline constexpr const char* kBatchesToPurge =
    "SELECT " SHEAF_BATCH_COLUMNS " FROM batches b WHERE b.purge_at <= ?1 ORDER BY b.purge_at LIMIT ?2";
inline constexpr const char* kDeleteBatch = "DELETE FROM batches WHERE row = ?1";
inline constexpr const char* kInsertRecord =
    "INSERT OR REPLACE INTO batch_records(row, stream, segment, start, bytes) VALUES(?1, ?2, ?3, ?4, ?5)";
inline constexpr const char* kFindRecord =
    "SELECT segment, start, bytes FROM batch_records WHERE row = ?1 AND stream = ?2";
inline constexpr const char* kDeleteRecord = "DELETE FROM batch_records WHERE row = ?1 AND stream = ?2";
inline constexpr const char* kDeleteShared = "DELETE FROM batch_shared WHERE row = ?1";
inline constexpr const char* kRemoveFilesOfBatch =
    "UPDATE files SET removed_at = ?2 WHERE batch = ?1 AND removed_at IS NULL";
inline constexpr const char* kPutRemoval = "INSERT OR REPLACE INTO removals(id, ranges) VALUES(?1, ?2)";
inline constexpr const char* kFindRemoval = "SELECT ranges FROM removals WHERE id = ?1";
inline constexpr const char* kRemovals = "SELECT id, ranges FROM removals";
inline constexpr const char* kDeleteRemoval = "DELETE FROM removals WHERE id = ?1";

// Items.
inline constexpr const char* kInsertItem =
    "INSERT INTO items(key, state, body_offset, body_bytes, body_crc, custom_id, subject, subject_key, "
    "name_key) VALUES(?1, 0, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
inline constexpr const char* kFindNamed =
    "SELECT " SHEAF_ITEM_COLUMNS
    " FROM items i JOIN batches b ON b.row = ?1 WHERE i.name_key = ?2 AND i.custom_id = ?3 AND i.key >= ?4 "
    "AND i.key < ?5";
inline constexpr const char* kFindItem =
    "SELECT " SHEAF_ITEM_COLUMNS " FROM items i JOIN batches b ON b.row = ?1 WHERE i.key = ?2";
inline constexpr const char* kItemsFrom =
    "SELECT " SHEAF_ITEM_COLUMNS
    " FROM items i JOIN batches b ON b.row = ?1 WHERE i.key >= ?2 AND i.key < ?3 ORDER BY i.key LIMIT ?4";
inline constexpr const char* kItemsDescending =
    "SELECT " SHEAF_ITEM_COLUMNS
    " FROM items i JOIN batches b ON b.row = ?1 WHERE i.key >= ?2 AND i.key < ?3 "
    "AND (1 << " SHEAF_ITEM_STATE ") & ?4 ORDER BY i.key DESC LIMIT ?5 OFFSET ?6";
inline constexpr const char* kBatchesOfItems =
    "SELECT " SHEAF_BATCH_COLUMNS
    " FROM batches b WHERE b.account = ?1 AND b.dialect = ?2 AND (?3 IS NULL OR b.tag = ?3) "
    "AND b.archived_at IS NULL ORDER BY b.created_at DESC, b.id DESC";
#define SHEAF_ABOUT_WHERE                                                                \
    " FROM items i INDEXED BY items_about CROSS JOIN batches b ON b.row = i.key >> 20 "  \
    "WHERE i.subject_key = ?1 AND i.subject = ?2 AND b.account = ?3 AND b.dialect = ?4 " \
    "AND (?5 IS NULL OR b.tag = ?5) AND (1 << " SHEAF_ITEM_STATE ") & ?6"
inline constexpr const char* kCountItemsAbout = "SELECT count(*)" SHEAF_ABOUT_WHERE;
inline constexpr const char* kItemsAbout =
    "SELECT " SHEAF_BATCH_COLUMNS ", " SHEAF_ITEM_COLUMNS SHEAF_ABOUT_WHERE
    " ORDER BY b.created_at DESC, b.id DESC, i.key DESC LIMIT ?7 OFFSET ?8";
#undef SHEAF_ABOUT_WHERE
inline constexpr const char* kCountUnfinishedAbout =
    "SELECT count(*) FROM items i INDEXED BY items_about_unfinished CROSS JOIN batches b ON b.row = i.key >> "
    "20 "
    "WHERE i.subject_key = ?1 AND i.state = 0 AND i.subject = ?2 AND b.account = ?3";
// Queued items are those from the cursor on, or with a plan those that nobody ever leased.
inline constexpr const char* kEndItems =
    "UPDATE items SET state = ?3, finished_at = ?4 WHERE key >= ?1 AND key < ?2 AND state = 0";
inline constexpr const char* kEndPlannedItems =
    "UPDATE items SET state = ?3, finished_at = ?4 WHERE key >= ?1 AND key < ?2 AND state = 0 "
    "AND ?5 = EXISTS (SELECT 1 FROM leases WHERE item = key)";
inline constexpr const char* kInsertPlanChunk = "INSERT INTO plan_chunks(key, entries) VALUES(?1, ?2)";
inline constexpr const char* kFindPlanChunk = "SELECT entries FROM plan_chunks WHERE key = ?1";
inline constexpr const char* kDeletePlan = "DELETE FROM plan_chunks WHERE key >= ?1 AND key < ?2";
inline constexpr const char* kDeleteItems = "DELETE FROM items WHERE key >= ?1 AND key < ?2";
inline constexpr const char* kLinesInLog =
    "SELECT segment, line_start, line_bytes FROM items WHERE key >= ?1 AND key < ?2 AND segment IS NOT NULL "
    "ORDER BY key";
inline constexpr const char* kCountLines =
    "SELECT segment, count(*) FROM items WHERE key >= ?1 AND key < ?2 AND segment IS NOT NULL GROUP BY "
    "segment";

inline constexpr const char* kInsertEndedChunk = "INSERT INTO ended_order(key, ordinals) VALUES(?1, ?2)";
// From the chunk that holds the place ?2 on; ?1: the batch's first key.
inline constexpr const char* kEndedChunks =
    "SELECT key, ordinals FROM ended_order WHERE key < ?3 AND key >= "
    "(SELECT max(key) FROM ended_order WHERE key >= ?1 AND key <= ?2) ORDER BY key";
inline constexpr const char* kEndedOrderBytes =
    "SELECT coalesce(sum(length(ordinals)), 0) FROM ended_order WHERE key >= ?1 AND key < ?2";
inline constexpr const char* kItemsWithResult =
    "SELECT key FROM items WHERE key >= ?1 AND key < ?2 AND state IN (2, 3) "
    "ORDER BY finished_at, segment, line_start, key";
inline constexpr const char* kDeleteEndedOrder = "DELETE FROM ended_order WHERE key >= ?1 AND key < ?2";
inline constexpr const char* kItemsThatNeverRan =
    "SELECT " SHEAF_ITEM_COLUMNS
    " FROM items i JOIN batches b ON b.row = ?1 WHERE i.key >= ?2 AND i.key < ?3 AND i.state > 3 "
    "ORDER BY i.key LIMIT ?4 OFFSET ?5";

// Leases.
inline constexpr const char* kEndedLeases =
    "SELECT l.epoch, l.attempts, " SHEAF_ITEM_COLUMNS
    " FROM leases l CROSS JOIN items i ON i.key = l.item JOIN batches b ON b.row = ?1 "
    "WHERE l.item >= ?2 AND l.item < ?3 AND l.expires_at <= ?4 ORDER BY l.item";
inline constexpr const char* kInsertLease =
    "INSERT INTO leases(item, epoch, attempts, expires_at) VALUES(?1, 1, 1, ?2)";
inline constexpr const char* kTakeLease =
    "UPDATE leases SET epoch = ?2, attempts = ?3, expires_at = ?4 WHERE item = ?1";
inline constexpr const char* kRenewLease = "UPDATE leases SET expires_at = ?3 WHERE item = ?1 AND epoch = ?2";
inline constexpr const char* kReleaseLease =
    "UPDATE leases SET epoch = epoch + 1, attempts = attempts - 1, expires_at = 0 WHERE item = ?1 AND epoch "
    "= ?2";
inline constexpr const char* kFinishLease = "DELETE FROM leases WHERE item = ?1 AND epoch = ?2";
inline constexpr const char* kDeleteLeases = "DELETE FROM leases WHERE item >= ?1 AND item < ?2";
inline constexpr const char* kEndAllLeases = "UPDATE leases SET epoch = epoch + 1, expires_at = 0";
inline constexpr const char* kFinishItem =
    "UPDATE items SET state = ?2, finished_at = ?3, segment = ?4, line_start = ?5, line_bytes = ?6, "
    "input_tokens = ?7, output_tokens = ?8 WHERE key = ?1";
inline constexpr const char* kCancelItem = "UPDATE items SET state = ?2, finished_at = ?3 WHERE key = ?1";

// Segments.
inline constexpr const char* kGrowSegment =
    "INSERT INTO segments(stream, number, bytes, live) VALUES(?1, ?2, ?3, ?4) "
    "ON CONFLICT(stream, number) DO UPDATE SET bytes = excluded.bytes, live = live + excluded.live";
inline constexpr const char* kDropRecords =
    "UPDATE segments SET live = live - ?3 WHERE stream = ?1 AND number = ?2";
inline constexpr const char* kNewestSegment =
    "SELECT number, bytes FROM segments WHERE stream = ?1 ORDER BY number DESC LIMIT 1";
inline constexpr const char* kDeadSegments =
    "SELECT number FROM segments s WHERE stream = ?1 AND live = 0 "
    "AND number < (SELECT max(number) FROM segments WHERE stream = ?1)";
inline constexpr const char* kDeleteSegment =
    "DELETE FROM segments WHERE stream = ?1 AND number = ?2 AND live = 0";

// Upkeep.
inline constexpr const char* kIntegrity = "PRAGMA integrity_check(20)";
inline constexpr const char* kForeignKeys = "PRAGMA foreign_key_check";
inline constexpr const char* kCountAllBatches = "SELECT count(*) FROM batches";
inline constexpr const char* kNextBatch =
    "SELECT " SHEAF_BATCH_COLUMNS " FROM batches b WHERE b.row > ?1 ORDER BY b.row LIMIT 1";
inline constexpr const char* kSegments = "SELECT stream, number, bytes, live FROM segments";
inline constexpr const char* kRecordsInUse =
    "SELECT 0, i.segment, count(*), max(i.line_start + i.line_bytes) FROM items i "
    "JOIN batches b ON b.row = i.key >> 20 WHERE i.segment IS NOT NULL AND b.results_bytes IS NULL GROUP BY "
    "2 "
    "UNION ALL SELECT 1, body_segment, count(*), max(body_start + body_bytes) FROM batches "
    "WHERE body_segment IS NOT NULL GROUP BY 2 "
    "UNION ALL SELECT stream, segment, count(*), max(start + bytes) FROM batch_records GROUP BY 1, 2";
inline constexpr const char* kLeasesOf =
    "SELECT item FROM leases WHERE item >= ?1 AND item < ?2 ORDER BY item";
inline constexpr const char* kRangesOfBatch =
    "SELECT start, bytes FROM files WHERE batch = ?1 AND removed_at IS NULL";
// What refers to what is not there, each with its name.
inline constexpr const char* kStrays =
    "SELECT 'requests of no batch', count(*) FROM items i "
    "WHERE NOT EXISTS (SELECT 1 FROM batches b WHERE b.row = i.key >> 20) "
    "UNION ALL SELECT 'leases of no request', count(*) FROM leases l "
    "WHERE NOT EXISTS (SELECT 1 FROM items i WHERE i.key = l.item) "
    "UNION ALL SELECT 'plans of no batch', count(*) FROM plan_chunks p "
    "WHERE NOT EXISTS (SELECT 1 FROM batches b WHERE b.row = p.key >> 20) "
    "UNION ALL SELECT 'defaults of no batch', count(*) FROM batch_shared s "
    "WHERE NOT EXISTS (SELECT 1 FROM batches b WHERE b.row = s.row) "
    "UNION ALL SELECT 'records of no batch', count(*) FROM batch_records r "
    "WHERE NOT EXISTS (SELECT 1 FROM batches b WHERE b.row = r.row) "
    "UNION ALL SELECT 'chunks of no upload', count(*) FROM chunks c "
    "WHERE NOT EXISTS (SELECT 1 FROM uploads u WHERE u.id = c.upload) "
    "UNION ALL SELECT 'parts of no upload', count(*) FROM file_parts p "
    "WHERE NOT EXISTS (SELECT 1 FROM file_uploads u WHERE u.id = p.upload)";
inline constexpr const char* kDropStrays =
    "DELETE FROM items WHERE NOT EXISTS (SELECT 1 FROM batches b WHERE b.row = key >> 20);"
    "DELETE FROM leases WHERE NOT EXISTS (SELECT 1 FROM items i WHERE i.key = item);"
    "DELETE FROM plan_chunks WHERE NOT EXISTS (SELECT 1 FROM batches b WHERE b.row = key >> 20);"
    "DELETE FROM batch_shared WHERE NOT EXISTS (SELECT 1 FROM batches b WHERE b.row = batch_shared.row);"
    "DELETE FROM batch_records WHERE NOT EXISTS (SELECT 1 FROM batches b WHERE b.row = batch_records.row);"
    "DELETE FROM chunks WHERE NOT EXISTS (SELECT 1 FROM uploads u WHERE u.id = upload);"
    "DELETE FROM file_parts WHERE NOT EXISTS (SELECT 1 FROM file_uploads u WHERE u.id = upload);";
inline constexpr const char* kSetSegment =
    "INSERT INTO segments(stream, number, bytes, live) VALUES(?1, ?2, ?3, ?4) "
    "ON CONFLICT(stream, number) DO UPDATE SET bytes = excluded.bytes, live = excluded.live";
inline constexpr const char* kBlobsOfAssets =
    "SELECT id, account, filename, blob_key, bytes, state FROM assets WHERE blob_key <> ''";
inline constexpr const char* kBlobsOfFiles =
    "SELECT id, account, filename, blob_key, bytes FROM files WHERE batch IS NULL AND removed_at IS NULL";
inline constexpr const char* kBlobsOfParts =
    "SELECT p.id, p.blob_key, p.bytes FROM file_parts p JOIN file_uploads u ON u.id = p.upload WHERE u.state "
    "= 0";
// Of uploads of which an asset may still be made.
inline constexpr const char* kBlobsOfChunks =
    "SELECT c.upload, c.position, c.etag, c.bytes FROM chunks c JOIN uploads u ON u.id = c.upload "
    "LEFT JOIN assets a ON a.id = u.asset "
    "WHERE u.state = 0 OR (u.state = 1 AND a.state = 0 AND a.blob_key = '')";
// Whether one of those above is still spoken of.
inline constexpr const char* kNeedsAsset = "SELECT 1 FROM assets WHERE id = ?1 AND blob_key <> ''";
inline constexpr const char* kNeedsPart =
    "SELECT 1 FROM file_parts p JOIN file_uploads u ON u.id = p.upload WHERE p.id = ?1 AND u.state = 0";
inline constexpr const char* kNeedsChunk =
    "SELECT 1 FROM chunks c JOIN uploads u ON u.id = c.upload LEFT JOIN assets a ON a.id = u.asset "
    "WHERE c.upload = ?1 AND c.position = ?2 AND c.etag = ?3 "
    "AND (u.state = 0 OR (u.state = 1 AND a.state = 0 AND a.blob_key = ''))";
// How a copy forgets what was deleted while it was made. An upload that lacks a chunk has failed.
inline constexpr const char* kForgetAsset = "DELETE FROM assets WHERE id = ?1";
inline constexpr const char* kForgetFile = "UPDATE files SET removed_at = unixepoch() * 1000 WHERE id = ?1";
inline constexpr const char* kForgetPart = "DELETE FROM file_parts WHERE id = ?1";
inline constexpr const char* kForgetChunks = "DELETE FROM chunks WHERE upload = ?1";
inline constexpr const char* kFailUpload = "UPDATE uploads SET state = 2 WHERE id = ?1";
inline constexpr const char* kHasPart = "SELECT 1 FROM file_parts WHERE id = ?1";
inline constexpr const char* kHasUpload = "SELECT 1 FROM uploads WHERE id = ?1";
inline constexpr const char* kCountStates =
    "SELECT " SHEAF_ITEM_STATE
    ", count(*) FROM items i JOIN batches b ON b.row = ?1 WHERE i.key >= ?2 AND i.key < ?3 GROUP BY 1";
// Building an index anew. `touched` names the batches that records told more of than the old index did, and
// whether it had anything of them.
inline constexpr const char* kMakeTouched =
    "CREATE TEMP TABLE touched(row INTEGER PRIMARY KEY, is_new INTEGER NOT NULL)";
inline constexpr const char* kTouch = "INSERT OR IGNORE INTO touched(row, is_new) VALUES(?1, ?2)";
inline constexpr const char* kIsNew = "SELECT 1 FROM touched WHERE row = ?1 AND is_new";
inline constexpr const char* kNextTouched =
    "SELECT " SHEAF_BATCH_COLUMNS
    ", (SELECT is_new FROM touched t WHERE t.row = b.row) FROM batches b "
    "WHERE b.row = (SELECT min(t.row) FROM touched t JOIN batches o ON o.row = t.row WHERE t.row > ?1)";
// In which order results became durable, as records tell it.
inline constexpr const char* kMakeToldOrder =
    "CREATE TEMP TABLE told_order(row INTEGER, number INTEGER, ordinals TEXT, PRIMARY KEY(row, number)) "
    "WITHOUT ROWID";
inline constexpr const char* kTellOrder = "INSERT INTO told_order(row, number, ordinals) VALUES(?1, ?2, ?3)";
inline constexpr const char* kToldOrder = "SELECT ordinals FROM told_order WHERE row = ?1 ORDER BY number";
// Of which rows there is a body in which segment, or a line of an item that is not there.
inline constexpr const char* kMakeSeen =
    "CREATE TEMP TABLE seen(stream INTEGER, segment INTEGER, row INTEGER, PRIMARY KEY(stream, segment, row)) "
    "WITHOUT ROWID";
inline constexpr const char* kSee = "INSERT OR IGNORE INTO seen(stream, segment, row) VALUES(?1, ?2, ?3)";
inline constexpr const char* kMakeGone = "CREATE TEMP TABLE gone(row INTEGER PRIMARY KEY)";
inline constexpr const char* kGo = "INSERT OR IGNORE INTO gone(row) VALUES(?1)";
inline constexpr const char* kUnclaimedSegments =
    "SELECT DISTINCT stream, segment FROM seen s WHERE NOT EXISTS (SELECT 1 FROM gone g WHERE g.row = s.row) "
    "AND (stream = 0 OR NOT EXISTS (SELECT 1 FROM batches b WHERE b.row = s.row))";
inline constexpr const char* kHasItem = "SELECT 1 FROM items WHERE key = ?1";
inline constexpr const char* kUseRowsBehind =
    "INSERT OR REPLACE INTO sqlite_sequence(rowid, name, seq) "
    "SELECT max(rowid), 'batches', max(?1, coalesce(max(seq), 0)) FROM sqlite_sequence WHERE name = "
    "'batches'";
inline constexpr const char* kFoundArchived =
    "UPDATE batches SET archived_at = ?2, results_bytes = coalesce(results_bytes, 0), body_segment = NULL "
    "WHERE row = ?1";
inline constexpr const char* kDropTurnsOfPublished =
    "DELETE FROM batch_records WHERE stream = 0 AND EXISTS "
    "(SELECT 1 FROM batches b WHERE b.row = batch_records.row AND b.results_bytes IS NOT NULL)";
inline constexpr const char* kIdOfRow = "SELECT id FROM batches WHERE row = ?1";
// Rows that cannot be, which SQLite does not mind.
#define SHEAF_UNSOUND_BATCHES                                                                     \
    " FROM batches WHERE typeof(id) <> 'blob' OR length(id) <> 12 OR typeof(state) <> 'integer' " \
    "OR state NOT BETWEEN 0 AND 3 OR end_reason NOT BETWEEN 0 AND 4 OR kind NOT BETWEEN 0 AND 1 " \
    "OR item_events NOT BETWEEN 0 AND 2 OR row NOT BETWEEN 1 AND 1 << 42"
#define SHEAF_UNSOUND_ITEMS " FROM items WHERE typeof(state) <> 'integer' OR state NOT IN (0, 2, 3, 4, 5)"
inline constexpr const char* kCountUnsound =
    "SELECT (SELECT count(*)" SHEAF_UNSOUND_BATCHES ") + (SELECT count(*)" SHEAF_UNSOUND_ITEMS
    ") + (SELECT count(*) FROM assets WHERE length(id) <> 12) + (SELECT count(*) FROM files WHERE length(id) "
    "<> 12) "
    "+ (SELECT count(*) FROM file_parts WHERE length(id) <> 12) + (SELECT count(*) FROM chunks WHERE "
    "length(upload) <> 12)";
inline constexpr const char* kDropUnsound =
    "DELETE" SHEAF_UNSOUND_BATCHES "; DELETE" SHEAF_UNSOUND_ITEMS
    "; DELETE FROM assets WHERE length(id) <> 12; DELETE FROM files WHERE length(id) <> 12;"
    "DELETE FROM file_parts WHERE length(id) <> 12; DELETE FROM chunks WHERE length(upload) <> 12;"
    "DELETE FROM uploads WHERE length(id) <> 12; DELETE FROM file_uploads WHERE length(id) <> 12;"
    "DELETE FROM removals WHERE length(id) <> 12;";
#undef SHEAF_UNSOUND_BATCHES
#undef SHEAF_UNSOUND_ITEMS
inline constexpr const char* kRestoreBatch =
    "INSERT OR IGNORE INTO batches(row, id, account, dialect, kind, model, tag, state, end_reason, cursor, "
    "queued, "
    "running, "
    "succeeded, failed, canceled, expired, created_at, expires_at, purge_at, body_segment, body_start, "
    "body_bytes, "
    "keep_for, archive_at, ended_at, results_bytes, item_events) "
    "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 0, 0, 0, 0, 0, ?12, ?13, ?14, ?15, ?16, ?17, ?18, "
    "?19, ?20, "
    "CASE WHEN ?9 = 4 THEN 0 END, ?21)";
inline constexpr const char* kRestoreShared =
    "INSERT OR IGNORE INTO batch_shared(row, shared) VALUES(?1, ?2)";
inline constexpr const char* kRestoreItem =
    "INSERT OR IGNORE INTO items(key, state, body_offset, body_bytes, body_crc, custom_id, subject, "
    "subject_key, "
    "name_key) VALUES(?1, 0, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
inline constexpr const char* kFoundLine =
    "UPDATE items SET segment = ?2, line_start = ?3, line_bytes = ?4 WHERE key = ?1 AND state = 0";
inline constexpr const char* kFoundOutcome =
    "UPDATE items SET state = ?2, finished_at = ?3, input_tokens = ?4, output_tokens = ?5 "
    "WHERE key = ?1 AND state = 0 AND segment IS NOT NULL";
inline constexpr const char* kFoundUsage =
    "UPDATE batches SET cached_tokens = cached_tokens + ?2, reasoning_tokens = reasoning_tokens + ?3 WHERE "
    "row = ?1";
// States only move forward.
inline constexpr const char* kFoundTurn =
    "UPDATE batches SET state = ?2, end_reason = ?3, cancel_requested_at = ?4, ended_at = ?5, purge_at = ?6 "
    "WHERE row = ?1 AND state < 3 AND ?2 > state";
inline constexpr const char* kFoundEnding =
    "UPDATE items SET state = ?2, finished_at = ?3, input_tokens = ?4, output_tokens = ?5 "
    "WHERE key = ?1 AND (state = 0 OR EXISTS (SELECT 1 FROM touched WHERE row = key >> 20 AND is_new))";
inline constexpr const char* kFoundResults =
    "UPDATE batches SET state = 3, end_reason = ?2, cancel_requested_at = ?3, ended_at = ?4, purge_at = ?5, "
    "results_bytes = ?6, input_tokens = ?7, output_tokens = ?8, cached_tokens = ?9, reasoning_tokens = ?10 "
    "WHERE row = ?1";
inline constexpr const char* kSucceededOf =
    "SELECT key FROM items WHERE key >= ?1 AND key < ?2 AND state = 2";
inline constexpr const char* kDropPlaces =
    "UPDATE items SET segment = NULL, line_start = NULL, line_bytes = NULL WHERE key >= ?1 AND key < ?2 AND "
    "state = 0";
inline constexpr const char* kDropEndedLeases =
    "DELETE FROM leases WHERE item >= ?1 AND item < ?2 AND (SELECT state FROM items WHERE key = item) <> 0";
inline constexpr const char* kSumItems =
    "SELECT state, count(*), coalesce(max(finished_at), 0), coalesce(sum(input_tokens), 0), "
    "coalesce(sum(output_tokens), 0) FROM items WHERE key >= ?1 AND key < ?2 GROUP BY state";
inline constexpr const char* kLendUnfinished =
    "INSERT OR IGNORE INTO leases(item, epoch, attempts, expires_at) "
    "SELECT key, 1, 0, 0 FROM items WHERE key >= ?1 AND key < ?2 AND state = 0";
inline constexpr const char* kItemsOfHead =
    "SELECT custom_id, subject, body_offset, body_bytes, body_crc FROM items WHERE key >= ?1 AND key < ?2 "
    "ORDER BY key";
inline constexpr const char* kAreItemsNamed =
    "SELECT 1 FROM items WHERE key >= ?1 AND key < ?2 AND name_key IS NOT NULL LIMIT 1";
inline constexpr const char* kRequeueItem =
    "UPDATE items SET state = 0, finished_at = NULL, segment = NULL, line_start = NULL, line_bytes = NULL, "
    "input_tokens = NULL, output_tokens = NULL WHERE key = ?1";
inline constexpr const char* kLoseItem =
    "UPDATE items SET state = 3, segment = NULL, line_start = NULL, line_bytes = NULL, input_tokens = NULL, "
    "output_tokens = NULL WHERE key = ?1";
inline constexpr const char* kTokensOfItem =
    "SELECT coalesce(input_tokens, 0), coalesce(output_tokens, 0) FROM items WHERE key = ?1";
inline constexpr const char* kLendItem =
    "INSERT OR REPLACE INTO leases(item, epoch, attempts, expires_at) VALUES(?1, 1, 0, 0)";
inline constexpr const char* kDropLease = "DELETE FROM leases WHERE item = ?1";
inline constexpr const char* kSetRange = "UPDATE files SET bytes = ?2, start = ?3 WHERE id = ?1";

// Idempotency.
inline constexpr const char* kFindIdempotent =
    "SELECT request_hash, status, response, expires_at FROM idempotency "
    "WHERE account = ?1 AND scope = ?2 AND key = ?3";
inline constexpr const char* kInsertIdempotent =
    "INSERT INTO idempotency(account, scope, key, request_hash, status, response, expires_at) "
    "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING";
inline constexpr const char* kReplaceIdempotent =
    "INSERT OR REPLACE INTO idempotency(account, scope, key, request_hash, status, response, expires_at) "
    "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)";
inline constexpr const char* kForgetIdempotent = "DELETE FROM idempotency WHERE expires_at <= ?1";

// Assets.
inline constexpr const char* kInsertAsset =
    "INSERT INTO assets(" SHEAF_ASSET_COLUMNS
    ") VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17) "
    "ON CONFLICT DO NOTHING";
inline constexpr const char* kFindAsset =
    "SELECT " SHEAF_ASSET_COLUMNS " FROM assets WHERE id = ?1 AND account = ?2";
// ?2: a mask of types; ?3: a JSON array of ids in hexadecimal, or NULL; ?4: lower-case part of the name, or
// ''.
#define SHEAF_ASSETS_WHERE                                              \
    " FROM assets WHERE account = ?1 AND (1 << type) & ?2 "             \
    "AND (?3 IS NULL OR hex(id) IN (SELECT value FROM json_each(?3))) " \
    "AND (?4 = '' OR instr(lower(filename), ?4) > 0)"
inline constexpr const char* kHasAsset = "SELECT 1 FROM assets WHERE id = ?1";
inline constexpr const char* kCountAssets = "SELECT count(*)" SHEAF_ASSETS_WHERE;
inline constexpr const char* kListAssets =
    "SELECT " SHEAF_ASSET_COLUMNS SHEAF_ASSETS_WHERE " ORDER BY created_at DESC, id DESC LIMIT ?5 OFFSET ?6";
#undef SHEAF_ASSETS_WHERE
inline constexpr const char* kUpdateAsset =
    "UPDATE assets SET method = ?3, state = ?4, filename = ?5, source_url = ?6, blob_key = ?7, bytes = ?8, "
    "type = ?9, mime_type = ?10, duration_s = ?11, details = ?12, error = ?13, "
    "wants_hls = ?14, wants_thumbnail = ?15 WHERE id = ?1 AND account = ?2";
inline constexpr const char* kSetUserMetadata =
    "UPDATE assets SET user_metadata = ?3 WHERE id = ?1 AND account = ?2";
inline constexpr const char* kDeleteAsset = "DELETE FROM assets WHERE id = ?1";
inline constexpr const char* kDeleteChunksOfAsset =
    "DELETE FROM chunks WHERE upload IN (SELECT id FROM uploads WHERE asset = ?1)";
inline constexpr const char* kDeleteUploadsOfAsset = "DELETE FROM uploads WHERE asset = ?1";
inline constexpr const char* kProcessingAssets =
    "SELECT " SHEAF_ASSET_COLUMNS " FROM assets WHERE state = 0 ORDER BY created_at";

// Uploads.
inline constexpr const char* kInsertUpload =
    "INSERT INTO uploads(" SHEAF_UPLOAD_COLUMNS
    ") VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT DO NOTHING";
inline constexpr const char* kFindUpload = "SELECT " SHEAF_UPLOAD_COLUMNS " FROM uploads WHERE id = ?1";
inline constexpr const char* kCountUploads =
    "SELECT count(*) FROM uploads WHERE account = ?1 AND state = 0 AND expires_at > ?2";
inline constexpr const char* kListUploads =
    "SELECT " SHEAF_UPLOAD_COLUMNS
    " FROM uploads WHERE account = ?1 AND state = 0 AND expires_at > ?2 "
    "ORDER BY created_at DESC, id DESC LIMIT ?3 OFFSET ?4";
inline constexpr const char* kUpdateUpload =
    "UPDATE uploads SET state = ?2, updated_at = ?3, chunks_reported = ?4, bytes_reported = ?5 WHERE id = ?1";
inline constexpr const char* kExpiredUploads =
    "SELECT " SHEAF_UPLOAD_COLUMNS " FROM uploads WHERE state = 0 AND expires_at <= ?1 ORDER BY expires_at";
inline constexpr const char* kPutChunk =
    "INSERT INTO chunks(upload, position, bytes, etag, reported, uploaded_at) VALUES(?1, ?2, ?3, ?4, 0, ?5) "
    "ON CONFLICT DO UPDATE SET bytes = excluded.bytes, etag = excluded.etag, uploaded_at = "
    "excluded.uploaded_at";
inline constexpr const char* kFindChunk =
    "SELECT position, bytes, etag, reported, uploaded_at FROM chunks WHERE upload = ?1 AND position = ?2";
inline constexpr const char* kChunks =
    "SELECT position, bytes, etag, reported, uploaded_at FROM chunks WHERE upload = ?1 ORDER BY position";
inline constexpr const char* kAcceptChunk =
    "UPDATE chunks SET reported = 1 WHERE upload = ?1 AND position = ?2";

// Files.
inline constexpr const char* kInsertFile =
    "INSERT INTO files(" SHEAF_FILE_COLUMNS
    ") VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO NOTHING";
inline constexpr const char* kFindFile = "SELECT " SHEAF_FILE_COLUMNS
                                         " FROM files WHERE id = ?1 AND account = ?2 AND removed_at IS NULL "
                                         "AND (expires_at IS NULL OR expires_at > ?3)";
inline constexpr const char* kPlaceOfFile = "SELECT number FROM files WHERE id = ?1 AND account = ?2";
inline constexpr const char* kHasFile = "SELECT 1 FROM files WHERE id = ?1 AND removed_at IS NULL";
#define SHEAF_FILES_WHERE(index, purpose)                              \
    " FROM files INDEXED BY " index " WHERE account = ?1 AND " purpose \
    " AND removed_at IS NULL AND (expires_at IS NULL OR expires_at > ?3) AND number < ?4 AND number > ?5 "
#define SHEAF_ALL_FILES SHEAF_FILES_WHERE("files_listed", "?2 IS NULL")
#define SHEAF_FILES_OF_PURPOSE SHEAF_FILES_WHERE("files_of_purpose", "purpose = ?2")
inline constexpr const char* kFilesNewestFirst =
    "SELECT " SHEAF_FILE_COLUMNS SHEAF_ALL_FILES "ORDER BY number DESC LIMIT ?6";
inline constexpr const char* kFilesOldestFirst =
    "SELECT " SHEAF_FILE_COLUMNS SHEAF_ALL_FILES "ORDER BY number LIMIT ?6";
inline constexpr const char* kFilesOfPurposeNewestFirst =
    "SELECT " SHEAF_FILE_COLUMNS SHEAF_FILES_OF_PURPOSE "ORDER BY number DESC LIMIT ?6";
inline constexpr const char* kFilesOfPurposeOldestFirst =
    "SELECT " SHEAF_FILE_COLUMNS SHEAF_FILES_OF_PURPOSE "ORDER BY number LIMIT ?6";
#undef SHEAF_ALL_FILES
#undef SHEAF_FILES_OF_PURPOSE
#undef SHEAF_FILES_WHERE
inline constexpr const char* kRemoveFile = "UPDATE files SET removed_at = ?2 WHERE id = ?1";
inline constexpr const char* kExpiredFiles =
    "SELECT " SHEAF_FILE_COLUMNS
    " FROM files WHERE expires_at <= ?1 AND removed_at IS NULL ORDER BY expires_at LIMIT ?2";
inline constexpr const char* kForgetFiles = "DELETE FROM files WHERE removed_at <= ?1";
inline constexpr const char* kInsertFileUpload =
    "INSERT INTO file_uploads(" SHEAF_FILE_UPLOAD_COLUMNS
    ") VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT DO NOTHING";
inline constexpr const char* kFindFileUpload =
    "SELECT " SHEAF_FILE_UPLOAD_COLUMNS " FROM file_uploads WHERE id = ?1";
inline constexpr const char* kEndFileUpload =
    "UPDATE file_uploads SET state = ?2, file = ?3 WHERE id = ?1 AND state = 0";
inline constexpr const char* kExpiredFileUploads =
    "SELECT " SHEAF_FILE_UPLOAD_COLUMNS
    " FROM file_uploads WHERE state = 0 AND expires_at <= ?1 ORDER BY expires_at LIMIT ?2";
inline constexpr const char* kBytesOfParts =
    "SELECT coalesce(sum(bytes), 0) FROM file_parts WHERE upload = ?1";
inline constexpr const char* kInsertFilePart =
    "INSERT INTO file_parts(upload, id, bytes, blob_key, created_at) VALUES(?1, ?2, ?3, ?4, ?5)";
inline constexpr const char* kFileParts =
    "SELECT id, bytes, blob_key, created_at FROM file_parts WHERE upload = ?1 ORDER BY number";
inline constexpr const char* kEndedWithParts =
    "SELECT DISTINCT u.id FROM file_parts p JOIN file_uploads u ON u.id = p.upload WHERE u.state <> 0 "
    "LIMIT ?1";
inline constexpr const char* kForgetFileUploads =
    "DELETE FROM file_uploads WHERE state <> 0 AND created_at <= ?1 "
    "AND id NOT IN (SELECT upload FROM file_parts)";
inline constexpr const char* kForgetFileParts = "DELETE FROM file_parts WHERE upload = ?1";

// Keys.
inline constexpr const char* kInsertKey =
    "INSERT INTO api_keys(id, account, secret_hash, created_at, revoked_at) VALUES(?1, ?2, ?3, ?4, ?5) "
    "ON CONFLICT DO NOTHING";
inline constexpr const char* kFindKey =
    "SELECT id, account, secret_hash, created_at, revoked_at FROM api_keys WHERE id = ?1";
inline constexpr const char* kListKeys =
    "SELECT id, account, secret_hash, created_at, revoked_at FROM api_keys ORDER BY created_at, id";
inline constexpr const char* kRevokeKey =
    "UPDATE api_keys SET revoked_at = coalesce(revoked_at, ?2) WHERE id = ?1";

// Webhooks.
inline constexpr const char* kInsertWebhook =
    "INSERT INTO webhooks(id, account, dialect, url, secret, types, enabled, created_at) "
    "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING";
inline constexpr const char* kListWebhooks =
    "SELECT id, account, dialect, url, secret, types, enabled, created_at FROM webhooks "
    "ORDER BY created_at, id";
inline constexpr const char* kSetWebhookSecret = "UPDATE webhooks SET secret = ?2 WHERE id = ?1";
inline constexpr const char* kSetWebhookEnabled = "UPDATE webhooks SET enabled = ?2 WHERE id = ?1";
inline constexpr const char* kDeleteWebhook = "DELETE FROM webhooks WHERE id = ?1";
inline constexpr const char* kHasWebhook =
    "SELECT 1 FROM webhooks WHERE account = ?1 AND dialect = ?2 AND enabled LIMIT 1";

// Facts: rows of `events`.
inline constexpr const char* kInsertFact =
    "INSERT INTO events(kind, account, batch, ordinal, at) VALUES(?1, ?2, ?3, ?4, ?5)";
inline constexpr const char* kOldestFacts =
    "SELECT number, kind, account, batch, ordinal, at FROM events ORDER BY number LIMIT ?1";
inline constexpr const char* kAdvanceFact = "UPDATE events SET ordinal = ?2 WHERE number = ?1";
inline constexpr const char* kDeleteFact = "DELETE FROM events WHERE number = ?1";
inline constexpr const char* kDeleteFactsOfBatch = "DELETE FROM events WHERE batch = ?1";

// Deliveries.
inline constexpr const char* kInsertDelivery =
    "INSERT INTO deliveries(event, type, account, form, webhook, target, url, token, payload, batch, "
    "ordinal, "
    "created_at, attempts, attempts_max, next_at, delivered, last_error) "
    "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 0, ?13, ?14, 0, '')";
// The targets of what waits, one step in the index each, however much waits for one of them.
inline constexpr const char* kDueTargets =
    "WITH RECURSIVE targets(target) AS ("
    "SELECT min(target) FROM deliveries WHERE ended_at IS NULL "
    "UNION ALL SELECT (SELECT min(d.target) FROM deliveries d WHERE d.ended_at IS NULL AND d.target > "
    "targets.target) FROM targets WHERE targets.target IS NOT NULL) "
    "SELECT target, (SELECT min(d.next_at) FROM deliveries d WHERE d.ended_at IS NULL AND d.target = "
    "targets.target) AS soonest FROM targets WHERE target IS NOT NULL AND soonest <= ?1 ORDER BY soonest";
inline constexpr const char* kDueOfTarget =
    "SELECT d.number, d.account FROM deliveries d LEFT JOIN webhooks w ON w.id = d.webhook "
    "WHERE d.target = ?1 AND d.ended_at IS NULL AND d.next_at <= ?2 AND coalesce(w.enabled, 1) "
    "ORDER BY d.next_at, d.number LIMIT ?3";
inline constexpr const char* kFindDelivery =
    "SELECT " SHEAF_DELIVERY_COLUMNS
    ", coalesce(w.secret, d.token), d.payload FROM deliveries d LEFT JOIN webhooks w ON w.id = d.webhook "
    "WHERE d.number = ?1";
inline constexpr const char* kRecordAttempt =
    "UPDATE deliveries SET attempts = attempts + 1, next_at = ?2, last_error = ?3 "
    "WHERE number = ?1 AND ended_at IS NULL";
inline constexpr const char* kEndDelivery =
    "UPDATE deliveries SET attempts = attempts + 1, ended_at = ?2, last_error = ?3, delivered = ?4, "
    "token = '', payload = x'' WHERE number = ?1 AND ended_at IS NULL";
inline constexpr const char* kGiveUpOfWebhook =
    "UPDATE deliveries SET ended_at = ?2, last_error = ?3, payload = x'' WHERE webhook = ?1 AND ended_at IS "
    "NULL";
// ?1: of one webhook, or NULL; ?2: of one account, or NULL; ?3: only those that were not delivered.
inline constexpr const char* kListDeliveries =
    "SELECT " SHEAF_DELIVERY_COLUMNS
    " FROM deliveries d WHERE (?1 IS NULL OR d.webhook = ?1) AND (?2 IS NULL OR d.account = ?2) "
    "AND (NOT ?3 OR NOT d.delivered) ORDER BY d.number DESC LIMIT ?4";
inline constexpr const char* kDeliveriesAbout =
    "SELECT " SHEAF_DELIVERY_COLUMNS
    " FROM deliveries d WHERE d.batch = ?1 AND d.ordinal IS ?2 ORDER BY d.number";
inline constexpr const char* kForgetDeliveries =
    "DELETE FROM deliveries WHERE number IN (SELECT number FROM deliveries WHERE ended_at <= ?1 ORDER BY "
    "ended_at LIMIT ?2)";

}  // namespace sheaf::store::sql

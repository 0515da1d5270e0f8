#pragma once

namespace sheaf::store::postgres::migrations {

// The order in which the results of a batch became durable, in chunks: one for each group of results that was
// written, beginning at `place`. Of results from before nobody knows more than their time.
inline constexpr const char* k0003EndedOrder = R"sql(
CREATE TABLE ended_order(
  batch bigint NOT NULL,
  place integer NOT NULL,
  ordinals integer[] NOT NULL,
  PRIMARY KEY(batch, place)
);
INSERT INTO ended_order(batch, place, ordinals)
SELECT batch, min(place), array_agg(ordinal ORDER BY place) FROM (
  SELECT batch, ordinal, row_number() OVER (PARTITION BY batch ORDER BY finished_at, ordinal) - 1 AS place
  FROM results WHERE state IN (2, 3)) r
GROUP BY batch, place / 500;
)sql";

}  // namespace sheaf::store::postgres::migrations

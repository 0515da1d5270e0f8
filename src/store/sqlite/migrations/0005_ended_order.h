#pragma once

namespace sheaf::store::migrations {

// The order in which the results of a batch became durable, in chunks: one for each group of results
// (ended_order.h). Those from before have one for each of their items, in the order in which they lie in the
// log.
inline constexpr const char* k0005EndedOrder = R"sql(
CREATE TABLE ended_order(key INTEGER PRIMARY KEY, ordinals TEXT NOT NULL);
INSERT INTO ended_order(key, ordinals)
SELECT ((key >> 20) << 20)
         + row_number() OVER (PARTITION BY key >> 20 ORDER BY segment, line_start) - 1,
       printf('%05x', key & 1048575)
FROM items WHERE segment IS NOT NULL;
)sql";

}  // namespace sheaf::store::migrations

#pragma once

namespace sheaf::store::postgres::migrations {

// Items that are taken together share a row in `claims` while they run. What happens to some of them alone,
// but for their end, gives each a row in `leases` instead. So an item costs two inserts.
inline constexpr const char* k0002Claims = R"sql(
-- Leases of the items from `position` on, `items` of them, but for those that have a result: then `held` are left.
CREATE TABLE claims(
  batch bigint NOT NULL,
  epoch integer NOT NULL,
  position integer NOT NULL,
  items integer NOT NULL,
  held integer NOT NULL,
  expires_at bigint NOT NULL,
  node bytea NOT NULL,
  PRIMARY KEY(batch, epoch)
) WITH (fillfactor = 50);
)sql";

}  // namespace sheaf::store::postgres::migrations

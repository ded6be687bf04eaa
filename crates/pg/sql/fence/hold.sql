-- Purpose: prove, until the end of this transaction, that this worker still owns the migration.
-- Locks: row share on corridor.lease; one row for share.
-- Oldest version: 14
select 1
from corridor.lease
where migration_id = $1
  and epoch = $2
for share

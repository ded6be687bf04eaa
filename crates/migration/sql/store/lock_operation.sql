-- Purpose: read the state of one operation, and keep it still until the transaction ends.
-- Locks: row share on corridor.operation; one row for no key update
-- Oldest version: 14
select state
from corridor.operation
where migration_id = $1
  and name = $2
for no key update
